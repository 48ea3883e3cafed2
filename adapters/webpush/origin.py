"""One push service: what waits for it, what is under way, and the pace it bears."""

import asyncio
import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from adapters.exchange import Failure
from adapters.webpush.detour import Detour, Fallback
from adapters.webpush.dial import Dialler
from adapters.webpush.fleet import Fleet
from adapters.webpush.http2 import Answered, Outcome, Request
from adapters.webpush.http2.request import NEVER_SENT
from adapters.webpush.pace import Pace
from adapters.webpush.pipe import Pipe
from alertd.ports.clock import Clock

A_TURN: Final = 128
"""Requests written in one turn of the loop: less than a millisecond of it."""
STARTS: Final = 6
"""Times a request may be put on a stream, where servers swear not to have processed it."""
SWEEP: Final = 0.25
"""Seconds between looks at what is over its time, while anything is under way."""
IDLE_SWEEP: Final = 5.0
RE_ASK: Final = 600.0
"""Seconds until a server without HTTP/2 is asked again whether it speaks it."""


class Origin:
    """Keeper of its connections. What ends is given to `end`; `over` is called when nothing of it is left.

    `connect_within` seconds are given to each connection for opening.
    """

    def __init__(
        self,
        name: str,
        dialler: Dialler,
        clock: Clock,
        fallback: Fallback,
        end: Callable[[list[Outcome]], None],
        over: "Callable[[str, Origin], None]",
        *,
        connect_within: float,
        connections: int,
    ) -> None:
        self._name = name
        self._now = clock.monotonic
        self._end = end
        self._over = over
        self._connect_within = connect_within
        self._loop = asyncio.get_running_loop()
        self._queue: deque[Request] = deque()
        self._fleet = Fleet(name, dialler, self, clock.monotonic, most=connections)
        self._detour = Detour(name, fallback, clock.monotonic, self._detoured)
        self._plain_until = -math.inf
        self._pace = Pace()
        self._pumping = False
        self._timer: asyncio.TimerHandle | None = None
        self._brisk = False
        self._closed = False

    def post(self, requests: Sequence[Request]) -> None:
        self._queue.extend(requests)
        if not self._pumping:
            self._pump_soon()
        if not self._brisk:
            self._sweep_in(SWEEP)

    def cancel(self, answered: Answered) -> None:
        """Forget what was to be answered so: not written if it was not, reset if it was."""
        kept = [request for request in self._queue if request.answered != answered]
        self._queue.clear()
        self._queue.extend(kept)
        for pipe in tuple(self._fleet.pipes):
            pipe.withdraw(answered)
        self._detour.withdraw(answered)
        self._pump_soon()

    async def warm(self) -> None:
        """Have one connection, and keep it as if it had been used now."""
        self._fleet.used = self._now()
        if not self._fleet.pipes and self._now() >= self._plain_until:
            self._fleet.grow(self._connect_within)
            await self._fleet.dialled()
        if not self._brisk:
            self._sweep_in(IDLE_SWEEP)

    async def close(self) -> None:
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._fail(NEVER_SENT)
        await self._fleet.close()
        self._end(await self._detour.close())

    # --- told by pipes and fleet -----------------------------------------------------------------------------------

    def answered(self, pipe: Pipe, outcomes: list[Outcome]) -> None:
        connection = pipe.connection
        if connection.take_strains():
            self._pace.strain(self._now(), self._fleet.in_flight + len(outcomes))
        elif outcomes and self._pace.limit < math.inf:
            self._pace.relax(len(outcomes), self._fleet.capacity)
        again = connection.take_again()
        if again:
            self._start_again(again)
        if outcomes:
            self._end(outcomes)
        if connection.draining:
            self._fleet.retire(pipe)
        if self._queue and not self._pumping:
            self._pump_soon()

    def lost(self, pipe: Pipe, outcomes: list[Outcome]) -> None:
        if outcomes:
            self._end(outcomes)
        if self._fleet.remove(pipe) and pipe.connection.unused and not self._fleet.pipes:
            self._fail(NEVER_SENT)  # it greets and hangs up: dialling again at once would go on for ever
        self._pump_soon()

    def reached(self) -> None:
        self._plain_until = -math.inf
        self._pump_soon()

    def unreachable(self, why: Failure) -> None:
        self._fail(why)

    def speaks_no_http2(self) -> None:
        self._plain_until = self._now() + RE_ASK
        self._pump_soon()

    # ---------------------------------------------------------------------------------------------------------------

    def _pump_soon(self) -> None:
        if not self._pumping and not self._closed:
            self._pumping = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Write what may be written, at most a turn's worth; see to more connections where these are full."""
        self._pumping = False
        queue, fleet = self._queue, self._fleet
        if not queue or self._closed:
            return
        now = self._now()
        if now < self._plain_until:
            self._detour.start(queue)
            return
        fleet.used = now
        allowed = self._pace.room(fleet.in_flight)
        left = int(min(A_TURN, allowed))
        for pipe in fleet.pipes:
            if left <= 0 or not queue:
                break
            if pipe.room:
                left -= pipe.start(queue, left)
        if queue and left <= 0 and allowed > A_TURN:
            self._pump_soon()
        elif (queue and left > 0) or fleet.is_ageing:
            fleet.grow(self._connect_within)

    def _start_again(self, requests: list[Request]) -> None:
        """Before all others, in their order; but not for ever."""
        fresh = [request for request in requests if request.starts < STARTS]
        self._end([(request, NEVER_SENT) for request in requests if request.starts >= STARTS])
        self._queue.extendleft(reversed(fresh))

    def _detoured(self, outcomes: list[Outcome]) -> None:
        self._end(outcomes)
        if self._queue:
            self._pump_soon()

    def _fail(self, why: Failure) -> None:
        self._end([(request, why) for request in self._queue])
        self._queue.clear()

    def _sweep_in(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._brisk = seconds == SWEEP
        self._timer = None if self._closed else self._loop.call_later(seconds, self._sweep)

    def _sweep(self) -> None:
        now = self._now()
        if self._queue and any(request.deadline <= now for request in self._queue):
            kept = [request for request in self._queue if request.deadline > now]
            self._end([(request, NEVER_SENT) for request in self._queue if request.deadline <= now])
            self._queue.clear()
            self._queue.extend(kept)
        for pipe in tuple(self._fleet.pipes):
            outcomes = pipe.look(now)
            self.answered(pipe, outcomes)
        self._fleet.look(now, self._connect_within)
        busy = bool(self._queue) or not self._fleet.is_idle
        if busy or not self._fleet.is_over or len(self._detour) or now < self._plain_until:
            self._sweep_in(SWEEP if busy else IDLE_SWEEP)
        else:
            self._brisk, self._timer = False, None
            self._over(self._name, self)
