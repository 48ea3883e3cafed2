"""The defence against server-side request forgery: a destination may have been chosen by a stranger or a typo.

Two gates use one rule. The resolver drops forbidden addresses, so that a name with a good and a bad one is
reached through the good one; the socket factory sees the very address that is about to be connected to, literals
included, so that no second look-up can slip another address in between (DNS rebinding).
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

if TYPE_CHECKING:
    from aiohappyeyeballs import AddrInfoType, SocketFactoryType

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network
Permit = Callable[[IPAddress], bool]
"""Whether an address may be connected to."""

_NAT64 = IPv6Network("64:ff9b::/96")
_MAX_PORT = 65_535
_PATTERN = re.compile(
    r"(?P<any>\*\.)?(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:(?P<port>[1-9][0-9]{0,4}))?"
)


class Blocked(OSError):
    """Our own defence refused the destination. An OSError, because that is what a connector expects."""


def public_or_listed(listed: Iterable[IPNetwork]) -> Permit:
    """Permit the public internet and the listed networks."""
    networks = tuple(listed)
    return lambda address: _is_listed(address, networks) or _is_public(address)


def only_listed(listed: Iterable[IPNetwork]) -> Permit:
    """Permit nothing but the listed networks."""
    networks = tuple(listed)
    return lambda address: _is_listed(address, networks)


def guarded_connector(
    permit: Permit, tls: ssl.SSLContext, *, resolver: AbstractResolver | None = None
) -> aiohttp.TCPConnector:
    """A connector that reaches permitted addresses only; any other ends in an error caused by `Blocked`.

    Its own number of connections is unlimited: who sends bounds how much is in flight, and an emergency must
    never wait for a connection behind news. Needs a running event loop.
    """
    return aiohttp.TCPConnector(
        ssl=tls,
        resolver=GuardedResolver(permit, resolver or ThreadedResolver()),
        socket_factory=guarded_socket(permit),
        limit=0,
        keepalive_timeout=30,
    )


class GuardedResolver(AbstractResolver):
    """Another resolver without the addresses that are not permitted; Blocked where none is left."""

    def __init__(self, permit: Permit, inner: AbstractResolver) -> None:
        self._permit = permit
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        permitted = [result for result in found if self._permit(ip_address(result["host"]))]
        if not permitted:
            raise Blocked("no address of the host may be connected to")
        return permitted

    async def close(self) -> None:
        await self._inner.close()


def guarded_socket(permit: Permit) -> "SocketFactoryType":
    """What opens the socket for exactly the address it is then connected to."""

    def open_socket(addr_info: "AddrInfoType") -> socket.socket:
        family, kind, protocol, _, address = addr_info
        if not permit(ip_address(address[0])):
            raise Blocked("the address may not be connected to")
        return socket.socket(family, kind, protocol)

    return open_socket


class HostList:
    """Patterns `host`, `host:port` (443 if none) and `*.suffix`, which means at least one label more.

    ValueError where a pattern cannot be read.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        exact: set[str] = set()
        suffixes: list[tuple[str, str]] = []
        for pattern in patterns:
            match = _PATTERN.fullmatch(pattern.lower())
            if match is None or int(match["port"] or 0) > _MAX_PORT:
                raise ValueError(f"{pattern!r} is not a host, host:port or *.suffix")
            host, port = match["host"], match["port"] or "443"
            if match["any"]:
                suffixes.append((f".{host}", f":{port}"))
            else:
                exact.add(f"{host}:{port}")
        self._exact = frozenset(exact)
        self._suffixes = tuple(suffixes)

    def __len__(self) -> int:
        return len(self._exact) + len(self._suffixes)

    def allows(self, origin: str) -> bool:
        """Whether `origin`, a lower-case `host:port`, matches."""
        if origin in self._exact:
            return True
        host, colon, port = origin.rpartition(":")
        return any(host.endswith(suffix) and colon + port == wanted for suffix, wanted in self._suffixes)


def _is_listed(address: IPAddress, networks: tuple[IPNetwork, ...]) -> bool:
    inner = _embedded(address)
    return any(address in network or (inner is not None and inner in network) for network in networks)


def _is_public(address: IPAddress) -> bool:
    inner = _embedded(address)
    if inner is not None:
        return _is_public(inner)
    special = (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address.is_loopback
        or address.is_link_local
        or (isinstance(address, IPv6Address) and address.is_site_local)
    )
    return address.is_global and not special


def _embedded(address: IPAddress) -> IPv4Address | None:
    """Where a packet to this IPv6 address ends: mapped (RFC 4291), NAT64 (RFC 6052) or 6to4 (RFC 3056) IPv4."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour
