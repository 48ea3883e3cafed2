"""The HTTP/1.1 front, aiohttp's: its requests as ours, our answers as its own."""

import asyncio
from dataclasses import dataclass

from aiohttp import web

from alertd.sandbox import wire
from alertd.sandbox.exchange import Handler, Request, Response


@dataclass(frozen=True, slots=True)
class Http1Line:
    """A connection with one request at a time: what spoils the answer ends the connection."""

    transport: asyncio.Transport | None

    @property
    def gone(self) -> bool:
        return self.transport is None

    def reset(self) -> None:
        if self.transport is not None:
            wire.reset(self.transport)

    def abort(self) -> None:
        self.reset()

    def half(self, response: Response) -> None:
        if self.transport is not None:
            wire.half(self.transport, _written(response))

    async def drip(self, response: Response, seconds: float) -> None:
        if self.transport is not None:
            await wire.drip(self.transport, _written(response), seconds)
            self.transport.close()


def every_route(handler: Handler) -> list[web.RouteDef]:
    """All paths and methods lead to `handler`."""

    async def serve(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        line = Http1Line(request.transport)
        return answer(await handler(Request("http/1.1", request.method, request.path, headers, body, line)))

    return [web.route("*", "/{path:.*}", serve)]


def answer(response: Response | None) -> web.Response:
    """As aiohttp writes it; None goes to nobody, for its connection is closed."""
    if response is None:
        return web.Response(status=204)
    return web.Response(status=response.status, headers=response.headers, body=response.body)


def _written(response: Response) -> bytes:
    """The answer as HTTP/1.1 bytes (RFC 9112, section 4: the reason phrase may be empty)."""
    fields = {**response.headers, "Content-Length": str(len(response.body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {response.status} \r\n{head}\r\n".encode() + response.body
