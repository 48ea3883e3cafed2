"""A subscriber as the world writes one: the same form for the API, the import and the public page.

Unknown fields are refused. What needs the house (is this zone configured, is this a good address for that
channel) is the business of `alertd.core.citizens.subscribe`.
"""

import re
from collections.abc import Collection
from typing import Annotated, Any, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from alertd.core.citizens.links import Wish
from alertd.domain.alert import Purpose, Severity
from alertd.domain.problems import Invalid, Problem
from alertd.domain.subscriber import Cohort, Consent, EndpointState

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_REGION = 2
_SCRIPT = 4


def _language(tag: str) -> str:
    """The tag in the case RFC 5646 section 2.1.1 recommends."""
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError('not a language tag (RFC 5646), e.g. "it" or "it-IT"')
    first, *rest = tag.split("-")
    return "-".join([first.lower(), *map(_subtag, rest)])


def _subtag(part: str) -> str:
    if len(part) == _REGION:
        return part.upper()
    return part.title() if len(part) == _SCRIPT and part.isalpha() else part.lower()


def _one_line(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError("control characters are not allowed")
    return text


Language = Annotated[str, Field(examples=["it-IT"]), AfterValidator(_language)]
Word = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_one_line)]
Address = Annotated[str, Field(min_length=1, max_length=4_096), AfterValidator(_one_line)]


class Form(BaseModel):
    """Frozen; an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PushKeys(Form):
    """The browser's public key and shared secret (RFC 8291), base64url."""

    p256dh: Annotated[str, Field(max_length=200)]
    auth: Annotated[str, Field(max_length=100)]


class PushSubscription(Form):
    """What `PushSubscription.toJSON()` gives in a browser (Push API)."""

    endpoint: Annotated[str, Field(max_length=2_048, examples=["https://push.example.net/abc"])]
    keys: PushKeys
    expiration_time: Annotated[float | None, Field(alias="expirationTime", exclude=True)] = None


class EndpointForm(Form):
    """One address on one channel: `address`, or for web push `subscription`."""

    channel: Annotated[Word, Field(examples=["mail"])]
    address: Annotated[Address | None, Field(examples=["a@example.org"])] = None
    subscription: PushSubscription | None = None
    state: EndpointState = EndpointState.ACTIVE

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.address is None) == (self.subscription is None):
            raise ValueError("give either address or subscription")
        return self

    @property
    def text(self) -> str:
        """The address as one text; a push subscription as JSON."""
        return self.address or (self.subscription.model_dump_json() if self.subscription else "")


class ConsentForm(Form):
    """How the address came to us. `source`, e.g. "web", "registry office"."""

    source: Word
    given_at: AwareDatetime
    confirmed_at: AwareDatetime | None = None

    @property
    def value(self) -> Consent:
        return Consent(self.source, self.given_at, self.confirmed_at)


class SubscriberForm(Form):
    """A subscriber to be stored. `zones` are codes or names of configured zones, or "*" for all of them."""

    language: Language
    zones: Annotated[list[Word], Field(min_length=1, max_length=1_000, examples=[["048028"]])]
    purposes: Annotated[frozenset[Purpose], Field(min_length=1)] = frozenset({Purpose.EMERGENCY})
    min_severity: Severity = Severity.MINOR
    cohort: Cohort = Cohort.PUBLIC
    endpoints: Annotated[list[EndpointForm], Field(min_length=1, max_length=20)]
    consent: ConsentForm | None = None

    @model_validator(mode="after")
    def _can_be_paged(self) -> Self:
        if fault := page_fault(self.cohort, self.purposes):
            raise ValueError(fault)
        return self


class SubscriberRow(SubscriberForm):
    """A line of an import: as the form, and with the `id` an export wrote."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None


class SubscriberPatch(Form):
    """What is to change; what is left out (or null) stays. `endpoints` are all of them from then on."""

    language: Language | None = None
    zones: Annotated[list[Word], Field(min_length=1, max_length=1_000)] | None = None
    purposes: Annotated[frozenset[Purpose], Field(min_length=1)] | None = None
    min_severity: Severity | None = None
    cohort: Cohort | None = None
    endpoints: Annotated[list[EndpointForm], Field(min_length=1, max_length=20)] | None = None


def page_fault(cohort: Cohort, purposes: Collection[Purpose]) -> str | None:
    """Why pages would not reach such an officer; zones and severity never keep one from him."""
    if cohort is Cohort.OFFICERS and Purpose.EMERGENCY not in purposes:
        return "officers are paged as for an emergency: their purposes must include 'emergency'"
    return None


F = TypeVar("F", bound=Form)


def read(kind: type[F], fields: Any) -> F:
    """The form these fields fill in. Raises Invalid with all that is wrong."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise Invalid(
            *(Problem(tuple(e["loc"]), e["msg"].removeprefix("Value error, ")) for e in error.errors())
        ) from None


def form_of(wish: Wish) -> SubscriberForm:
    """The form a citizen's wish fills in. Raises Invalid."""
    fields = {
        "language": wish.language,
        "zones": list(wish.zones),
        "purposes": list(wish.purposes),
        "min_severity": wish.min_severity,
        "endpoints": [{"channel": wish.channel, "address": wish.address}],
    }
    return read(SubscriberForm, fields)
