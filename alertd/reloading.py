"""SIGHUP: the configuration is read again, whole or not at all."""

import asyncio
from pathlib import Path

from alertd.app import House
from alertd.current import Current, current_of, specs, tell_fading, tell_left_out
from alertd.notify import Notifier
from alertd.settings import ConfigError, Settings, load


async def reload_on(event: asyncio.Event, house: House, config: Path | None, notifier: Notifier) -> None:
    """Reload each time the event is set, until cancelled."""
    while True:
        await event.wait()
        event.clear()
        notifier.reloading()
        await reload(house, config)
        notifier.ready()


async def reload(house: House, config: Path | None) -> bool:
    """Read channels, zones, templates, sources and rules again. A faulty configuration is refused whole and the old
    one stays."""
    try:
        fresh = await asyncio.to_thread(_read, config)
        _same_house(house.current.settings, fresh.settings)
    except (ConfigError, ValueError, OSError) as error:
        house.fittings.log.error("reload refused, the running configuration stays", reason=str(error))
        house.fittings.readiness.concern("reload", "the configuration on disk is faulty: the one before it goes on")
        return False
    house.fittings.readiness.concern("reload", None)
    speaks_differently = fresh.service != house.current.service
    judges_differently = fresh.settings.ingest.rules != house.current.settings.ingest.rules
    house.current.settings, house.current.territory, house.current.renderer = (
        fresh.settings,
        fresh.territory,
        fresh.renderer,
    )
    await house.channels.apply(specs(fresh.settings), restart=speaks_differently)
    house.desk.apply(fresh.settings.ingest.rules)
    await house.sources.apply(fresh.settings.ingest.sources.values(), anew=judges_differently)
    tell_left_out(house.fittings, ())
    tell_fading(house.fittings, fresh.settings)
    house.fittings.readiness.concern("sources begun", None)
    house.fittings.log.info("reloaded", channels=list(house.channels.names), zones=len(fresh.territory.zones))
    return True


def _read(config: Path | None) -> Current:
    fresh = current_of(load(config))
    if faults := fresh.renderer.check():
        raise ValueError("\n".join(faults))
    return fresh


def _same_house(old: Settings, new: Settings) -> None:
    """What a reload cannot change: the address, the store, the state folder."""
    for what, before, after in (
        ("api", old.api, new.api),
        ("store", old.store, new.store),
        ("service.state", old.state, new.state),
    ):
        if before != after:
            raise ValueError(f"{what} cannot change in a running daemon: restart it")
