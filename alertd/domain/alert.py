"""The alert, in the words of CAP 1.2 (OASIS Standard CAP-v1.2, section 3.2).

Field names are CAP's in snake_case; every optional element is `None` or an empty tuple when absent.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertd.domain.geo import Circle, Polygon

WHOLE_TERRITORY = "*"


class Purpose(StrEnum):
    """Why the municipality speaks. Not a CAP element: emergency is never delayed by the other two."""

    EMERGENCY = "emergency"
    SERVICE = "service"
    EVENT = "event"


class Status(StrEnum):
    ACTUAL = "Actual"
    EXERCISE = "Exercise"
    SYSTEM = "System"
    TEST = "Test"
    DRAFT = "Draft"

    @property
    def is_real(self) -> bool:
        """Only Actual may reach the public as real."""
        return self is Status.ACTUAL


class MsgType(StrEnum):
    ALERT = "Alert"
    UPDATE = "Update"
    CANCEL = "Cancel"
    ACK = "Ack"
    ERROR = "Error"


class Scope(StrEnum):
    PUBLIC = "Public"
    RESTRICTED = "Restricted"
    PRIVATE = "Private"


class Category(StrEnum):
    GEO = "Geo"
    MET = "Met"
    SAFETY = "Safety"
    SECURITY = "Security"
    RESCUE = "Rescue"
    FIRE = "Fire"
    HEALTH = "Health"
    ENV = "Env"
    TRANSPORT = "Transport"
    INFRA = "Infra"
    CBRNE = "CBRNE"
    OTHER = "Other"


class ResponseType(StrEnum):
    SHELTER = "Shelter"
    EVACUATE = "Evacuate"
    PREPARE = "Prepare"
    EXECUTE = "Execute"
    AVOID = "Avoid"
    MONITOR = "Monitor"
    ASSESS = "Assess"
    ALL_CLEAR = "AllClear"
    NONE = "None"


class Urgency(StrEnum):
    IMMEDIATE = "Immediate"
    EXPECTED = "Expected"
    FUTURE = "Future"
    PAST = "Past"
    UNKNOWN = "Unknown"


class Severity(StrEnum):
    EXTREME = "Extreme"
    SEVERE = "Severe"
    MODERATE = "Moderate"
    MINOR = "Minor"
    UNKNOWN = "Unknown"

    @property
    def rank(self) -> int:
        """Higher is worse. Unknown ranks as Severe: what is not known must not be filtered away."""
        return _SEVERITY_RANK[self]


_SEVERITY_RANK = {
    Severity.EXTREME: 4,
    Severity.SEVERE: 3,
    Severity.UNKNOWN: 3,
    Severity.MODERATE: 2,
    Severity.MINOR: 1,
}


class Certainty(StrEnum):
    OBSERVED = "Observed"
    LIKELY = "Likely"
    POSSIBLE = "Possible"
    UNLIKELY = "Unlikely"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Pair:
    """A `valueName` and `value`, as in parameter, eventCode and geocode."""

    value_name: str
    value: str


@dataclass(frozen=True, slots=True)
class Resource:
    """A supplemental file (CAP 3.2.3). `size` in bytes."""

    resource_desc: str
    mime_type: str
    size: int | None = None
    uri: str | None = None
    deref_uri: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Area:
    """Where an Info applies (CAP 3.2.4).

    `zones` are the codes of the configured zones this area selects, `"*"` for the whole territory: the
    audience is chosen by them alone. altitude and ceiling are feet above mean sea level.
    """

    area_desc: str
    zones: tuple[str, ...] = ()
    polygons: tuple[Polygon, ...] = ()
    circles: tuple[Circle, ...] = ()
    geocodes: tuple[Pair, ...] = ()
    altitude: float | None = None
    ceiling: float | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """One statement in one language about one set of areas (CAP 3.2.2). `language` is an RFC 3066 tag."""

    language: str
    category: tuple[Category, ...]
    event: str
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    response_type: tuple[ResponseType, ...] = ()
    audience: str | None = None
    event_code: tuple[Pair, ...] = ()
    effective: datetime | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    sender_name: str | None = None
    headline: str | None = None
    description: str | None = None
    instruction: str | None = None
    web: str | None = None
    contact: str | None = None
    parameter: tuple[Pair, ...] = ()
    resource: tuple[Resource, ...] = ()
    area: tuple[Area, ...] = ()

    @property
    def zones(self) -> frozenset[str]:
        """Every zone any of its areas selects."""
        return frozenset(zone for area in self.area for zone in area.zones)


@dataclass(frozen=True, slots=True)
class Reference:
    """`sender,identifier,sent` of an earlier message; `sent` byte for byte as that message wrote it."""

    sender: str
    identifier: str
    sent: str

    def __str__(self) -> str:
        return f"{self.sender},{self.identifier},{self.sent}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One CAP message with its purpose. Immutable: an Update or a Cancel is another Alert.

    `id` is ours (opaque, in URLs); sender + identifier + sent is the world's key. `sent` is kept as the text
    that went out, because references must repeat it byte for byte. `channels` is None for all the plan allows.
    """

    id: str
    identifier: str
    sender: str
    sent: str
    status: Status
    msg_type: MsgType
    scope: Scope
    purpose: Purpose
    info: tuple[Info, ...]
    channels: tuple[str, ...] | None = None
    source: str | None = None
    restriction: str | None = None
    addresses: str | None = None
    code: tuple[str, ...] = ()
    note: str | None = None
    references: tuple[Reference, ...] = ()
    incidents: str | None = None

    @property
    def expires(self) -> datetime | None:
        """When the last Info ends; None where one is open-ended."""
        return last_expiry(self.info)

    @property
    def is_page(self) -> bool:
        """The house speaks to its own officers: System, and never of scope Public. Nobody can send such a thing."""
        return self.status is Status.SYSTEM and self.scope is Scope.RESTRICTED


def last_expiry(infos: Iterable[Info]) -> datetime | None:
    ends = [info.expires for info in infos]
    return max((end for end in ends if end is not None), default=None) if None not in ends else None


class AlertState(StrEnum):
    """Where an alert stands in the house (not a CAP element)."""

    DRAFT = "draft"
    PENDING = "pending"
    ACTIVE = "active"
    COMPLETE = "complete"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"
    REJECTED = "rejected"
