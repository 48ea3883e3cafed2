"""What callers get back: the shapes of CONTRACT's answers."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from alertd.domain.alert import (
    AlertState,
    Category,
    Certainty,
    MsgType,
    Purpose,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.delivery import Reason, State
from alertd.web.api.fields import Instant


class Answer(BaseModel):
    """Every field is always there; what is absent is null."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Fault(BaseModel):
    loc: list[str | int] = Field(description="The path to the fault", examples=[["info", 0, "area"]])
    msg: str


class ProblemBody(BaseModel):
    """RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    errors: list[Fault] = Field(default_factory=list, description="Always there with a 422")
    request_id: str = Field(default="", description="Also in X-Request-ID and in the log")


class Links(Answer):
    """`page` is the public page; the others are paths on this API."""

    self: str
    receipts: str
    events: str
    cap: str
    page: str


class SignatureAnswer(Answer):
    """Of a CAP document (XML Signature)."""

    result: Literal["none", "valid", "unverifiable"]
    detail: str = Field(description="Who signed it, or why that cannot be said")


class AcceptedAnswer(Answer):
    """The alert is durable: it survives kill -9 and power loss."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=False)

    id: str
    identifier: str
    sender: str
    sent: str
    state: AlertState
    channels: list[str] = Field(description="The channels it goes to")
    links: Links
    violations: list[Fault] = Field(
        default_factory=list, description="Only of a CAP document: what it should have said otherwise"
    )
    signature: SignatureAnswer | None = Field(default=None, description="Only of a CAP document")


class Pair(Answer):
    value_name: str
    value: str


class Resource(Answer):
    resource_desc: str
    mime_type: str
    size: int | None
    uri: str | None
    deref_uri: str | None
    digest: str | None


class Area(Answer):
    zone: str | None = Field(description="The zone, where the area selects exactly one")
    zones: list[str] = Field(description="Codes of all the zones the area selects, overspill included")
    area_desc: str
    polygon: list[str]
    circle: list[str]
    geocode: list[Pair]
    altitude: float | None
    ceiling: float | None


class Info(Answer):
    language: str
    category: list[Category]
    event: str
    response_type: list[ResponseType]
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    audience: str | None
    event_code: list[Pair]
    effective: Instant | None
    onset: Instant | None
    expires: Instant | None
    sender_name: str | None
    headline: str | None
    description: str | None
    instruction: str | None
    web: str | None
    contact: str | None
    parameter: list[Pair]
    resource: list[Resource]
    area: list[Area]


class AlertAnswer(Answer):
    """An alert as it was posted, with its identity and where it stands."""

    id: str
    identifier: str
    sender: str
    sent: str
    state: AlertState
    accepted_at: Instant
    settled_at: Instant | None
    created_by: str
    decided_by: str | None
    reject_reason: str | None
    references: list[str] = Field(description="sender,identifier,sent of what this follows")
    followed_by: str | None = Field(description="The id of the Update or Cancel that ended this")
    purpose: Purpose
    status: Status
    msg_type: MsgType
    scope: Scope
    channels: list[str] | None
    source: str | None
    restriction: str | None
    addresses: str | None
    code: list[str]
    note: str | None
    incidents: str | None
    info: list[Info]
    links: Links


class AlertList(Answer):
    items: list[AlertAnswer]
    next: str | None = Field(description="The cursor of the next page")


class ChannelReceipts(Answer):
    """The states always sum to `total`. Latencies run from acceptance to the provider's answer."""

    channel: str
    adapter: str
    provable: State = Field(description="The highest state this channel can ever prove")
    total: int
    queued: int
    sending: int
    retrying: int
    accepted: int
    delivered: int
    seen: int
    acknowledged: int
    failed: int
    gone: int
    expired: int
    superseded: int
    attempts: int
    first_attempt_at: Instant | None
    last_settled_at: Instant | None
    p50_ms: int | None
    p99_ms: int | None


class ReceiptsAnswer(Answer):
    alert_id: str
    state: AlertState
    accepted_at: Instant
    first_attempt_at: Instant | None
    settled_at: Instant | None
    channels: list[ChannelReceipts]


class DeliveryAnswer(Answer):
    id: int
    channel: str
    address: str = Field(description="Masked unless the token has subscribers:read; empty on a broadcast channel")
    language: str
    state: State
    attempts: int
    reason: Reason | None
    ref: str | None = Field(description="The provider's own name for the message")
    created_at: Instant
    due_at: Instant | None
    started_at: Instant | None
    settled_at: Instant | None


class DeliveryList(Answer):
    items: list[DeliveryAnswer]
    next: str | None


class Requeued(Answer):
    requeued: int
