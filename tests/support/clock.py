"""A clock that stands still until it is moved."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


class ManualClock:
    """`advance` moves both hands and wakes, in order, those whose sleep has ended."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed = 0.0
        self._order = itertools.count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None], str]] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        task = asyncio.current_task()
        who = task.get_name() if task is not None else ""
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), woken, who))
        await woken

    @property
    def sleeping(self) -> int:
        """How many sleep now."""
        return len(self.asleep)

    @property
    def asleep(self) -> list[str]:
        """The tasks that sleep now, by name."""
        return [who for _, _, woken, who in self._sleepers if not woken.done()]

    async def advance(self, seconds: float) -> None:
        """Move on, stopping at each sleeper's moment so that what it does next happens at that moment."""
        end = self._elapsed + seconds
        await settle_down()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken, _ = heapq.heappop(self._sleepers)
            self._elapsed = max(self._elapsed, at)
            if not woken.done():
                woken.set_result(None)
                await settle_down()
        self._elapsed = end
        await settle_down()

    async def jump(self, seconds: float) -> None:
        """Move on at once; everybody whose sleep has ended meanwhile wakes now, and once."""
        self._elapsed += seconds
        while self._sleepers and self._sleepers[0][0] <= self._elapsed:
            woken = heapq.heappop(self._sleepers)[2]
            if not woken.done():
                woken.set_result(None)
        await settle_down()


class RealClock:
    """The machine's own, for tests that talk to real servers."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def settle_down(rounds: int = 20) -> None:
    """Let every task that can run do so, a few steps deep."""
    for _ in range(rounds):
        await asyncio.sleep(0)
