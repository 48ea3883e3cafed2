"""Whether our key is good, when one push service says that it is not.

401 and 403 have two causes that look the same: our key is broken, and then the channel must halt; or this one
subscription was made with somebody else's key, and then it must not, for anyone can register such a one and a
stranger must not be able to silence the town. So an accusation is weighed: one message that any service took
proves the key. Until then the accused wait for those still in flight; where all that is in flight is accused,
it is the key.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from alertd.domain.delivery import Accepted, Halt, Reason, Retry, Verdict

PATIENCE = 3.0
"""Seconds to wait for a proof one way or the other."""

_NOT_THE_KEY = Retry(Reason.CREDENTIALS)
_THE_KEY = Halt(Reason.CREDENTIALS)


class Standing:
    """Shared by all that a channel sends at once."""

    def __init__(self) -> None:
        self._proven = False
        self._in_flight = 0
        self._accused: set[asyncio.Future[Verdict]] = set()

    @contextmanager
    def flight(self) -> Iterator[None]:
        """Around everything that may end in an answer."""
        self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            self._decide()

    async def weigh(self, verdict: Verdict) -> Verdict:
        """The verdict itself, unless it is a Halt that would be unjust. Inside `flight`."""
        if isinstance(verdict, Accepted):
            self._proven = True
            self._decide()
        if not isinstance(verdict, Halt):
            return verdict
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._accused.add(answer)
        self._decide()
        try:
            async with asyncio.timeout(PATIENCE):
                return await answer
        except TimeoutError:
            return _NOT_THE_KEY
        finally:
            self._accused.discard(answer)

    def _decide(self) -> None:
        if self._proven:
            self._judge(_NOT_THE_KEY)
        elif len(self._accused) >= self._in_flight:
            self._judge(_THE_KEY)

    def _judge(self, verdict: Verdict) -> None:
        for answer in self._accused:
            if not answer.done():
                answer.set_result(verdict)
        self._accused.clear()
