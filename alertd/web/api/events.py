"""Server-Sent Events: an alert's receipts as they come in."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any

from fastapi import APIRouter, Depends
from fastapi.sse import format_sse_event
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from alertd.core.report import Receipts
from alertd.domain.problems import Unavailable
from alertd.ports.clock import Clock
from alertd.web.api import docs
from alertd.web.api.convert import receipts_answer
from alertd.web.api.fields import AlertId
from alertd.web.auth import requires
from alertd.web.services import Services

HEARTBEAT = 15.0
"""Seconds between comments, so that no proxy takes a quiet stream for a dead one."""

WRITE_WITHIN = 30.0
"""Seconds a reader may leave what was written to it: one who stopped reading is let go."""

_MEDIA_TYPE = "text/event-stream"
_EVENT = {  # OpenAPI 3.2, section 4.14.4
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "event": {"type": "string", "enum": ["progress", "done"]},
        "data": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {"$ref": "#/components/schemas/ReceiptsAnswer"},
        },
    },
}
_BEAT = format_sse_event(comment="still here")


class Streams:
    """The open streams of one app. A daemon that stops closes them, since they would outlast its patience."""

    def __init__(self) -> None:
        self._closing = asyncio.Event()

    @property
    def closing(self) -> bool:
        return self._closing.is_set()

    async def closed(self) -> None:
        await self._closing.wait()

    def close(self) -> None:
        """End every stream now and any later one at once. Clients reconnect, to whoever comes next."""
        self._closing.set()


class ReceiptStream(Response):
    """`progress` with every change, `done` with the last; leaves no task behind whichever side ends it."""

    media_type = _MEDIA_TYPE

    def __init__(self, watch: AsyncIterator[Receipts], clock: Clock, streams: Streams) -> None:
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Content-Type": _MEDIA_TYPE})
        del self.headers["content-length"]
        self._watch = watch
        self._clock = clock
        self._streams = streams
        self._writing = asyncio.Lock()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        try:
            async with _closing(self._watch):
                await _first_of(self._tell(send), self._beat(send), self._streams.closed(), _until_gone(receive))
        except Unavailable:
            pass  # the store will be back, and so will the client
        except OSError:
            return  # gone, or no longer reading: left unfinished, the server breaks the connection
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Send) -> None:
        last: Receipts | None = None
        async for receipts in self._watch:
            last = receipts
            await self._write(send, _event("progress", receipts))
        if last is not None and not self._streams.closing:
            await self._write(send, _event("done", last))

    async def _beat(self, send: Send) -> None:
        while True:
            await self._clock.sleep(HEARTBEAT)
            await self._write(send, _BEAT)

    async def _write(self, send: Send, chunk: bytes) -> None:
        async with self._writing, asyncio.timeout(WRITE_WITHIN):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})


def router(services: Services, streams: Streams) -> APIRouter:
    """`GET /v1/alerts/{id}/events`."""
    guard = Depends(requires(services.access, "alerts:read"))
    api = APIRouter(prefix="/v1/alerts/{alert_id}", tags=["alerts"], dependencies=[guard])

    @api.get(
        "/events",
        operation_id="watchAlert",
        summary="What becomes of an alert, as it happens",
        response_class=Response,
        responses={
            200: {
                "description": "`progress` with the receipts, at most 5 a second; `done` with the last ones",
                "content": {_MEDIA_TYPE: {"itemSchema": _EVENT}},
            },
            **docs.problems(404),
        },
    )
    async def events(alert_id: AlertId) -> Response:
        await services.reports.store.get_alert(alert_id)
        return ReceiptStream(services.reports.watch(alert_id), services.clock, streams)

    return api


def _event(name: str, receipts: Receipts) -> bytes:
    return format_sse_event(event=name, data_str=receipts_answer(receipts).model_dump_json())


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _first_of(*works: Coroutine[Any, Any, None]) -> None:
    """Run all until one ends; cancel the others and wait for them. What the first raised is raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()


def _closing(watch: AsyncIterator[Receipts]) -> AbstractAsyncContextManager[Any]:
    """Close the watch if it is a generator, now rather than when it is collected."""
    return aclosing(watch) if hasattr(watch, "aclose") else nullcontext()
