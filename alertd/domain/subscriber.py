"""Who is told: subscribers, their endpoints, preferences and consent.

A subscriber is known by zone, never by coordinates, and has no password.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertd.domain.alert import Purpose, Severity


class Cohort(StrEnum):
    """Drills and tests reach only `exercise`; real alerts reach only `public`; `officers` get neither, but are paged
    while a draft waits for a decision."""

    PUBLIC = "public"
    EXERCISE = "exercise"
    OFFICERS = "officers"


class EndpointState(StrEnum):
    """`unconfirmed` waits for its double opt-in; `gone` was retired on the provider's explicit word."""

    UNCONFIRMED = "unconfirmed"
    ACTIVE = "active"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address on a channel. `address` is a mail address, a chat id, or a push subscription as JSON."""

    channel: str
    address: str
    id: int = 0
    state: EndpointState = EndpointState.ACTIVE


@dataclass(frozen=True, slots=True)
class Preference:
    """What the subscriber asked for. `zones` are codes of configured zones, or `"*"`."""

    language: str
    zones: tuple[str, ...]
    purposes: frozenset[Purpose] = frozenset({Purpose.EMERGENCY})
    min_severity: Severity = Severity.MINOR


@dataclass(frozen=True, slots=True)
class Consent:
    """How the address came to us: `source` is e.g. "web", "import", "api"; the legal basis is public task."""

    source: str
    given_at: datetime
    confirmed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`id` is opaque; `cohort` decides whether real alerts, only exercises or only pages arrive."""

    id: str
    preference: Preference
    cohort: Cohort
    endpoints: tuple[Endpoint, ...]
    consent: Consent
    created_at: datetime
    updated_at: datetime


_LONG_ENOUGH = 6  # of a chat id, so that three digits give nobody away


def mask(channel_address: str) -> str:
    """The address, recognisable to its owner and to nobody else."""
    if channel_address.startswith("{"):
        return "…"
    user, at, host = channel_address.partition("@")
    if at:
        return f"{user[:1]}…@{host}"
    return f"…{channel_address[-3:]}" if len(channel_address) >= _LONG_ENOUGH else "…"
