"""Strangers: how often each may come, and whether a form was really sent from our own page."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from alertd.core.citizens.throttle import Throttle
from alertd.ports.clock import Clock

_OWN: Final = frozenset({"same-origin", "none"})
_IPV6_NETWORK = 64


class Visitors:
    """Token buckets for each client address. Reading is cheap and generous: many citizens may share one address.

    `trust_forwarded`: the last entry of X-Forwarded-For, the one our own proxy wrote, is the client. Believing
    an earlier entry, or any without a proxy of ours in front, would let a stranger choose his own bucket.
    """

    def __init__(self, clock: Clock, *, trust_forwarded: bool) -> None:
        self._trust_forwarded = trust_forwarded
        self._reading = Throttle(clock, interval=0.02, burst=600)
        self._acting = Throttle(clock, interval=3.0, burst=20)
        self._leaving = Throttle(clock, interval=0.5, burst=120)

    def wait(self, request: Request) -> float:
        """0.0 where this visitor may go on, else the seconds to wait."""
        client = self.client(request)
        if request.method in {"GET", "HEAD"}:
            return self._reading.wait(client)
        leaving = request.url.path.startswith("/unsubscribe/")
        return (self._leaving if leaving else self._acting).wait(client)

    def client(self, request: Request) -> str:
        """The address that counts: an IPv4 address, or the /64 an IPv6 address lies in."""
        host = request.client.host if request.client else ""
        if self._trust_forwarded:
            forwarded = ",".join(request.headers.getlist("x-forwarded-for"))
            host = forwarded.rpartition(",")[2].strip() or host
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return "unknown"
        if isinstance(address, ipaddress.IPv4Address):
            return str(address)
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((int(address), _IPV6_NETWORK), strict=False))


def is_foreign(request: Request, public_url: str) -> bool:
    """Whether a browser says that another site sent this form (Fetch Metadata, else Origin, RFC 6454).

    Who sends neither is not a browser, and no browser's powers can be borrowed.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN
    origin = request.headers.get("origin")
    if origin is None:
        return False
    ours = {request.headers.get("host", ""), urlsplit(public_url).netloc}
    return urlsplit(origin).netloc not in ours - {""}
