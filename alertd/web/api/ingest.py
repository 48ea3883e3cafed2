"""Feeds and sensors: what they push, and how each of them is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alertd.core.access import allow_mode
from alertd.domain.alert import Status
from alertd.domain.problems import Invalid, Problem
from alertd.domain.signal import Heard, Violation
from alertd.ports.source import SourceStatus
from alertd.ports.stores.access import Token
from alertd.web.api import body, docs
from alertd.web.api.answers import Answer
from alertd.web.api.reply import reply
from alertd.web.auth import requires
from alertd.web.services import Services

_MOST_HEADER = 4_096


class ViolationAnswer(Answer):
    where: str = Field(description="A line, a path or a column", examples=["alerts[0].endsAt"])
    message: str
    fatal: bool = Field(description="That part was not read")


class HeardAnswer(Answer):
    signals: int = Field(description="How many things it was read as saying")
    violations: list[ViolationAnswer]


class SourceAnswer(Answer):
    name: str
    reader: str
    way: str = Field(description="polled, mqtt or pushed")
    ready: bool
    detail: str
    last_good: datetime | None = Field(description="When it was last heard properly")


class SourceList(Answer):
    items: list[SourceAnswer]
    next: str | None


def router(services: Services) -> APIRouter:
    """`POST /v1/ingest/{source}` and `GET /v1/sources`."""
    api = APIRouter(prefix="/v1", tags=["ingest"])
    pusher = Annotated[Token, Depends(requires(services.access, "ingest"))]
    reader = Depends(requires(services.access, "alerts:read"))

    @api.post(
        "/ingest/{source}",
        status_code=202,
        operation_id="ingest",
        summary="What a feed or a sensor says",
        responses={202: {"model": HeardAnswer}, **docs.problems(404, 408, 409, 413, 415, 503)},
        openapi_extra={
            "requestBody": {
                "required": True,
                "description": "What the source's reader takes, at most 1 MiB",
                "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def ingest(request: Request, source: str, token: pusher) -> Response:
        """202 once all that follows from it is durable; the same again says nothing new. 403 where the source asks
        for a signature (Standard Webhooks) and it is wrong, or where the token is for drills alone: what a source says
        is taken for real; 409 where the source is polled or subscribed to; 422 where nothing of it could be read."""
        allow_mode(token, Status.ACTUAL)
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise HTTPException(415, "compressed bodies are not taken here", {"Accept-Encoding": "identity"})
        heard = await services.sources.push(source, await body.read(request), _headers(request))
        _refuse_unreadable(heard)
        return reply(_answer(heard), 202)

    @api.get(
        "/sources",
        operation_id="listSources",
        summary="The configured sources and how each is",
        responses={200: {"model": SourceList}, **docs.problems()},
        dependencies=[reader],
    )
    async def list_sources() -> Response:
        """All of them at once: there are never more than a page."""
        return reply(SourceList(items=[_source(status) for status in services.sources.status()], next=None))

    return api


def _headers(request: Request) -> Mapping[str, str]:
    return {name: value for name, value in request.headers.items() if len(value) <= _MOST_HEADER}


def _refuse_unreadable(heard: Heard) -> None:
    """Raises Invalid where there was something to read and nothing of it could be."""
    fatal = [violation for violation in heard.violations if violation.fatal]
    if fatal and not heard.signals:
        raise Invalid(*(Problem(("body", one.where), one.message) for one in fatal))


def _answer(heard: Heard) -> HeardAnswer:
    return HeardAnswer(signals=len(heard.signals), violations=[_violation(one) for one in heard.violations])


def _violation(violation: Violation) -> ViolationAnswer:
    return ViolationAnswer(where=violation.where, message=violation.message, fatal=violation.fatal)


def _source(status: SourceStatus) -> SourceAnswer:
    return SourceAnswer(
        name=status.name,
        reader=status.reader,
        way=status.way,
        ready=status.ready,
        detail=status.detail,
        last_good=status.last_good,
    )
