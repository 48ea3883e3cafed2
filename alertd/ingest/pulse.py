"""How one source is: when it was last heard properly, what is wrong since, and whom that is told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.domain.signal import Heard, Violation
from alertd.ingest.gauges import Gauges
from alertd.ingest.source import Polled, Pushed, SourceSpec, Subscribed
from alertd.ports.clock import Clock
from alertd.ports.source import SourceStatus

FAILURES: Final = 2
"""In a row, before a source that was heard is called not ready: one answer too many is lost every day."""
SAID_EVERY: Final = 1.0
"""Seconds between two lines about what messages say wrongly: they may come in thousands a second."""
_MOST_TOLD: Final = 5


class Pulse:
    """Told by whoever tends the source; asked by the readiness board."""

    def __init__(self, spec: SourceSpec, clock: Clock, gauges: Gauges, log: FilteringBoundLogger) -> None:
        self.spec = spec
        self._clock = clock
        self._gauges = gauges
        self._log = log.bind(source=spec.name)
        self._since = clock.monotonic()
        self._last_good: datetime | None = None
        self._failures = 0
        self._wrong = ""
        self._was_ready = True
        self._complained: list[str] = []
        self._quiet_until = 0.0
        self._signals = gauges.signals.labels(spec.name)
        self._violations = gauges.violations.labels(spec.name)
        self._good = gauges.payloads.labels(spec.name, "good")
        self._bad = gauges.payloads.labels(spec.name, "bad")
        gauges.watch(spec.name, self.silent)
        gauges.ready.labels(spec.name).set(1)

    def silent(self) -> float:
        """Seconds since it was last heard properly, or since it was configured."""
        return self._clock.monotonic() - self._since

    def heard(self, heard: Heard, *, kind: str = "payload", lacking: str = "") -> None:
        """A payload came and was read. One of which nothing could be read is as bad as none; `lacking` says what of it
        could not be had, and then it was not heard properly."""
        self._signals.inc(len(heard.signals))
        if heard.violations:
            self._violations.inc(len(heard.violations))
            if why := _unread(heard, kind):
                self.failed(why)
                return
            self._complain(heard.violations)
        if lacking:
            self.failed(lacking)
        else:
            self.good()

    def heard_all(self, messages: int, signals: int, odd: Sequence[Heard]) -> None:
        """So many messages came together, saying so much, `odd` of them wrongly. While any of them can be read, the
        source is heard."""
        self._signals.inc(signals)
        unread = [why for heard in odd if (why := _unread(heard, "message"))]
        if odd:
            self._violations.inc(sum(len(heard.violations) for heard in odd))
            self._complain([one for heard in odd[:_MOST_TOLD] for one in heard.violations])
        if len(unread) < messages:
            self._bad.inc(len(unread))
            self.good(messages - len(unread))
        else:
            self._bad.inc(len(unread) - 1)
            self.failed(unread[-1])

    def _complain(self, violations: Sequence[Violation]) -> None:
        """What is wrong is counted each time, and said where it is another thing, once in a while."""
        told = [f"{one.where}: {one.message}" for one in violations[:_MOST_TOLD]]
        now = self._clock.monotonic()
        if told != self._complained and now >= self._quiet_until:
            self._complained, self._quiet_until = told, now + SAID_EVERY
            self._log.warning("violations", count=len(violations), first=told)

    def good(self, payloads: int = 1) -> None:
        """It was asked and answered properly, if only to say that there is nothing new."""
        self._good.inc(payloads)
        self._since, self._last_good = self._clock.monotonic(), self._clock.now()
        self.connected()

    def connected(self) -> None:
        """It can be heard, though it said nothing yet."""
        self._failures, self._wrong = 0, ""
        if not self._was_ready:
            self.look()

    def failed(self, why: str) -> None:
        self._bad.inc()
        self._failures += 1
        if why != self._wrong:
            self._log.warning("source failed", why=why, failures=self._failures)
        self._wrong = why
        self.look()

    def look(self) -> None:
        """Tell the operators where it became ready or unready, by what happened or by time alone."""
        ready, detail = self._state()
        if ready != self._was_ready:
            self._was_ready = ready
            self._gauges.ready.labels(self.spec.name).set(ready)
            if ready:
                self._log.info("source is heard again")
            else:
                self._log.error("source not ready", detail=detail)

    def status(self) -> SourceStatus:
        ready, detail = self._state()
        spec = self.spec
        return SourceStatus(spec.name, spec.reader, way_of(spec), ready, detail, self._last_good)

    def _state(self) -> tuple[bool, str]:
        stale = self.spec.stale_after
        if self._failures >= FAILURES or (self._failures and self._last_good is None):
            return False, f"{self._wrong} ({self._failures} in a row)"
        if stale is not None and self.silent() > stale:
            return False, f"silent for {self.silent():.0f} s, longer than its stale_after of {stale:.0f} s"
        if self._failures:
            return True, f"once: {self._wrong}"
        return True, "" if self._last_good else "not heard yet"


def _unread(heard: Heard, kind: str) -> str:
    """Why nothing of it could be read; empty where something could."""
    if heard.signals:
        return ""
    fatal = next((violation for violation in heard.violations if violation.fatal), None)
    return f"the {kind} cannot be read: {fatal.where}: {fatal.message}" if fatal else ""


def way_of(spec: SourceSpec) -> str:
    match spec.way:
        case Polled():
            return "polled"
        case Subscribed():
            return "mqtt"
        case Pushed():
            return "pushed"
