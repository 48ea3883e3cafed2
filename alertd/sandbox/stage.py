"""The stage the HTTP stand-ins play on: one aiohttp server, its faults, its ledger."""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Self, assert_never

from aiohttp import web

from alertd.sandbox import wire
from alertd.sandbox.faults import NONE, Fault, Faults, Injector, Kind
from alertd.sandbox.ledger import EVERYBODY, Ledger

Take = Callable[[float], Awaitable[web.Response]]
Refuse = Callable[[Fault], web.Response]

_MAX_BODY = 1 << 20


class Stage:
    """`async with` a server of these routes. `serve` plays one request, faults and all."""

    def __init__(self, host: str, port: int, routes: list[web.RouteDef], *, tls: ssl.SSLContext | None = None) -> None:
        self._host = host
        self._tls = tls
        self.port = port
        self.ledger = Ledger()
        self.faults = NONE
        app = web.Application(client_max_size=_MAX_BODY)
        app.add_routes(routes)
        # A hanging handler must die with its client, or a drill of hangs would pile them up.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    @property
    def faults(self) -> Faults:
        return self._injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._injector = Injector(faults, clock=time.monotonic, chance=random.random)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self.port, ssl_context=self._tls, backlog=1024)
        try:
            await site.start()
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    @property
    def connections(self) -> int:
        """How many are up now."""
        server = self._runner.server
        return 0 if server is None else len(server.connections)

    def clear(self) -> None:
        self.ledger.clear()
        self.faults = NONE

    async def serve(self, request: web.Request, recipient: str, take: Take, refuse: Refuse) -> web.Response:
        """Answer a request about `recipient`: `take(arrived_at)` does the real work, `refuse` words a fault."""
        arrived = self.ledger.arrived(recipient)
        strike = self._injector.pick(recipient)
        if strike.latency:
            await asyncio.sleep(strike.latency)
        if strike.fault is None:
            response = await take(arrived)
        else:
            response = await self._struck(request, strike.fault, lambda: take(arrived), refuse)
        self.ledger.answered(response.status)
        return response

    async def _struck(
        self, request: web.Request, fault: Fault, take: Callable[[], Awaitable[web.Response]], refuse: Refuse
    ) -> web.Response:
        answer = web.Response(status=204)  # to nobody, where the connection is gone
        if fault.taken or fault.kind in (Kind.DRIP, Kind.HALF):
            answer = await take()
        transport = request.transport
        if transport is None:  # the client left while its message was taken
            return answer
        match fault.kind:
            case Kind.STATUS:
                answer = refuse(fault)
                self._announce(fault)
            case Kind.HANG:
                await asyncio.Event().wait()
            case Kind.RESET:
                wire.reset(transport)
            case Kind.DRIP:
                await wire.drip(transport, _written(answer), fault.seconds)
                transport.close()
            case Kind.HALF:
                wire.half(transport, _written(answer))
            case Kind.LATENCY:
                raise AssertionError("latency is not a fault by itself")
            case _:
                assert_never(fault.kind)
        return answer

    def _announce(self, fault: Fault) -> None:
        if fault.retry_after is None:
            return
        for recipient in fault.recipients or (EVERYBODY,):
            self.ledger.announce(fault.retry_after, recipient)


def plain_refusal(fault: Fault) -> web.Response:
    """A status and a Retry-After header (RFC 9110, 10.2.3)."""
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return web.Response(status=fault.status or 503, text=fault.text, headers=headers)


def _written(response: web.Response) -> bytes:
    """The answer as HTTP/1.1 bytes, for the faults that write them themselves."""
    body = response.body if isinstance(response.body, bytes) else b""
    fields = {**response.headers, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {response.status} {response.reason}\r\n{head}\r\n".encode() + body
