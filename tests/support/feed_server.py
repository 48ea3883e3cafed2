"""A web server that serves what a test tells it to, well or badly."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
GIGABYTE = 1 << 30


@dataclass
class FeedServer:
    """`answers` by path; `asked` in order, with the conditions that were sent."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    sent: int = 0

    def document(
        self, path: str, body: bytes, *, kind: str = "application/xml", etag: str = "", status: int = 200
    ) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            if etag and request.headers.get("If-None-Match") == etag:
                return web.Response(status=304)
            headers = {"ETag": etag} if etag else {}
            return web.Response(body=body, status=status, content_type=kind, headers=headers)

        self.answers[path] = answer

    def zipped(self, path: str, body: bytes) -> None:
        """gzip, as the coding of the transfer."""
        packed = gzip.compress(body)

        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

        self.answers[path] = answer

    def redirect(self, path: str, to: str) -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            return web.Response(status=302, headers={"Location": to})

        self.answers[path] = answer

    def hang(self, path: str) -> None:
        async def answer(_: web.Request) -> web.StreamResponse:
            await asyncio.Event().wait()
            raise AssertionError

        self.answers[path] = answer

    def endless(self, path: str, *, declared: bool) -> None:
        """A gigabyte, announced or not; `sent` says how much of it was taken."""

        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Type": "application/xml"})
            if declared:
                response.content_length = GIGABYTE
            await response.prepare(request)
            chunk = b" " * 65_536
            while self.sent < GIGABYTE:
                await response.write(chunk)
                self.sent += len(chunk)
            return response

        self.answers[path] = answer

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.path, request.headers.get("If-None-Match", "")))
        if request.path not in self.answers:
            return web.Response(status=404)
        return await self.answers[request.path](request)


@asynccontextmanager
async def feed_server() -> AsyncIterator[FeedServer]:
    server = FeedServer()
    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", server._handle)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}"
    try:
        yield server
    finally:
        await runner.cleanup()
