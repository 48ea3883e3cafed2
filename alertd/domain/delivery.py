"""One alert to one endpoint: its states, the verdicts an adapter may give, and the table that joins them.

The table is the single truth; the diagram in ARCHITECTURE.md is drawn from it (`.ci/state_diagram.py`).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """`accepted` means the provider took it, never that a person got it; `delivered` never means read."""

    QUEUED = "queued"
    SENDING = "sending"
    RETRYING = "retrying"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    SEEN = "seen"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    GONE = "gone"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


PENDING: Final = frozenset({State.QUEUED, State.SENDING, State.RETRYING})
WAITING: Final = frozenset({State.QUEUED, State.RETRYING})
ARRIVED: Final = frozenset({State.ACCEPTED, State.DELIVERED, State.SEEN, State.ACKNOWLEDGED})


class Event(StrEnum):
    """What can happen to a delivery."""

    CLAIM = "claim"
    RELEASE = "release"
    ACCEPT = "accept"
    DELIVER = "deliver"
    SEE = "see"
    ACKNOWLEDGE = "acknowledge"
    RETRY = "retry"
    FAIL = "fail"
    RETIRE = "retire"
    EXPIRE = "expire"
    SUPERSEDE = "supersede"
    REQUEUE = "requeue"


TRANSITIONS: Final[dict[tuple[State, Event], State]] = {
    (State.QUEUED, Event.CLAIM): State.SENDING,
    (State.RETRYING, Event.CLAIM): State.SENDING,
    (State.SENDING, Event.RELEASE): State.QUEUED,
    (State.SENDING, Event.ACCEPT): State.ACCEPTED,
    (State.SENDING, Event.DELIVER): State.DELIVERED,
    (State.SENDING, Event.RETRY): State.RETRYING,
    (State.SENDING, Event.FAIL): State.FAILED,
    (State.SENDING, Event.RETIRE): State.GONE,
    (State.SENDING, Event.EXPIRE): State.EXPIRED,
    (State.SENDING, Event.SUPERSEDE): State.SUPERSEDED,
    (State.QUEUED, Event.EXPIRE): State.EXPIRED,
    (State.RETRYING, Event.EXPIRE): State.EXPIRED,
    (State.QUEUED, Event.SUPERSEDE): State.SUPERSEDED,
    (State.RETRYING, Event.SUPERSEDE): State.SUPERSEDED,
    (State.ACCEPTED, Event.DELIVER): State.DELIVERED,
    (State.ACCEPTED, Event.SEE): State.SEEN,
    (State.ACCEPTED, Event.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.ACCEPTED, Event.FAIL): State.FAILED,
    (State.ACCEPTED, Event.RETIRE): State.GONE,
    (State.DELIVERED, Event.SEE): State.SEEN,
    (State.DELIVERED, Event.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.SEEN, Event.ACKNOWLEDGE): State.ACKNOWLEDGED,
    (State.FAILED, Event.REQUEUE): State.QUEUED,
}


class IllegalTransition(ValueError):
    """The table has no such arrow."""


def step(state: State, event: Event) -> State:
    """The next state, or IllegalTransition naming both."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"a delivery that is {state} cannot {event}") from None


class Reason(StrEnum):
    """Why an attempt did not succeed. Closed: it is a metric label and a column."""

    CONNECT = "connect"  # never reached the provider: nothing was sent
    TIMEOUT = "timeout"  # no answer: outcome unknown
    BROKEN = "broken"  # connection lost after sending: outcome unknown
    RATE_LIMITED = "rate_limited"  # 429
    UNAVAILABLE = "unavailable"  # 5xx, SMTP 4xx
    DEFERRED = "deferred"  # not now, for this recipient alone (SMTP 4xx at RCPT)
    BLOCKED = "blocked"  # our own defence refused the destination
    BAD_REQUEST = "bad_request"  # permanent 4xx, SMTP 5xx
    TOO_LARGE = "too_large"
    BAD_ADDRESS = "bad_address"  # the endpoint cannot be read
    UNSUBSCRIBED = "unsubscribed"  # the provider's explicit "gone"
    CREDENTIALS = "credentials"
    POLICY = "policy"  # the provider forbids the sender (SMTP 5.7.x, blocked page)
    CIRCUIT_OPEN = "circuit_open"
    INTERRUPTED = "interrupted"  # the daemon died with it in flight: outcome unknown
    BUG = "bug"  # an exception out of an adapter
    EXHAUSTED = "exhausted"  # the retry policy gave up
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


OUTCOME_UNKNOWN: Final = frozenset({Reason.TIMEOUT, Reason.BROKEN, Reason.INTERRUPTED, Reason.BUG})
"""After these the message may have arrived."""

RETRYABLE: Final = OUTCOME_UNKNOWN | {
    Reason.CONNECT,
    Reason.RATE_LIMITED,
    Reason.UNAVAILABLE,
    Reason.DEFERRED,
    Reason.CIRCUIT_OPEN,
    Reason.CREDENTIALS,
    Reason.POLICY,
    Reason.EXHAUSTED,
}
"""An officer may queue these again (`POST /v1/alerts/{id}/retry`)."""


class Hold(StrEnum):
    """How far a provider's "slow down" reaches."""

    PARCEL = "parcel"
    ORIGIN = "origin"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it; `ref` is its own name for the message, kept for Update and Cancel."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """The provider proved that it arrived."""

    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after` is the provider's own wait in seconds, to which `hold` says all that must obey."""

    reason: Reason
    after: float | None = None
    hold: Hold = Hold.PARCEL


@dataclass(frozen=True, slots=True)
class Refused:
    """Never, for this parcel."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Gone:
    """Never again, for this endpoint: retire it. Only on the provider's explicit word."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Halt:
    """The channel itself is broken: pause it, keep its deliveries queued, tell the operators."""

    reason: Reason


Verdict = Accepted | Delivered | Retry | Refused | Gone | Halt
