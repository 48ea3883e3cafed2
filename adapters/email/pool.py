"""Sessions kept between messages, so that a connection is paid for once and used thousands of times.

The latest used is used next, so that what is not needed grows old and is closed. How many there can be is bounded
by the fleets that use them, not here.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from aiosmtplib import SMTPException

from adapters.email.session import Session
from alertd.ports.clock import Clock

PROVE_AFTER: Final = 5.0
"""Seconds of rest after which a session is asked (NOOP) before it is trusted with a message."""
CLOSE_AFTER: Final = 60.0
"""Seconds of rest after which a session is closed; relays hang up after one to five minutes."""
_PATIENCE: Final = 3.0


class Pool:
    """`opener` makes a session or raises Unopened."""

    def __init__(self, opener: Callable[[], Awaitable[Session]], clock: Clock) -> None:
        self._opener = opener
        self._clock = clock
        self._idle: deque[Session] = deque()
        self._closed = False

    @property
    def resting(self) -> int:
        """How many sessions wait for work."""
        return len(self._idle)

    async def session(self) -> Session:
        """One that rested, proven where it rested long, or a new one; Unopened where none can be had."""
        while self._idle:
            session = self._idle.pop()
            rest = self._clock.monotonic() - session.idle_since
            if session.alive and (rest < PROVE_AFTER or await _answers(session)):
                return session
            session.abort()
        return await self._opener()

    def rest(self, session: Session, *, idle_for: float = 0.0) -> None:
        """Take back a session on which nothing is under way, and has not been for `idle_for` seconds."""
        if self._closed or not session.alive:
            session.abort()
            return
        session.used = True
        session.idle_since = self._clock.monotonic() - idle_for
        self._idle.append(session)

    async def close_old(self) -> None:
        """Close what has rested too long, for ever; to be run as a task."""
        while True:
            await self._clock.sleep(CLOSE_AFTER / 4)
            horizon = self._clock.monotonic() - CLOSE_AFTER
            while self._idle and self._idle[0].idle_since <= horizon:
                await _leave(self._idle.popleft())

    async def close(self) -> None:
        """Take leave of the relay on every resting session, within a few seconds."""
        self._closed = True
        sessions, self._idle = tuple(self._idle), deque()
        await asyncio.gather(*map(_leave, sessions))


async def _answers(session: Session) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await session.prove()
    except (SMTPException, OSError):
        return False
    except BaseException:
        session.abort()
        raise
    return True


async def _leave(session: Session) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            await session.quit()
    except (SMTPException, OSError):
        pass
    finally:
        session.abort()
