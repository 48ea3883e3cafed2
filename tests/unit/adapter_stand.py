"""What the tests of the HTTP adapters share: a clock, a page, a notice, and real TLS servers that behave badly."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
import trustme
from aiohttp import web

from alertd.domain.alert import (
    Alert,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Purpose,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.delivery import Verdict
from alertd.ports.adapter import Adapter, Message, Notice, Parcel, Service, Tools

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class StillClock:
    """Time stands until a test moves it."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return (self.time - NOW).total_seconds()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("an adapter never sleeps")


class ListPage:
    """A page whose gate is always open."""

    def __init__(self, message: Message, parcels: Sequence[Parcel]) -> None:
        self.message = message
        self._left = list(parcels)

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        taken, self._left = self._left[:up_to], self._left[up_to:]
        return taken


def tools(state: Path, clock: StillClock) -> Tools:
    service = Service("Comune di Prova", "pc@comune.example.it", ("it-IT",), "Europe/Rome", "")
    return Tools(clock, structlog.get_logger(), service, state, lambda endpoint_id: "")


def parcel(number: int = 1, address: str = "", **changes: Any) -> Parcel:
    made = Parcel(number, f"key-{number}", number, address, NOW + timedelta(hours=1))
    return made._replace(**changes)


def notice(text: str = "Temporali forti dalle 18.", **changes: Any) -> Notice:
    info = Info(
        "it-IT",
        (Category.MET,),
        "Temporali forti",
        Urgency.EXPECTED,
        Severity.SEVERE,
        Certainty.LIKELY,
        expires=NOW + timedelta(hours=1),
        area=(Area("Montelupo", zones=("048028",)),),
    )
    alert = Alert(
        "al-1",
        "it-1",
        "pc@comune.example.it",
        "2026-11-22T10:00:00-00:00",
        Status.ACTUAL,
        MsgType.ALERT,
        Scope.PUBLIC,
        Purpose.EMERGENCY,
        (info,),
    )
    made = Notice(
        alert,
        (info,),
        "it-IT",
        "Comune di Prova: temporali",
        text,
        f"<p>{text}</p>",
        "https://allerta.example.it/alerts/al-1",
        "thread-1",
        "it-1",
        NOW + timedelta(hours=1),
    )
    return replace(made, **changes)


async def send(adapter: Adapter, parcels: Sequence[Parcel], about: Notice | None = None) -> dict[int, Verdict]:
    """Send a page and insist that each parcel is settled exactly once."""
    verdicts: dict[int, Verdict] = {}

    def settle(delivery_id: int, verdict: Verdict) -> None:
        assert delivery_id not in verdicts
        verdicts[delivery_id] = verdict

    await adapter.send(ListPage(adapter.render(about or notice()), parcels), settle)
    assert set(verdicts) == {each.delivery_id for each in parcels}
    return verdicts


@dataclass(frozen=True)
class Authority:
    """A certificate authority of the test, and the server's side of a certificate for the loopback."""

    file: str
    server: ssl.SSLContext


def authority(folder: Path, *names: str) -> Authority:
    ca = trustme.CA()
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return Authority(str(path), context)


Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def web_server(handler: Handler, tls: ssl.SSLContext | None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A server that keeps to HTTP; its port."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_server(script: Script, tls: ssl.SSLContext | None) -> AsyncIterator[int]:
    """A server that does what the script does with each connection, after the request's head; its port."""

    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        current = asyncio.current_task()
        assert current is not None
        tasks.add(current)
        with closing(writer):
            try:
                await reader.readuntil(b"\r\n\r\n")
                await script(reader, writer)
            except (OSError, EOFError, asyncio.CancelledError):
                pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def half_a_reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 Crea")
    await writer.drain()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for byte in b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n":
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(1)


async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def endless_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 1000000000\r\n\r\n")
    while True:
        writer.write(b"x" * 65_536)
        await writer.drain()


async def dripping_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(1)
