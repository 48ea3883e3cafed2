"""What callers may send: CONTRACT's alert in JSON, which mirrors CAP 1.2 in snake_case. Unknown fields are refused."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from alertd.domain.alert import (
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
from alertd.web.api.fields import (
    CircleText,
    Language,
    Line,
    MaybeLine,
    MaybeLink,
    MaybeText,
    Moment,
    PolygonText,
    Text,
)

EXAMPLE: dict[str, Any] = {
    "purpose": "emergency",
    "status": "Exercise",
    "msg_type": "Alert",
    "scope": "Public",
    "channels": None,
    "info": [
        {
            "language": "it-IT",
            "category": ["Met"],
            "event": "Temporali forti",
            "response_type": ["Prepare"],
            "urgency": "Expected",
            "severity": "Severe",
            "certainty": "Likely",
            "onset": "2026-11-22T06:00:00+01:00",
            "expires": "2026-11-22T23:59:00+01:00",
            "headline": "Allerta arancione per temporali",
            "description": "Temporali forti con grandine e raffiche di vento.",
            "instruction": "Resta in casa e lontano dai corsi d'acqua.",
            "web": "https://allerta.comune.example.it/",
            "contact": "055 0000000",
            "parameter": [{"value_name": "colore", "value": "arancione"}],
            "area": [
                {"zone": "048028"},
                {
                    "area_desc": "Argine del Pesa",
                    "polygon": ["43.73,11.01 43.74,11.03 43.72,11.04 43.73,11.01"],
                    "circle": [],
                    "geocode": [],
                },
            ],
        }
    ],
}


class Model(BaseModel):
    """Strict: no unknown field, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PairIn(Model):
    """A `valueName` and `value`, as in CAP's parameter, eventCode and geocode."""

    value_name: Line
    value: Text


class ResourceIn(Model):
    """A supplemental file (CAP 3.2.3)."""

    resource_desc: Line
    mime_type: Line
    size: Annotated[int, Field(ge=0, le=2**53 - 1, description="Bytes")] | None = None
    uri: MaybeLink = None
    deref_uri: Annotated[str, Field(max_length=1_000_000, pattern=r"^[A-Za-z0-9+/=\s]*$")] | None = None
    digest: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{40}$", description="SHA-1 (CAP 3.2.3)")] | None = None


Feet = Annotated[float, Field(ge=-100_000, le=1_000_000, allow_inf_nan=False, description="Feet above sea level")]


class AreaIn(Model):
    """Where: a configured zone by code or name (`"*"` is the whole territory), or shapes, or both."""

    zone: MaybeLine = Field(default=None, examples=["048028", "Montelupo Fiorentino", "*"])
    area_desc: MaybeLine = Field(default=None, description="Filled from the zone where one is named")
    polygon: tuple[PolygonText, ...] = Field(default=(), max_length=100)
    circle: tuple[CircleText, ...] = Field(default=(), max_length=100)
    geocode: tuple[PairIn, ...] = Field(default=(), max_length=500)
    altitude: Feet | None = None
    ceiling: Feet | None = None

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.zone is None and not self.polygon and not self.circle:
            raise ValueError("an area names a zone, or draws a polygon or a circle")
        if self.zone is None and self.area_desc is None:
            raise ValueError("an area without a zone needs an area_desc")
        return self


class InfoIn(Model):
    """One statement in one language about one set of areas (CAP 3.2.2)."""

    language: Language | None = Field(default=None, description="Default: the service's first language")
    category: tuple[Category, ...] = Field(min_length=1, max_length=20)
    event: Line = Field(examples=["Temporali forti"])
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    response_type: tuple[ResponseType, ...] = Field(default=(), max_length=20)
    audience: MaybeText = None
    event_code: tuple[PairIn, ...] = Field(default=(), max_length=100)
    effective: Moment | None = None
    onset: Moment | None = None
    expires: Moment | None = None
    sender_name: MaybeLine = None
    headline: MaybeLine = None
    description: MaybeText = None
    instruction: MaybeText = None
    web: MaybeLink = None
    contact: MaybeLine = None
    parameter: tuple[PairIn, ...] = Field(default=(), max_length=500)
    resource: tuple[ResourceIn, ...] = Field(default=(), max_length=100)
    area: tuple[AreaIn, ...] = Field(default=(), max_length=500)


class AlertIn(Model):
    """An alert to send. `identifier`, `sender` and `sent` are the server's."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    purpose: Purpose = Purpose.EMERGENCY
    status: Status
    msg_type: MsgType = MsgType.ALERT
    scope: Scope = Scope.PUBLIC
    channels: Annotated[tuple[Line, ...], Field(min_length=1, max_length=200)] | None = Field(
        default=None, description="Names of channels; null means all that the purpose's plan allows"
    )
    source: MaybeLine = None
    restriction: MaybeText = None
    addresses: MaybeText = None
    code: tuple[Line, ...] = Field(default=(), max_length=100)
    note: MaybeText = None
    incidents: MaybeText = None
    info: tuple[InfoIn, ...] = Field(max_length=200)

    @model_validator(mode="after")
    def _says_to_whom(self) -> Self:
        """CAP 3.2.1: what is not public must say for whom it is."""
        if self.scope is Scope.RESTRICTED and self.restriction is None:
            raise ValueError("scope Restricted needs a restriction")
        if self.scope is Scope.PRIVATE and self.addresses is None:
            raise ValueError("scope Private needs addresses")
        return self


class CancelIn(Model):
    """Why it is cancelled; without `info` the Cancel speaks with the original's words."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"note": "Cessata allerta"}]})

    note: MaybeText = None
    info: tuple[InfoIn, ...] = Field(default=(), max_length=200)


class RejectIn(Model):
    """Why a draft does not go out, for the one who wrote it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "Zona sbagliata"}]})

    reason: Text
