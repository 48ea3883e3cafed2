"""The connections to one push service: opened as there is need, replaced before they end, kept warm for a while."""

import asyncio
import math
from collections.abc import Callable
from typing import Final, Protocol

from adapters.exchange import Failure
from adapters.guard import Blocked
from adapters.webpush.dial import UNREACHABLE, Dialler
from adapters.webpush.http2.request import NEVER_SENT
from adapters.webpush.pipe import Owner, Pipe
from alertd.domain.delivery import Reason, Refused

KEEP: Final = 600.0
"""Seconds after its last use that one connection is kept, and opened anew where the server closes it."""
KEEP_MORE: Final = 60.0
"""Seconds that those beyond the first are kept unused."""
FAREWELL: Final = 1.5
"""Seconds a server may take to see us off."""
_PATIENCE: Final = 1.0  # seconds between attempts at one connection more, after one failed
_REOPEN: Final = 15.0  # the same where nobody waits for it
_AGEING: Final = 256  # streams left in a connection's life at which its successor is opened
_SHORTEST_LIFE: Final = 100


class Keeper(Owner, Protocol):
    """Whom a fleet tells."""

    def reached(self) -> None:
        """There is a connection more."""
        ...

    def unreachable(self, why: Failure) -> None:
        """There is none, and none is being opened."""
        ...

    def speaks_no_http2(self) -> None: ...


class Fleet:
    """At most `most` connections; as many may be opened at once as there are, one where there is none.

    Servers that close each connection after so many requests (nginx's keepalive_requests) are known by doing so twice
    after the same number: later connections are given no more, and their successors are opened beforehand.
    """

    def __init__(self, name: str, dialler: Dialler, keeper: Keeper, now: Callable[[], float], *, most: int) -> None:
        self.pipes: list[Pipe] = []
        self.used = -math.inf
        self._name = name
        self._dialler = dialler
        self._keeper = keeper
        self._now = now
        self._most = most
        self._dials: set[asyncio.Task[None]] = set()
        self._not_before = -math.inf
        self._life: int | None = None
        self._suspected: int | None = None
        self._was_reached = False

    @property
    def in_flight(self) -> int:
        return sum(pipe.connection.waiting for pipe in self.pipes)

    @property
    def capacity(self) -> int:
        """Requests that all connections together could carry."""
        return self._most * max((pipe.connection.capacity for pipe in self.pipes), default=1)

    @property
    def is_idle(self) -> bool:
        return all(pipe.connection.idle for pipe in self.pipes)

    @property
    def is_over(self) -> bool:
        """Nothing is open, nothing will be opened unasked."""
        return not self.pipes and not self._dials and not self._is_kept(self._now())

    @property
    def is_ageing(self) -> bool:
        """Whether a successor is due."""
        return any(self._is_ageing(pipe) for pipe in self.pipes)

    def grow(self, within: float) -> None:
        """Open one connection more, if one more may be, within so many seconds."""
        young = sum(not self._is_ageing(pipe) for pipe in self.pipes)
        if young + len(self._dials) >= self._most or len(self._dials) >= max(young, 1):
            return
        if self.pipes and self._now() < self._not_before:
            return
        dial = asyncio.get_running_loop().create_task(self._dial(within))
        self._dials.add(dial)
        dial.add_done_callback(self._dials.discard)

    async def dialled(self) -> None:
        """Until what is being opened is open, or failed."""
        if self._dials:
            await asyncio.wait(set(self._dials))

    def remove(self, pipe: Pipe) -> bool:
        """Whether it was one of these: a pipe lost while it was being opened is not."""
        if pipe not in self.pipes:
            return False
        self.pipes.remove(pipe)
        return True

    def retire(self, pipe: Pipe) -> None:
        """It takes no more requests: close it when the last one is answered."""
        lifetime = pipe.connection.take_lifetime()
        if lifetime is not None:
            if lifetime == self._suspected and lifetime >= _SHORTEST_LIFE:
                self._life = lifetime
            self._suspected = lifetime
        if pipe.connection.idle and not pipe.connection.closed:
            pipe.bid_farewell()

    def look(self, now: float, within: float) -> None:
        """Now and then, while nothing is under way: close what is not needed, keep one connection that is."""
        unused = [pipe for pipe in self.pipes if pipe.connection.idle]
        for pipe in unused[1:] if len(unused) == len(self.pipes) else unused:
            if now - pipe.used > KEEP_MORE:
                pipe.bid_farewell()
        if self._is_kept(now):
            if not self.pipes and now >= self._not_before:
                self.grow(within)
        elif unused and len(self.pipes) == 1:
            unused[0].bid_farewell()

    async def close(self) -> None:
        """Part from all servers; what they still owe is lost."""
        for dial in tuple(self._dials):
            dial.cancel()
        await asyncio.gather(*self._dials, return_exceptions=True)
        leaving = [pipe.gone for pipe in self.pipes]
        for pipe in self.pipes:
            pipe.bid_farewell()
        if leaving:
            await asyncio.wait(leaving, timeout=FAREWELL)
        for pipe in tuple(self.pipes):
            pipe.drop()
        if leaving:
            await asyncio.wait(leaving, timeout=FAREWELL)

    async def _dial(self, within: float) -> None:
        try:
            pipe = await self._dialler.dial(self._name, self._keeper, within=within, streams=self._life)
        except Blocked:
            self._failed(Refused(Reason.BLOCKED))
        except UNREACHABLE:
            self._failed(NEVER_SENT)
        else:
            if pipe is None:
                self._keeper.speaks_no_http2()
                return
            self._was_reached = True
            self.pipes.append(pipe)
            self._keeper.reached()

    def _failed(self, why: Failure) -> None:
        self._not_before = self._now() + (_PATIENCE if self.pipes else _REOPEN)
        if not self.pipes and len(self._dials) <= 1:  # this one is still among them
            self._keeper.unreachable(why)

    def _is_kept(self, now: float) -> bool:
        return self._was_reached and now - self.used < KEEP

    def _is_ageing(self, pipe: Pipe) -> bool:
        connection = pipe.connection
        return connection.draining or connection.left < (
            _AGEING if self._life is None else min(_AGEING, self._life // 2)
        )
