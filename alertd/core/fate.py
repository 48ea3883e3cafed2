"""What comes of a verdict: decided here and nowhere else."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, assert_never

from alertd.domain.alert import Purpose
from alertd.domain.delivery import (
    OUTCOME_UNKNOWN,
    Accepted,
    Delivered,
    Event,
    Gone,
    Halt,
    Reason,
    Refused,
    Retry,
    Verdict,
)
from alertd.domain.retry import RetryPolicy, may_repeat


@dataclass(frozen=True, slots=True)
class Errand:
    """What the attempts of a page have in common, besides their message."""

    token: int
    alert_id: str
    channel: str
    priority: int
    purpose: Purpose
    idempotent: bool
    deadline: datetime


class Fate(NamedTuple):
    """What a verdict makes of a delivery: what happens to it and why, whether it arrived or may have, and when to try
    again."""

    event: Event
    reason: Reason | None = None
    exposed: bool = False
    due_at: datetime | None = None


def fate(errand: Errand, verdict: Verdict, *, attempts: int, policy: RetryPolicy, now: datetime, chance: float) -> Fate:
    """Pure. `attempts` counts the one that ended with this verdict; `chance` is uniform in [0, 1)."""
    match verdict:
        case Accepted():
            return ACCEPTED
        case Delivered():
            return Fate(Event.DELIVER, exposed=True)
        case Refused(reason):
            return Fate(Event.EXPIRE if reason is Reason.EXPIRED else Event.FAIL, reason)
        case Gone(reason):
            return Fate(Event.RETIRE, reason)
        case Halt(reason):
            return _again(errand, Retry(reason), attempts, policy, now, chance)
        case Retry(reason):
            again = _again(errand, verdict, attempts, policy, now, chance)
            return again._replace(exposed=reason in OUTCOME_UNKNOWN)
        case _:
            assert_never(verdict)


ACCEPTED: Final = Fate(Event.ACCEPT, exposed=True)


def _again(errand: Errand, verdict: Retry, attempts: int, policy: RetryPolicy, now: datetime, chance: float) -> Fate:
    if not may_repeat(verdict.reason, idempotent=errand.idempotent, purpose=errand.purpose):
        return Fate(Event.FAIL, verdict.reason)
    due = policy.next_due(verdict, attempts=attempts, now=now, deadline=errand.deadline, chance=chance)
    if due is not None:
        return Fate(Event.RETRY, verdict.reason, due_at=due)
    if attempts >= policy.max_attempts:
        return Fate(Event.FAIL, verdict.reason)
    return Fate(Event.EXPIRE, verdict.reason)
