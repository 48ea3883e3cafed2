"""How one source is: when it was last heard properly, what is wrong since, and whom that is told."""

from datetime import datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.domain.signal import Heard
from alertd.ingest.gauges import Gauges
from alertd.ingest.source import Polled, Pushed, SourceSpec, Subscribed
from alertd.ports.clock import Clock
from alertd.ports.source import SourceStatus

FAILURES: Final = 2
"""In a row, before a source that was heard is called not ready: one answer too many is lost every day."""
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
            fatal = [violation for violation in heard.violations if violation.fatal]
            if fatal and not heard.signals:
                self.failed(f"the {kind} cannot be read: {fatal[0].where}: {fatal[0].message}")
                return
            told = [f"{one.where}: {one.message}" for one in heard.violations[:_MOST_TOLD]]
            if told != self._complained:
                self._complained = told
                self._log.warning("violations", count=len(heard.violations), first=told)
        if lacking:
            self.failed(lacking)
        else:
            self.good()

    def heard_all(self, payloads: int, signals: int) -> None:
        """So many payloads came at once and nothing was wrong with any."""
        self._signals.inc(signals)
        self.good(payloads)

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


def way_of(spec: SourceSpec) -> str:
    match spec.way:
        case Polled():
            return "polled"
        case Subscribed():
            return "mqtt"
        case Pushed():
            return "pushed"
