"""Reaching a push service: name, guard, TCP, TLS, ALPN, SETTINGS."""

import asyncio
import socket
import ssl
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from aiohappyeyeballs import start_connection
from aiohttp.resolver import ThreadedResolver

from adapters.guard import GuardedResolver, Permit, guarded_socket
from adapters.webpush.http2 import Answers, Connection
from adapters.webpush.http2.frames import MAX_ID
from adapters.webpush.pipe import Owner, Pipe
from alertd.ports.clock import Clock

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType

_SECOND_TRY: Final = 0.25  # seconds until the next address is tried beside the first (RFC 8305, section 5)
_SHUTDOWN: Final = 1.0  # seconds a server may take to agree to the end of TLS
UNREACHABLE: Final = (OSError, RuntimeError, ValueError, TimeoutError)
"""What a dial may raise: ssl errors are OSErrors, uvloop has RuntimeErrors, a host that is no name ValueErrors."""


class Dialler:
    """Opens connections to permitted addresses only; the address checked is the one connected to.

    The certificate is always verified: ValueError where `tls` would not. Its ALPN is set here.
    """

    def __init__(self, tls: ssl.SSLContext, permit: Permit, clock: Clock) -> None:
        if tls.verify_mode is not ssl.CERT_REQUIRED or not tls.check_hostname:
            raise ValueError("the TLS context must verify the server and its name")
        tls.set_alpn_protocols(["h2", "http/1.1"])
        self._tls = tls
        self._clock = clock
        self._resolver = GuardedResolver(permit, ThreadedResolver())
        self._open_socket = guarded_socket(permit)
        self._answers = Answers()

    async def dial(self, origin: str, owner: Owner, *, within: float, streams: int | None) -> Pipe | None:
        """A pipe that may be used at once, for so many streams if given; None where the server speaks no HTTP/2.

        Blocked where the guard refused; else any of UNREACHABLE.
        """
        host, _, port = origin.rpartition(":")
        host = host.strip("[]")
        authority = origin.removesuffix(":443").encode()
        last_id = MAX_ID if streams is None else 2 * streams - 1
        pipe = Pipe(Connection(authority, self._answers, last_id=last_id), owner, self._clock)
        try:
            async with asyncio.timeout(within):
                await self._connect(host, int(port), pipe)
                if not pipe.h2:
                    pipe.drop()
                    return None
                await pipe.opened
        except BaseException:
            pipe.drop()
            raise
        if pipe.gone.done():
            raise ConnectionError("the server closed the connection at once")
        return pipe

    async def close(self) -> None:
        await self._resolver.close()

    async def _connect(self, host: str, port: int, pipe: Pipe) -> None:
        loop = asyncio.get_running_loop()
        sock = await start_connection(
            await self._addresses(host, port),
            happy_eyeballs_delay=_SECOND_TRY,
            socket_factory=self._open_socket,
            loop=loop,
        )
        try:
            await loop.create_connection(
                lambda: pipe, sock=sock, ssl=self._tls, server_hostname=host, ssl_shutdown_timeout=_SHUTDOWN
            )
        except BaseException:
            sock.close()
            raise

    async def _addresses(self, host: str, port: int) -> "list[AddrInfoType]":
        if _is_literal(host):
            return [_address(host, port)]  # the socket's own guard looks at it
        return [_address(found["host"], found["port"]) for found in await self._resolver.resolve(host, port)]


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _address(host: str, port: int) -> "AddrInfoType":
    if ":" in host:
        return (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))
