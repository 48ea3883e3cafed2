"""What stands between a page and its channel: pace, slots, and the precedence of the emergency.

One gate per open channel, shared by its lanes.
"""

import asyncio
from collections import deque

from alertd.core.circuits import Circuits
from alertd.domain.priority import PRIORITIES, RESERVED
from alertd.ports.clock import Clock

_BURST_SECONDS = 0.02
_GLANCE = 0.2  # a waiting page looks up this often whether its alert was revoked meanwhile
_ENOUGH = 50
_TICK = 0.001  # no clock is finer than this, and a shorter wait might not move it at all


class Gate:
    """`rate` in parcels a second, None for any.

    `concurrency` parcels may be out at once for the emergency, and as many for everything else.
    """

    def __init__(self, clock: Clock, *, rate: float | None, concurrency: int, circuits: Circuits) -> None:
        self._clock = clock
        self.circuits = circuits
        self._rate = rate
        self._bucket = _Bucket(clock, rate) if rate else None
        self._in_flight = dict.fromkeys(PRIORITIES, 0)
        self._moved = asyncio.Event()
        self._free = {True: concurrency, False: concurrency}
        self._queues: dict[bool, deque[asyncio.Future[None]]] = {True: deque(), False: deque()}
        self._granted = 0
        self._busy = 0.0
        self._busy_since: float | None = None
        self.stopping = False

    # --- precedence and pace ---------------------------------------------------

    def enter(self, priority: int) -> None:
        """A page of this priority is on its way."""
        if not any(self._in_flight.values()):
            self._busy_since = self._clock.monotonic()
        self._in_flight[priority] += 1

    def leave(self, priority: int) -> None:
        self._in_flight[priority] -= 1
        if self._busy_since is not None and not any(self._in_flight.values()):
            self._busy += self._clock.monotonic() - self._busy_since
            self._busy_since = None
        self._move()

    @property
    def pace(self) -> float | None:
        """Parcels a second while busy, or the configured rate; None before enough was sent to tell."""
        if self._granted < _ENOUGH or self._busy <= 0:
            return self._rate
        return self._granted / self._busy

    async def turn(self, priority: int, up_to: int) -> int:
        """Wait for this priority's turn; how many may start now, 0 to look again (something may have changed)."""
        if self.stopping:
            return 0
        if self._overtaken(priority):
            await self._pause(_GLANCE)
            return 0
        reserved = priority in RESERVED
        if not self._free[reserved]:
            await self._slot(reserved)
            return 0
        granted = min(up_to, self._free[reserved])
        if self._bucket is not None:
            granted, wait = self._bucket.take(granted)
            if not granted:
                await self._pause(min(wait, _GLANCE))
        self._granted += granted
        self._free[reserved] -= granted
        return granted

    def settled(self, priority: int) -> None:
        """One that was out has its verdict: another may start."""
        self._free[priority in RESERVED] += 1
        self._wake(priority in RESERVED)

    def give_back(self, priority: int, count: int) -> None:
        """Granted, but not used."""
        self._granted -= count
        self._free[priority in RESERVED] += count
        for _ in range(count):
            self._wake(priority in RESERVED)
        if self._bucket is not None:
            self._bucket.give_back(count)

    def stop(self) -> None:
        """Nothing starts any more."""
        self.stopping = True
        self._move()
        for reserved, queue in self._queues.items():
            for _ in range(len(queue)):
                self._wake(reserved)

    # ---------------------------------------------------------------------------------------------------------------

    def _overtaken(self, priority: int) -> bool:
        return any(self._in_flight[sooner] for sooner in RESERVED if sooner < priority)

    async def _slot(self, reserved: bool) -> None:  # noqa: FBT001  which of the two queues, not a switch
        """Wait in line until one that is out has settled; one verdict wakes one waiter, never the whole crowd."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues[reserved].append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self._wake(reserved)  # woken and cancelled at once: the next in line must not miss it
            raise

    def _wake(self, reserved: bool) -> None:  # noqa: FBT001
        queue = self._queues[reserved]
        while queue:
            waiter = queue.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _pause(self, seconds: float) -> None:
        moved = asyncio.ensure_future(self._moved.wait())
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((moved, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            moved.cancel()
            timer.cancel()


class _Bucket:
    """A token bucket whose burst is so small that no second sees more than the rate and one."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._size = max(1.0, rate * _BURST_SECONDS)
        self._tokens = 1.0
        self._at = clock.monotonic()

    def take(self, up_to: int) -> tuple[int, float]:
        """How many now (at least one, or none), and in how many seconds the next."""
        now = self._clock.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now
        granted = min(up_to, int(self._tokens))
        self._tokens -= granted
        return granted, max(_TICK, (1.0 - self._tokens) / self._rate)

    def give_back(self, count: int) -> None:
        self._tokens = min(self._size, self._tokens + count)
