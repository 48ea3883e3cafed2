"""One connection to a push service: the protocol's octets on a TLS transport."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol, cast

from adapters.webpush.http2 import Answered, Connection, Outcome, Request
from alertd.ports.clock import Clock

HIGH_WATER: Final = 262_144
"""Octets not yet taken by the kernel at which we stop writing."""
SILENCE: Final = 3.0
"""Seconds without a word from a service that owes us answers, after which it is asked whether it lives."""
IDLE_SILENCE: Final = 30.0
"""The same where nothing is owed: keeps the paths of routers between us open, and finds out which are not."""
GRACE: Final = 5.0
"""Seconds it may take to say so."""


class Owner(Protocol):
    """Whom a pipe tells."""

    def answered(self, pipe: "Pipe", outcomes: list[Outcome]) -> None:
        """Something came or may be written again; `outcomes` may be empty. The connection may have more to tell."""
        ...

    def lost(self, pipe: "Pipe", outcomes: list[Outcome]) -> None: ...


class Pipe(asyncio.Protocol):
    """`opened` is done when the server's SETTINGS came, or the connection was lost before.

    `heard` and `used` are moments of the clock: something came; a request was started.
    """

    def __init__(self, connection: Connection, owner: Owner, clock: Clock) -> None:
        self.connection = connection
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.h2 = False
        self.heard = self.used = self._pinged_at = clock.monotonic()
        self._now: Callable[[], float] = clock.monotonic
        self._owner = owner
        self._transport: asyncio.Transport | None = None
        self._writable = True

    # --- what its owner does ---------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """How many requests could be started now."""
        return self.connection.room if self._writable and self._transport is not None else 0

    def start(self, queue: deque[Request], most: int) -> int:
        """Write up to so many requests from the left of `queue`, all at once; how many."""
        now = self._now()
        started = self.connection.start(queue, most)
        if started:
            if now - max(self.heard, self.used) > SILENCE:
                self._ping(now)  # it was silent: find out soon whether it is still there
            self.used = now
            self.flush()
        return started

    def withdraw(self, answered: Answered) -> None:
        self.connection.withdraw(answered)
        self.flush()

    def look(self, now: float) -> list[Outcome]:
        """Now and then: end what is over its time, ask a silent server for a sign, drop a dead one."""
        outcomes = self.connection.expire(now)
        silent = now - self.heard
        if self.connection.pinged:
            if now - self._pinged_at > GRACE and silent > GRACE:
                self.drop()
        elif silent > (IDLE_SILENCE if self.connection.idle else SILENCE):
            self._ping(now)
        self.flush()
        return outcomes

    def flush(self) -> None:
        if self.connection.out and self._transport is not None and self.h2:
            self._transport.write(self.connection.take())

    def drop(self) -> None:
        """End it without ceremony; `lost` follows."""
        if self._transport is not None:
            self._transport.abort()

    def bid_farewell(self) -> None:
        """GOAWAY and close; `lost` follows."""
        self.connection.say_goodbye()
        self.flush()
        if self._transport is not None:
            self._transport.close()

    def _ping(self, now: float) -> None:
        if not self.connection.pinged:
            self._pinged_at = now
            self.connection.ping()

    # --- asyncio.Protocol ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.h2 = transport.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        self._transport.set_write_buffer_limits(high=HIGH_WATER)
        self.heard = self._now()
        self.flush()

    def data_received(self, data: bytes) -> None:
        if not self.h2:
            return
        self.heard = self._now()
        connection = self.connection
        outcomes = connection.receive(data)
        if connection.out:
            self.flush()
        if connection.closed and self._transport is not None:
            self._transport.close()
        if connection.ready and not self.opened.done():
            self.opened.set_result(None)
        self._owner.answered(self, outcomes)

    def pause_writing(self) -> None:
        self._writable = False

    def resume_writing(self) -> None:
        self._writable = True
        self._owner.answered(self, [])

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        if not self.opened.done():
            self.opened.set_result(None)
        if not self.gone.done():
            self.gone.set_result(None)
        self._owner.lost(self, self.connection.lose())
