"""Who is told: `/v1/subscribers`, with import and export as streams."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from alertd.core.access import holds
from alertd.core.citizens.subscriber_form import SubscriberForm, SubscriberPatch
from alertd.core.citizens.transfer import read_ndjson, write_ndjson
from alertd.core.citizens.transfer_csv import read_csv, write_csv
from alertd.domain.problems import NotFound
from alertd.ports.stores.access import Token
from alertd.web.api import body, cursor, docs
from alertd.web.api.reply import reply
from alertd.web.api.subscriber_answers import ImportAnswer, SubscriberAnswer, SubscribersAnswer, answer_of, imported
from alertd.web.auth import requires
from alertd.web.services import Services

CHUNK_WITHIN: Final = 30.0
"""Seconds the next piece of an import may take to arrive."""

_READ = "subscribers:read"
_WRITE = "subscribers:write"
_LIST = "subscribers"
_ID_LENGTH = 100
_READERS = {
    "application/x-ndjson": read_ndjson,
    "application/ndjson": read_ndjson,
    "application/jsonl": read_ndjson,
    "application/json-seq": read_ndjson,
    "text/csv": read_csv,
}


class Format(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"


def router(services: Services) -> APIRouter:
    """The calls on one subscriber, on the list, and the two streams."""
    api = APIRouter(prefix="/v1/subscribers", tags=["subscribers"])
    _streams(api, services)  # first: "export" must not be taken for an id
    _lists(api, services)
    _ones(api, services)
    return api


def _lists(api: APIRouter, services: Services) -> None:
    subscribers = services.subscribers
    reads, writes = requires(services.access, _READ), requires(services.access, _WRITE)

    @api.get("", operation_id="listSubscribers", summary="List subscribers", responses=docs.problems())
    async def page(
        _: Annotated[Token, Depends(reads)], limit: cursor.Limit = 100, cursor_: _Cursor = None
    ) -> SubscribersAnswer:
        after = cursor.read(_LIST, cursor_) or 0
        items, following = await subscribers.page(limit=limit, after=after)
        return SubscribersAnswer(
            items=[answer_of(item, open_=True) for item in items],
            next=None if following is None else cursor.write(_LIST, following),
        )

    @api.post(
        "",
        status_code=201,
        operation_id="addSubscriber",
        summary="Add a subscriber",
        responses={201: {"model": SubscriberAnswer}, **docs.problems(408, 409, 413, 415)},
        openapi_extra=docs.takes(SubscriberForm),
    )
    async def add(request: Request, token: Annotated[Token, Depends(writes)]) -> Response:
        body.require_json(request)
        form = body.parse(await body.read(request), SubscriberForm)
        stored = await subscribers.add(form, actor=token.name)
        answer = reply(answer_of(stored, open_=holds(token, _READ)), 201)
        answer.headers["Location"] = f"/v1/subscribers/{stored.id}"
        return answer


def _ones(api: APIRouter, services: Services) -> None:
    subscribers = services.subscribers
    reads, writes = requires(services.access, _READ), requires(services.access, _WRITE)

    @api.get(
        "/{subscriber_id}",
        operation_id="getSubscriber",
        summary="One subscriber",
        responses=docs.problems(404),
    )
    async def one(subscriber_id: str, _: Annotated[Token, Depends(reads)]) -> SubscriberAnswer:
        return answer_of(await subscribers.get(_known(subscriber_id)), open_=True)

    @api.patch(
        "/{subscriber_id}",
        operation_id="changeSubscriber",
        summary="Change a subscriber",
        responses={200: {"model": SubscriberAnswer}, **docs.problems(404, 408, 409, 413, 415)},
        openapi_extra=docs.takes(SubscriberPatch),
    )
    async def patch(subscriber_id: str, request: Request, token: Annotated[Token, Depends(writes)]) -> Response:
        body.require_json(request)
        change = body.parse(await body.read(request), SubscriberPatch)
        stored = await subscribers.patch(_known(subscriber_id), change, actor=token.name)
        return reply(answer_of(stored, open_=holds(token, _READ)))

    @api.delete(
        "/{subscriber_id}",
        status_code=204,
        operation_id="deleteSubscriber",
        summary="Forget a subscriber",
        responses=docs.problems(404),
    )
    async def delete(subscriber_id: str, token: Annotated[Token, Depends(writes)]) -> None:
        await subscribers.delete(_known(subscriber_id), actor=token.name)


def _streams(api: APIRouter, services: Services) -> None:
    subscribers = services.subscribers
    reads, writes = requires(services.access, _READ), requires(services.access, _WRITE)

    @api.post(
        "/import",
        operation_id="importSubscribers",
        summary="Import subscribers from NDJSON or CSV",
        responses={200: {"model": ImportAnswer}, **docs.problems(408, 413, 415)},
        openapi_extra=_IMPORT_BODY,
    )
    async def load(request: Request, token: Annotated[Token, Depends(writes)]) -> Response:
        """Streamed: good lines are stored in batches of 1,000, bad ones are told. Sending it again is safe."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        read = _READERS.get(kind)
        if read is None:
            accepted = ", ".join(_READERS)
            raise HTTPException(415, f"send one of {accepted}", {"Accept": accepted})
        try:
            loaded = await subscribers.load(read(_arriving(request)), actor=token.name)
        except ClientDisconnect:
            raise HTTPException(400, "the caller left before the body was whole") from None
        return reply(imported(loaded))

    @api.get(
        "/export",
        operation_id="exportSubscribers",
        summary="Export all subscribers as NDJSON or CSV",
        response_class=StreamingResponse,
        responses={200: _EXPORT_BODY, **docs.problems()},
    )
    async def export(
        _: Annotated[Token, Depends(reads)], format_: Annotated[Format, Query(alias="format")] = Format.NDJSON
    ) -> Response:
        """Streamed; what it writes, the import reads back exactly."""
        write, kind = {
            Format.NDJSON: (write_ndjson, "application/x-ndjson"),
            Format.CSV: (write_csv, "text/csv"),
        }[format_]
        name = f'attachment; filename="subscribers.{format_}"'
        return StreamingResponse(
            write(subscribers.export()),
            media_type=kind,
            headers={"Content-Disposition": name, "Cache-Control": "no-store"},
        )


_Cursor = Annotated[str | None, Query(alias="cursor", max_length=100, description="`next` of the page before")]
_TEXT = {"schema": {"type": "string"}}
_IMPORT_BODY = {"requestBody": {"required": True, "content": {"application/x-ndjson": _TEXT, "text/csv": _TEXT}}}
_EXPORT_BODY: dict[str, Any] = {
    "description": "All subscribers",
    "content": {"application/x-ndjson": _TEXT, "text/csv": _TEXT},
}


async def _arriving(request: Request) -> AsyncIterator[bytes]:
    """The body piece by piece. Raises HTTPException 408 where a piece takes too long."""
    pieces = request.stream()
    while True:
        try:
            async with asyncio.timeout(CHUNK_WITHIN):
                piece = await anext(pieces, None)
        except TimeoutError:
            raise HTTPException(408, "the body stopped arriving", {"Connection": "close"}) from None
        if piece is None:
            return
        yield piece


def _known(subscriber_id: str) -> str:
    """An id that could be one of ours; anything else is simply not found."""
    if len(subscriber_id) > _ID_LENGTH or not subscriber_id.isascii() or not subscriber_id.isprintable():
        raise NotFound("there is no such subscriber")
    return subscriber_id
