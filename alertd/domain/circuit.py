"""A circuit breaker as a value: it opens after failures in a row, and lets one parcel probe when its time comes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class CircuitPolicy:
    """`threshold` failures in a row open it; the n-th opening lasts base * 2**n seconds, at most `cap`."""

    threshold: int = 10
    base: float = 1.0
    cap: float = 60.0


@dataclass(frozen=True, slots=True)
class Circuit:
    """Closed while `until` is None. Past `until` it is half open: one probe, and its outcome decides."""

    failures: int = 0
    openings: int = 0
    until: datetime | None = None
    probing: bool = False

    def permits(self, now: datetime) -> int | None:
        """How many parcels may start now: None for any number, 0 while open, 1 for the probe."""
        if self.until is None:
            return None
        return 1 if now >= self.until and not self.probing else 0

    def probe(self) -> "Circuit":
        """The one parcel is on its way."""
        return replace(self, probing=True)

    def unprobed(self) -> "Circuit":
        """The probe ended and proved nothing: another may go."""
        return replace(self, probing=False)

    def succeeded(self, now: datetime) -> "Circuit":
        """Closed; but a success that was already under way when it opened does not shorten it."""
        return self.unprobed() if self.until is not None and now < self.until else CLOSED

    def held(self, until: datetime) -> "Circuit":
        """The provider said when to come back: open till then, then one probe like after any opening."""
        return replace(self, until=max(until, self.until or until), probing=False)

    def failed(self, now: datetime, policy: CircuitPolicy) -> "Circuit":
        """One more failure in a row. Failures that were already under way when it opened do not lengthen it."""
        if self.until is not None and not self.probing:
            return self
        failures = self.failures + 1
        if failures < policy.threshold and not self.probing:
            return replace(self, failures=failures)
        wait = min(policy.cap, policy.base * 2.0 ** min(self.openings, 30))
        return Circuit(failures, self.openings + 1, now + timedelta(seconds=wait))


CLOSED = Circuit()
