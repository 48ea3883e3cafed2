"""The configured channels: each opened, kept open, watched and closed by one task of its own."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from alertd.core.audience import Carrier
from alertd.core.budget import Budgets
from alertd.core.circuits import Circuits
from alertd.core.fittings import Fittings
from alertd.core.gate import Gate
from alertd.core.lanes import Lanes
from alertd.core.open_channel import OpenChannel
from alertd.core.single import SinglePage
from alertd.core.words.render import Renderer
from alertd.domain.alert import Alert, Purpose
from alertd.domain.circuit import CircuitPolicy
from alertd.domain.delivery import Reason, Retry, State, Verdict
from alertd.ports.adapter import Adapter, AdapterType, Health, Message, Notice, Tools, Traits

REOPEN = 30.0
CHECK_EVERY = 300.0
_CLOSING = 10.0
_PATIENCE = 10.0  # seconds a message outside the alert road waits for the pace
_BELIEVED = 3  # endpoints that must say in a row that an addressed channel is broken


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A channel as configured. Two equal specs are the same channel: a reload leaves it alone.

    `language` is what a broadcast channel speaks; `exercise` marks a broadcast channel that drills may use.
    """

    name: str
    adapter: str
    kind: AdapterType
    config: Any
    language: str
    exercise: bool = False
    purposes: frozenset[Purpose] = frozenset(Purpose)

    @property
    def traits(self) -> Traits:
        return self.kind.traits_of(self.config)


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """For the readiness board. `provable` is the highest state this channel can ever prove."""

    name: str
    adapter: str
    broadcast: bool
    exercise: bool
    ready: bool
    detail: str
    provable: State
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


_OPENING = Health(ready=False, detail="opening")


@dataclass(slots=True, eq=False)
class _Kept:
    """A channel with the task that keeps it."""

    spec: ChannelSpec
    gate: Gate
    task: asyncio.Task[None] | None = None
    adapter: Adapter | None = None
    health: Health = _OPENING
    opened: asyncio.Event = field(default_factory=asyncio.Event)


