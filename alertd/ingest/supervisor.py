"""Every source in a task of its own: what happens to one never harms another, and whatever ends is begun anew."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.readiness import Readiness
from alertd.domain.problems import Conflict, Forbidden, NotFound, Unavailable
from alertd.domain.signal import Heard
from alertd.ingest.desk import Desk
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.mqtt.listener import Listener
from alertd.ingest.polling import Poller
from alertd.ingest.pulse import Pulse
from alertd.ingest.readers.standard_webhooks import Unverified, Verifier
from alertd.ingest.source import Polled, Pushed, SourceSpec, Subscribed
from alertd.ports.clock import Chance, Clock
from alertd.ports.source import SourceStatus
from alertd.ports.territory import Territory

LOOK_EVERY: Final = 5.0
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
_CLOSING: Final = 5.0
_CONCERN: Final = "sources"


@dataclass(slots=True, eq=False)
class _Kept:
    """A source with the task that tends it; one that is pushed has none."""

    hearing: Hearing
    pulse: Pulse
    verifier: Verifier | None = None
    task: asyncio.Task[None] | None = None

    @property
    def spec(self) -> SourceSpec:
        return self.hearing.spec


class Supervisor:
    """Implements `alertd.ports.source.Sources`."""

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        log: FilteringBoundLogger,
        gauges: Gauges,
        *,
        territory: Callable[[], Territory],
        chance: Chance,
        readiness: Readiness,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._log = log
        self._gauges = gauges
        self._territory = territory
        self._chance = chance
        self._readiness = readiness
        self._kept: dict[str, _Kept] = {}

    # --- life -------------------------------------------------------------------------------------------------------

    async def apply(self, specs: Iterable[SourceSpec], *, anew: bool = False) -> None:
        """Make the sources those of `specs`: unchanged ones go on undisturbed. `anew`: the rules are others, and what
        is asked is asked as if for the first time: what it says now they may never have heard."""
        wanted = {spec.name: spec for spec in specs}
        leaving = [kept for name, kept in self._kept.items() if wanted.get(name) != kept.spec]
        await self._end(leaving)
        for kept in leaving:
            del self._kept[kept.spec.name]
            self._gauges.forget(kept.spec.name)
        again = [kept for kept in self._kept.values() if anew and isinstance(kept.spec.way, Polled)]
        await self._end(again)
        for kept in again:
            self._tended(kept)
        for name, spec in wanted.items():
            if name not in self._kept:
                self._kept[name] = self._begin(spec)

    async def close(self) -> None:
        """Nothing is heard any more."""
        await self._end(self._kept.values())

    async def run(self) -> None:
        """Look after the time that goes by in silence, until cancelled."""
        while True:
            for kept in self._kept.values():
                kept.pulse.look()
            self._tell()
            await self._clock.sleep(LOOK_EVERY)

    def _tell(self) -> None:
        """On the readiness board, where anybody reads it: no names."""
        silent = sum(not status.ready for status in self.status())
        concern = f"{silent} of {len(self._kept)} sources are not heard"
        self._readiness.concern(_CONCERN, concern if silent else None)

    def _begin(self, spec: SourceSpec) -> _Kept:
        hearing = Hearing(spec, self._territory)
        kept = _Kept(hearing, Pulse(spec, self._clock, self._gauges, self._log))
        if isinstance(spec.way, Pushed):
            kept.verifier = Verifier(spec.way.secrets) if spec.way.secrets else None
        else:
            self._tended(kept)
        return kept

    def _tended(self, kept: _Kept) -> None:
        kept.task = asyncio.create_task(self._tend(kept), name=f"source {kept.spec.name}")

    async def _end(self, leaving: Iterable[_Kept]) -> None:
        tasks = {kept.task for kept in leaving if kept.task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_CLOSING)
            for task in late:
                self._log.error("a source would not end and is abandoned", task=task.get_name())

    async def _tend(self, kept: _Kept) -> None:
        """A fault of ours, or one a library lets out, is counted; after a pause the source is begun anew."""
        pause = FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            try:
                await self._feed(kept)
            except Exception as error:  # noqa: BLE001 - whatever a source's library lets out, the others go on
                self._log.exception("source failed", source=kept.spec.name)
                kept.pulse.failed(f"{type(error).__name__}: {error}"[:300])
            self._gauges.restarts.labels(kept.spec.name).inc()
            pause = FIRST_PAUSE if self._clock.monotonic() - began > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            await self._clock.sleep(pause * (0.5 + 0.5 * self._chance()))

    async def _feed(self, kept: _Kept) -> None:
        match kept.spec.way:
            case Polled() as way:
                await Poller(kept.hearing, way, kept.pulse, self._desk.take, self._clock, self._chance).run()
            case Subscribed() as way:
                take, clock, chance = self._desk.take, self._clock, self._chance
                await Listener(kept.hearing, way, kept.pulse, take, clock, chance, self._gauges, self._log).run()
            case Pushed():
                return  # it is tended by whoever calls

    # --- what others ask --------------------------------------------------------------------------------------------

    def pulses(self) -> Sequence[Pulse]:
        return tuple(kept.pulse for kept in self._kept.values())

    def status(self) -> Sequence[SourceStatus]:
        return tuple(kept.pulse.status() for kept in self._kept.values())

    async def push(self, source: str, payload: bytes, headers: Mapping[str, str]) -> Heard:
        """See the port."""
        kept = self._kept.get(source)
        if kept is None:
            raise NotFound(f"no such source: {source[:100]!r}")
        if not isinstance(kept.spec.way, Pushed):
            raise Conflict(f"source {source!r} is asked or listened to at its own address: nothing is posted to it")
        now = self._clock.now()
        if kept.verifier is not None:
            try:
                kept.verifier.verify(headers, payload, now)
            except Unverified as error:
                raise Forbidden(str(error)) from None
        heard = await kept.hearing.hear(payload, now)
        durable = await self._desk.take(kept.hearing, heard)
        kept.pulse.heard(heard)
        if not durable:
            raise Unavailable("what follows from this cannot be stored now: send it again")
        return heard
