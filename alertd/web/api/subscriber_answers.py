"""Subscribers as the API shows them."""

from typing import Any

from pydantic import BaseModel, Field

from alertd.core.citizens.subscribe import Loaded
from alertd.core.citizens.transfer import endpoint_fields
from alertd.domain.alert import Purpose, Severity
from alertd.domain.subscriber import Cohort, Endpoint, EndpointState, Subscriber, mask
from alertd.web.api.fields import Instant


class EndpointAnswer(BaseModel):
    """`address` is masked unless the token has `subscribers:read`; web push shows `subscription` instead."""

    channel: str
    state: EndpointState
    address: str | None = None
    subscription: dict[str, Any] | None = None


class ConsentAnswer(BaseModel):
    source: str
    given_at: Instant
    confirmed_at: Instant | None


class SubscriberAnswer(BaseModel):
    """A subscriber as stored."""

    id: str
    language: str
    zones: list[str]
    purposes: list[Purpose]
    min_severity: Severity
    cohort: Cohort
    endpoints: list[EndpointAnswer]
    consent: ConsentAnswer
    created_at: Instant
    updated_at: Instant


class SubscribersAnswer(BaseModel):
    """A page of subscribers; `next` is the cursor of the page after, null at the end."""

    items: list[SubscriberAnswer]
    next: str | None


class LineFault(BaseModel):
    line: int
    msg: str


class ImportAnswer(BaseModel):
    """`rejected` counts every line left out; `errors` tells of the first 1,000."""

    created: int
    updated: int
    rejected: int
    errors: list[LineFault] = Field(default_factory=list)


def imported(loaded: Loaded) -> ImportAnswer:
    return ImportAnswer(
        created=loaded.created,
        updated=loaded.updated,
        rejected=loaded.rejected,
        errors=[LineFault(line=error.line, msg=error.msg) for error in loaded.errors],
    )


def answer_of(subscriber: Subscriber, *, open_: bool) -> SubscriberAnswer:
    wants, consent = subscriber.preference, subscriber.consent
    return SubscriberAnswer(
        id=subscriber.id,
        language=wants.language,
        zones=list(wants.zones),
        purposes=sorted(wants.purposes),
        min_severity=wants.min_severity,
        cohort=subscriber.cohort,
        endpoints=[_endpoint(endpoint, open_=open_) for endpoint in subscriber.endpoints],
        consent=ConsentAnswer(source=consent.source, given_at=consent.given_at, confirmed_at=consent.confirmed_at),
        created_at=subscriber.created_at,
        updated_at=subscriber.updated_at,
    )


def _endpoint(endpoint: Endpoint, *, open_: bool) -> EndpointAnswer:
    if not open_:
        return EndpointAnswer(channel=endpoint.channel, state=endpoint.state, address=mask(endpoint.address))
    return EndpointAnswer.model_validate(endpoint_fields(endpoint))
