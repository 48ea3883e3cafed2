"""The officers are told once that a source has fallen silent, and once that it is heard again.

What was told is kept, so that a restart repeats nothing. One that comes and goes is told of as silent once an hour at
most. All else about a source is told to the operators alone: metric, readiness board, log.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import TypeAdapter, ValidationError
from structlog.typing import FilteringBoundLogger

from alertd.core.notices import Notices
from alertd.core.words.notices import Notice, SourceHeard, SourceSilent
from alertd.domain.problems import Unavailable
from alertd.ingest.pulse import Pulse
from alertd.ports.clock import Clock
from alertd.ports.stores.kept import KeptStore

LOOK_EVERY: Final = 15.0
REPEATED: Final = timedelta(hours=1)
"""At least so long after one notice of its silence comes the next."""
NOBODY: Final = 600.0
"""Seconds until it is tried again where there was no officer to tell."""
_SILENCE: Final = "silence/"


@dataclass(frozen=True, slots=True)
class Told:
    """Of one source: how many notices there were, whether the last said that it is silent and which page that was, and
    when it was last said."""

    count: int = 0
    silent: bool = False
    page: str | None = None
    at: datetime = datetime(1970, 1, 1, tzinfo=UTC)


_KEPT: Final = TypeAdapter(Told)


class Silences:
    """`pulses` are those of the sources configured now."""

    def __init__(
        self,
        pulses: Callable[[], Iterable[Pulse]],
        store: KeptStore,
        notices: Notices,
        clock: Clock,
        log: FilteringBoundLogger,
    ) -> None:
        self._pulses = pulses
        self._store = store
        self._notices = notices
        self._clock = clock
        self._log = log
        self._told: dict[str, Told] | None = None
        self._rests: dict[str, float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except Unavailable as error:
                self._log.error("notices of silent sources wait for the store", error=str(error))
            except Exception:  # noqa: BLE001 - a fault of ours here must not end the daemon
                self._log.exception("the officers could not be told of a source")
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Tell what is to be told now. Raises Unavailable."""
        if self._told is None:
            self._told = self._read(await self._store.kept())
        for pulse in tuple(self._pulses()):
            told = self._told.get(pulse.spec.name, Told())
            notice = self._news(pulse, told)
            if notice is not None and self._rests.get(pulse.spec.name, 0.0) <= self._clock.monotonic():
                await self._tell(pulse.spec.name, notice, told, self._told)

    def _news(self, pulse: Pulse, told: Told) -> Notice | None:
        spec = pulse.spec
        if spec.stale_after is None or not spec.tell_officers:
            return None
        status = pulse.status()
        silent = pulse.silent() > spec.stale_after
        if silent and not told.silent and not self._lately(told):
            return SourceSilent(spec.name, status.last_good, status.detail)
        if told.silent and not silent and status.last_good is not None:
            return SourceHeard(spec.name)
        return None

    def _lately(self, told: Told) -> bool:
        return timedelta(0) <= self._clock.now() - told.at < REPEATED

    async def _tell(self, source: str, notice: Notice, told: Told, every: dict[str, Told]) -> None:
        """The number makes it the same notice after a crash between the page and what is kept of it."""
        now = self._clock.now()
        silent = isinstance(notice, SourceSilent)
        page = await self._notices.tell(f"source-{source}-{told.count + 1}", notice, after=told.page)
        if page is None:
            self._rests[source] = self._clock.monotonic() + NOBODY
            return
        now_told = replace(told, count=told.count + 1, silent=silent, page=page if silent else None)
        now_told = replace(now_told, at=now) if silent else now_told
        await self._store.keep(_SILENCE + source, _KEPT.dump_json(now_told))
        every[source] = now_told

    def _read(self, kept: Mapping[str, bytes]) -> dict[str, Told]:
        found: dict[str, Told] = {}
        for name, content in kept.items():
            if name.startswith(_SILENCE):
                try:
                    found[name.removeprefix(_SILENCE)] = _KEPT.validate_json(content)
                except ValidationError:  # a number no notice had: under an old one nobody would be told
                    found[name.removeprefix(_SILENCE)] = Told(int(self._clock.now().timestamp()))
                    self._log.error("what officers were told of a source cannot be read", name=name)
        return found
