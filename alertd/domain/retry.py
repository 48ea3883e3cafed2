"""When to try again: exponential with full jitter, never before the provider says or past the deadline."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alertd.domain.alert import Purpose
from alertd.domain.delivery import OUTCOME_UNKNOWN, Reason, Retry

MAX_AFTER = 10 * 365 * 86_400.0
"""Seconds; a longer wait is never, since no alert lives that long."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`base` and `cap` in seconds: the n-th wait is uniform in 0..min(cap, base * 2**n)."""

    base: float = 1.0
    cap: float = 300.0
    max_attempts: int = 100

    def next_due(
        self, verdict: Retry, *, attempts: int, now: datetime, deadline: datetime, chance: float
    ) -> datetime | None:
        """The next due time, or None for never.

        `attempts` counts the one just made; `chance` is uniform in [0, 1). The provider's Retry-After is a
        floor to which the jitter is added, so that a held crowd does not come back as one.
        """
        asked = verdict.after or 0.0
        if attempts >= self.max_attempts or asked > MAX_AFTER:
            return None
        spread: float = min(self.cap, self.base * 2.0 ** min(attempts - 1, 32))
        floor = asked if asked > 0 else 0.0  # a provider's NaN or negative wait is no wait
        due = now + timedelta(seconds=floor + chance * spread)
        return due if due < deadline else None


def may_repeat(reason: Reason, *, idempotent: bool, purpose: Purpose) -> bool:
    """Whether to try again when the first try may have arrived.

    Where the channel can recognise a repeat it is harmless. Where it cannot, an emergency repeats all the
    same (one message too many is better than one too few); news does not.
    """
    return reason not in OUTCOME_UNKNOWN or idempotent or purpose is Purpose.EMERGENCY