class Channels:
    """`tools_of(channel)` lends an adapter what it needs; `lanes` runs it once it is open."""

    def __init__(
        self,
        lanes: Lanes,
        fittings: Fittings,
        *,
        tools_of: Callable[[str], Tools],
        renderer: Callable[[], Renderer],
        state: Path,
    ) -> None:
        self._lanes = lanes
        self._fit = fittings
        self._tools_of = tools_of
        self._renderer = renderer
        self._state = state
        self._budgets = Budgets(fittings.clock)
        self._kept: dict[str, _Kept] = {}
        self._leaving: list[_Kept] = []

    # --- life -------------------------------------------------------------------------------------------------------

    async def apply(self, specs: Iterable[ChannelSpec], *, restart: bool = False, drain: float = 20.0) -> None:
        """Make the open channels those of `specs`: unchanged ones go on undisturbed (unless `restart`), others drain
        for at most `drain` seconds and close. What was not sent stays queued."""
        wanted = {spec.name: spec for spec in specs}
        self._budgets.arrange({name: spec.traits for name, spec in wanted.items()})
        kept, self._kept = self._kept, {}
        for name, spec in wanted.items():
            old = kept.pop(name, None)
            if old is not None and old.spec == spec and not restart:
                self._kept[name] = old
                continue
            self._kept[name] = fresh = _Kept(spec, self._gate(spec, old))
            fresh.task = asyncio.create_task(self._succeed(old, fresh, drain), name=f"channel {name}")
        await self._close(list(kept.values()), drain)

    async def close(self, drain: float) -> None:
        """Refuse new work everywhere at once, give what is in flight `drain` seconds, then end it."""
        await self._close([*self._kept.values(), *self._leaving], drain)

    async def opened(self, seconds: float) -> None:
        """Return when every channel was tried once, or after that many seconds."""
        waiting = [asyncio.ensure_future(kept.opened.wait()) for kept in self._kept.values()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=seconds)
            for task in late:
                task.cancel()

    async def _succeed(self, old: _Kept | None, fresh: _Kept, drain: float) -> None:
        """Its place is taken at once, so that no alert accepted meanwhile misses the channel; its lanes start when
        those before it have ended."""
        if old is not None:
            await self._close([old], drain)
        await self._keep(fresh)

    async def _close(self, leaving: Sequence[_Kept], drain: float) -> None:
        """They are remembered until they have ended, so that a stop in the middle of a reload drains them too."""
        self._leaving.extend(kept for kept in leaving if kept not in self._leaving)
        for kept in leaving:
            kept.gate.stop()
            if kept.task is not None and kept.adapter is None:
                kept.task.cancel()
        self._lanes.ring([kept.spec.name for kept in leaving])
        tasks = [kept.task for kept in leaving if kept.task is not None]
        for seconds in (drain, _CLOSING):
            if tasks:
                _, late = await asyncio.wait(tasks, timeout=seconds)
                for task in late:
                    task.cancel()
        for kept in leaving:
            if kept.task is None or kept.task.done():
                self._leaving.remove(kept)
            else:
                self._fit.log.error("a channel would not close and is abandoned", channel=kept.spec.name)

    async def _keep(self, kept: _Kept) -> None:
        """Open the channel and run its lanes; a channel that cannot open is tried again and harms no other."""
        spec = kept.spec
        while not kept.gate.stopping:
            try:
                async with spec.kind.open(spec.name, spec.config, self._tools_of(spec.name)) as adapter:
                    kept.adapter = adapter
                    tending = asyncio.create_task(self._tend(kept, adapter))
                    try:
                        await self._lanes.run(self._open_channel(kept, adapter))
                    finally:
                        tending.cancel()
                        kept.adapter = None
            except Exception as error:
                self._tell(kept, Health(ready=False, detail=f"{type(error).__name__}: {error}"))
                self._fit.log.exception("channel failed", channel=spec.name)
                kept.opened.set()
                await self._fit.clock.sleep(REOPEN)

    async def _tend(self, kept: _Kept, adapter: Adapter) -> None:
        while True:
            self._tell(kept, await adapter.check())
            kept.opened.set()
            await self._fit.clock.sleep(CHECK_EVERY if kept.health.ready else REOPEN)

    def _tell(self, kept: _Kept, health: Health) -> None:
        if not health.ready and kept.health.ready:
            self._fit.log.warning("channel not ready", channel=kept.spec.name, detail=health.detail)
        kept.health = health
        self._fit.metrics.channel_ready.labels(kept.spec.name).set(health.ready)

    def _gate(self, spec: ChannelSpec, old: _Kept | None) -> Gate:
        """What the channel knew of its servers before a reload it still knows after."""
        traits = spec.traits
        halts = _BELIEVED if traits.addressed else 1
        circuits = Circuits(self._fit.clock, halts=halts, policy=CircuitPolicy())
        if old is not None and old.spec.adapter == spec.adapter:
            circuits = old.gate.circuits
        share = self._budgets.share(spec.name, traits)
        return Gate(self._fit.clock, concurrency=traits.concurrency, circuits=circuits, share=share)

    def _open_channel(self, kept: _Kept, adapter: Adapter) -> OpenChannel:
        spec = kept.spec
        return OpenChannel(
            spec.name, spec.adapter, adapter, adapter.traits, kept.gate, self._renderer, spec.language, spec.exercise
        )

    # --- what others ask --------------------------------------------------------------------------------------------

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._kept)

    def addressed(self) -> Sequence[str]:
        return tuple(name for name, kept in self._kept.items() if kept.spec.traits.addressed)

    def adapter_of(self, channel: str) -> str:
        """The name of its adapter; KeyError for an unknown channel."""
        return self._kept[channel].spec.adapter

    def language(self, channel: str) -> str:
        return self._kept[channel].spec.language

    def carriers(self) -> list[Carrier]:
        return [
            Carrier(
                name=s.name,
                adapter=s.adapter,
                broadcast=not t.addressed,
                exercise=s.exercise,
                purposes=s.purposes,
                provable=t.provable,
                idempotent=t.idempotent,
            )
            for s, t in ((kept.spec, kept.spec.traits) for kept in self._kept.values())
        ]

    def status(self) -> Sequence[ChannelStatus]:
        return tuple(self._status(kept) for kept in self._kept.values())

    def _status(self, kept: _Kept) -> ChannelStatus:
        spec, traits = kept.spec, kept.spec.traits
        closed = kept.gate.circuits.channel_closed_until()
        detail = kept.health.detail
        if kept.gate.circuits.halted is not None:
            detail = f"halted: {kept.gate.circuits.halted}"
        elif closed is not None:
            detail = f"held until {closed.isoformat(timespec='seconds')}"
        ready = kept.health.ready and closed is None and kept.gate.circuits.halted is None
        return ChannelStatus(
            spec.name,
            spec.adapter,
            not traits.addressed,
            spec.exercise,
            ready,
            detail,
            traits.provable,
            {**kept.health.facts, **self._fit.metrics.gauges(spec.name)},
        )

    def normalize(self, channel: str, address: str) -> str:
        """The canonical form of an address; ValueError for an unknown or broadcast channel, or a bad address."""
        kept = self._kept.get(channel)
        if kept is None:
            raise ValueError(f"no channel {channel!r}; there are {', '.join(self.addressed()) or 'none'}")
        if not kept.spec.traits.addressed:
            raise ValueError(f"channel {channel!r} is a broadcast channel: nobody subscribes to it here")
        return kept.spec.kind.normalize(kept.spec.config, address)

    def public_facts(self, channel: str) -> Mapping[str, str]:
        spec = self._kept[channel].spec
        return spec.kind.public_facts(spec.config, self._state)

    def pace(self, channel: str) -> float | None:
        """Parcels a second this channel has shown or is limited to; None where nothing is known yet."""
        return self._kept[channel].gate.pace

    def message(self, channel: str, alert: Alert, *, language: str, blocks: int, deadline: datetime) -> Message:
        """What the channel would carry; KeyError for an unknown channel."""
        kept = self._kept[channel]
        notice = self._renderer().notice(
            alert,
            channel=channel,
            adapter=kept.spec.adapter,
            language=language or kept.spec.language,
            blocks=blocks,
            deadline=deadline,
            root=alert.identifier,
        )
        return kept.adapter.render(notice) if kept.adapter else Message(notice, f"{notice.title}\n\n{notice.text}")

    async def send_single(self, channel: str, notice: Notice, endpoint_id: int, address: str) -> Verdict:
        """One message outside the alert road (the mail that asks a citizen to confirm), without retry."""
        kept = self._kept.get(channel)
        if kept is None or kept.adapter is None:
            return Retry(Reason.CONNECT)
        if not await kept.gate.single(_PATIENCE) or kept.adapter is None:
            return Retry(Reason.RATE_LIMITED)
        page = SinglePage(kept.adapter.render(notice), endpoint_id, address)
        await kept.adapter.send(page, page.settle)
        return page.verdict
