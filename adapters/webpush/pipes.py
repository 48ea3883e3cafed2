"""All push services of a channel, and the one way to post to them."""

import asyncio
import ssl
from collections import deque
from collections.abc import Sequence
from typing import Final

from adapters.guard import Permit
from adapters.webpush.detour import Fallback
from adapters.webpush.dial import Dialler
from adapters.webpush.http2.request import Answered, Outcome, Profile, Request
from adapters.webpush.origin import Origin
from alertd.ports.clock import Clock

__all__ = ["Answered", "Fallback", "Pipes", "Profile"]

A_TURN: Final = 256
"""Answers handed out in one turn of the loop: each is a verdict settled."""


class Pipes:
    """Belongs to one event loop, in which it is made. Services do not wait for each other.

    `tls` must verify (ValueError); its ALPN is set here, so it must not be the one of `fallback`, the client of
    services without HTTP/2. `timeout`, in seconds, is twice what opening a connection may take. `connections` is
    per service.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        permit: Permit,
        clock: Clock,
        *,
        timeout: float,
        connections: int,
        fallback: Fallback,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._dialler = Dialler(tls, permit, clock)
        self._clock = clock
        self._now = clock.monotonic
        self._connect_within = timeout / 2
        self._connections = connections
        self._fallback = fallback
        self._origins: dict[str, Origin] = {}
        self._ended: deque[Outcome] = deque()

    def post(
        self,
        origin: str,
        path: bytes,
        profile: Profile,
        body: bytes,
        ref: int,
        answered: Answered,
        *,
        within: float,
    ) -> None:
        """Queue one POST to https://{origin}{path}; `origin` is lower-case host:port. Never blocks, never raises.

        `answered(ref, outcome)` is called exactly once, from the loop, never from inside post(): Reply when the head
        of the response came; Retry(CONNECT) where the service certainly did not process it (no connection, time over
        while queued, refused again and again); Refused(BLOCKED) where our own guard refused the address;
        Retry(TIMEOUT) and Retry(BROKEN) where it was written and the outcome is unknown.
        """
        self.post_all(origin, (Request(path, profile, body, ref, answered, self._now() + within),))

    def post_all(self, origin: str, requests: Sequence[Request]) -> None:
        """The same for many at once, each used once."""
        try:
            service = self._origins[origin]
        except KeyError:
            service = self._origins[origin] = self._make(origin)
        service.post(requests)

    def cancel(self, answered: Answered) -> None:
        """Withdraw all that was posted with this callback, compared with ==: it is not called any more.

        What was not written stays so; what was is reset (RST_STREAM CANCEL), and may have arrived.
        """
        kept = [ending for ending in self._ended if ending[0].answered != answered]
        self._ended.clear()
        self._ended.extend(kept)
        for service in tuple(self._origins.values()):
            service.cancel(answered)

    async def warm(self, origin: str) -> None:
        """Open one connection beforehand and keep it for some minutes; failures are silent."""
        if origin not in self._origins:
            self._origins[origin] = self._make(origin)
        await self._origins[origin].warm()

    async def close(self) -> None:
        """GOAWAY and close. What is under way is answered BROKEN, what was not written CONNECT, before this returns."""
        services = tuple(self._origins.values())
        await asyncio.gather(*(service.close() for service in services))
        await self._dialler.close()
        self._origins.clear()
        while self._ended:
            self._hand_out()

    def _make(self, origin: str) -> Origin:
        return Origin(
            origin,
            self._dialler,
            self._clock,
            self._fallback,
            self._end,
            self._over,
            connect_within=self._connect_within,
            connections=self._connections,
        )

    def _over(self, name: str, origin: Origin) -> None:
        """Nothing of it is left: anyone may name a new one, so none is kept for ever."""
        if self._origins.get(name) is origin:
            del self._origins[name]

    def _end(self, outcomes: list[Outcome]) -> None:
        if not self._ended and outcomes:
            self._loop.call_soon(self._hand_out)
        self._ended.extend(outcomes)

    def _hand_out(self) -> None:
        ended, left = self._ended, A_TURN
        try:
            while ended and left:
                left -= 1
                request, outcome = ended.popleft()
                request.answered(request.ref, outcome)
        finally:
            if ended:
                self._loop.call_soon(self._hand_out)
