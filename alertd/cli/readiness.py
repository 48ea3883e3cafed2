"""How ready each configured channel is, without a daemon and without sending anything."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import structlog

from alertd.clock import SystemClock
from alertd.core.channels import ChannelSpec, ChannelStatus
from alertd.current import current_of, specs
from alertd.ports.adapter import Health, Tools
from alertd.settings import ConfigError, ConfigProblem, Settings
from alertd.territory import ZoneFileError

PATIENCE = 20.0
"""Seconds a provider has to answer."""


async def readiness(settings: Settings, *, online: bool) -> Sequence[ChannelStatus]:
    """One status a channel; `online` opens each and lets it prove its credentials.

    Raises ConfigError where zones or templates cannot be used.
    """
    source = str(settings.file or "the defaults")
    try:
        faults = current_of(settings).renderer.check()
    except ZoneFileError as error:
        raise ConfigError([ConfigProblem(source, "service.zones", str(error))]) from None
    if faults:
        raise ConfigError([ConfigProblem(source, "templates", fault) for fault in faults])
    channels = specs(settings)
    if not online:
        return [_status(spec, Health(ready=True, detail="configured; --online tries it")) for spec in channels]
    with tempfile.TemporaryDirectory(prefix="alertd-check-") as folder:
        # Keys made by a check would belong to whoever ran it: a state folder is used only where there is one.
        state = settings.state if settings.state.is_dir() else Path(folder)
        healths = await asyncio.gather(*(_tried(spec, settings, state) for spec in channels))
    return [_status(spec, health) for spec, health in zip(channels, healths, strict=True)]


async def _tried(spec: ChannelSpec, settings: Settings, state: Path) -> Health:
    log = structlog.get_logger().bind(channel=spec.name)
    tools = Tools(SystemClock(), log, settings.speaker, state, lambda _endpoint: "")
    try:
        async with asyncio.timeout(PATIENCE), spec.kind.open(spec.name, spec.config, tools) as adapter:
            return await adapter.check()
    except TimeoutError:
        return Health(ready=False, detail=f"no answer in {PATIENCE:.0f} s")
    except Exception as error:  # noqa: BLE001  (whatever a channel's library raises, the others are still checked)
        return Health(ready=False, detail=f"{type(error).__name__}: {error}")


def _status(spec: ChannelSpec, health: Health) -> ChannelStatus:
    traits = spec.traits
    return ChannelStatus(
        spec.name,
        spec.adapter,
        not traits.addressed,
        spec.exercise,
        health.ready,
        health.detail,
        traits.provable,
        health.facts,
    )
