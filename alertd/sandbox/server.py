"""One listening port: aiohttp's HTTP/1.1, and beside it HTTP/2 where TLS negotiates it (RFC 7301)."""

import asyncio
import ssl
from typing import Self, cast

from aiohttp import web

from alertd.sandbox.exchange import MAX_BODY, Handler
from alertd.sandbox.http2 import Http2Connection


class HttpServer:
    """`async with` a server of these routes. `http2`: who answers what comes over HTTP/2; it needs `tls`, whose
    ALPN names are set here. OSError where the port is taken."""

    def __init__(
        self,
        host: str,
        port: int,
        routes: list[web.RouteDef],
        *,
        tls: ssl.SSLContext | None = None,
        http2: Handler | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self._tls = tls
        self._http2 = http2
        self._live: set[Http2Connection] = set()
        if tls is not None:
            tls.set_alpn_protocols(["http/1.1"] if http2 is None else ["h2", "http/1.1"])
        app = web.Application(client_max_size=MAX_BODY)
        app.add_routes(routes)
        # A hanging handler must die with its client, or a drill of hangs would pile them up.
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(self._arrival, self.host, self.port, ssl=self._tls, backlog=1024)
        except BaseException:
            await self._runner.cleanup()
            raise
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._listener.close()
        for connection in list(self._live):
            connection.close()
        await self._runner.cleanup()
        await self._listener.wait_closed()

    @property
    def connections(self) -> int:
        """How many are up now."""
        server = self._runner.server
        return len(self._live) + (0 if server is None else len(server.connections))

    def _arrival(self) -> asyncio.Protocol:
        return self._http1() if self._http2 is None else _Negotiated(self)

    def _http1(self) -> asyncio.Protocol:
        assert self._runner.server is not None
        return self._runner.server()

    def speaking(self, name: str | None) -> asyncio.Protocol:
        """The protocol of a new connection that negotiated this ALPN name."""
        if name == "h2" and self._http2 is not None:
            return Http2Connection(self._http2, self._live)
        return self._http1()


class _Negotiated(asyncio.Protocol):
    """Until the handshake is done; then the protocol that it chose."""

    def __init__(self, server: HttpServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        tls = cast("ssl.SSLObject", transport.get_extra_info("ssl_object"))
        chosen = self._server.speaking(tls.selected_alpn_protocol())
        transport.set_protocol(chosen)
        chosen.connection_made(transport)
