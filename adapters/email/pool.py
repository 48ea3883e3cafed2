"""Sessions kept between messages, so that a connection is paid for once and used thousands of times.

The latest used is used next, so that what is not needed grows old and is closed. How many there can be is bounded
by how many parcels are out, not here.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from aiosmtplib import SMTPException

from adapters.email.envelope import Envelope
from adapters.email.session import Session, Unopened
from adapters.email.verdicts import Stage, of_fault
from alertd.domain.delivery import Verdict
from alertd.ports.clock import Clock

PROVE_AFTER: Final = 5.0
"""Seconds of rest after which a session is asked (NOOP) before it is trusted with a message."""
CLOSE_AFTER: Final = 60.0
"""Seconds of rest after which a session is closed; relays hang up after one to five minutes."""
_PATIENCE: Final = 3.0


class Pool:
    """`opener` makes a session or raises Unopened; `timeout` is seconds for one message."""

    def __init__(self, opener: Callable[[], Awaitable[Session]], clock: Clock, timeout: float) -> None:
        self._opener = opener
        self._clock = clock
        self._timeout = timeout
        self._idle: deque[Session] = deque()
        self._closed = False

    @property
    def resting(self) -> int:
        """How many sessions wait for work."""
        return len(self._idle)

    async def deliver(self, envelope: Envelope) -> Verdict:
        """Send one message.

        Where the relay has hung up on a rested session before it heard of the message, a new one takes it: that
        is the same attempt, since nothing of it was said.
        """
        session = await self._rested()
        if session is not None:
            verdict, hung_up = await self._through(session, envelope)
            if not hung_up:
                return verdict
        try:
            session = await self._opener()
        except Unopened as failure:
            return failure.verdict
        verdict, _ = await self._through(session, envelope)
        return verdict

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

    async def _through(self, session: Session, envelope: Envelope) -> tuple[Verdict, bool]:
        """The verdict, and whether the relay hung up before the start."""
        try:
            async with asyncio.timeout(self._timeout):
                verdict = await session.deliver(envelope)
        except (SMTPException, OSError) as fault:
            session.abort()
            hung_up = session.stage is Stage.MAIL and not isinstance(fault, TimeoutError)
            return of_fault(session.stage, fault), hung_up
        except BaseException:
            session.abort()
            raise
        hung_up = session.stage is Stage.MAIL and not session.alive
        self._rest(session)
        return verdict, hung_up

    def _rest(self, session: Session) -> None:
        if self._closed or not session.alive:
            session.abort()
            return
        session.idle_since = self._clock.monotonic()
        self._idle.append(session)

    async def _rested(self) -> Session | None:
        while self._idle:
            session = self._idle.pop()
            rest = self._clock.monotonic() - session.idle_since
            if session.alive and (rest < PROVE_AFTER or await _answers(session)):
                return session
            session.abort()
        return None


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
