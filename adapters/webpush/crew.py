"""The worker processes of one deriver: started when called, replaced when they die, given up when they keep dying."""

import asyncio
from collections import deque
from typing import Final

from structlog.typing import FilteringBoundLogger

from adapters.webpush.process import Lost, Worker, working

WORKERS: Final = 2
DEPTH: Final = 2
"""Questions open at one worker: the next is there when it has answered the last."""
DEATHS: Final = 3
WITHIN: Final = 60.0
"""Seconds. So many deaths within them, and the crew is given up until it has rested."""


class Crew:
    """Belongs to one event loop. `kindness` is the workers' nice value; under a load of others they come last."""

    def __init__(self, log: FilteringBoundLogger, kindness: int) -> None:
        self._log = log
        self._kindness = kindness
        self._keepers: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._workers: set[Worker] = set()
        self._free: asyncio.Queue[Worker | None] = asyncio.Queue()
        self._deaths: deque[float] = deque(maxlen=DEATHS)
        self._given_up = False

    @property
    def pids(self) -> frozenset[int]:
        """Of those ready for questions."""
        return frozenset(worker.pid for worker in self._workers)

    def call(self) -> None:
        """Have the workers started unless they are."""
        if not self._keepers and not self._given_up:
            self._keepers = {asyncio.create_task(self._keep()) for _ in range(WORKERS)}

    async def ask(self, content: bytes) -> bytes | None:
        """The answer, of whichever worker gets to it; None while there is none. A lost question is asked again."""
        while self._workers:
            worker = await self._free.get()
            if worker is None:
                self._free.put_nowait(None)  # for whoever waits besides
                return None
            try:
                return await worker.ask(content)
            except Lost:
                continue
        return None

    def rest(self) -> None:
        """Let the workers go; nobody may be asking. What was held against them is forgotten."""
        for keeper in self._keepers:
            keeper.cancel()
            self._leaving.add(keeper)
            keeper.add_done_callback(self._leaving.discard)
        self._keepers = set()
        self._workers.clear()
        self._free = asyncio.Queue()
        self._deaths.clear()
        self._given_up = False

    async def close(self) -> None:
        """Return when no process is left."""
        self._free.put_nowait(None)
        self._given_up = True
        everyone = self._keepers | self._leaving
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*everyone, return_exceptions=True)

    async def _keep(self) -> None:
        """One worker after another in one place."""
        while not self._given_up:
            try:
                async with working(self._kindness) as worker:
                    await worker.greet()
                    await self._employ(worker)
            except Exception as fault:  # noqa: BLE001 - whatever it was: who waits must not wait for nobody
                self._mourn(fault)

    async def _employ(self, worker: Worker) -> None:
        free = self._free
        self._workers.add(worker)
        for _ in range(DEPTH):
            free.put_nowait(worker)
        try:
            await worker.listen(lambda: free.put_nowait(worker))
        finally:
            self._workers.discard(worker)

    def _mourn(self, fault: Exception) -> None:
        now = asyncio.get_running_loop().time()
        self._deaths.append(now)
        if not self._given_up and len(self._deaths) == DEATHS and now - self._deaths[0] < WITHIN:
            self._given_up = True
            self._log.warning(
                "worker processes keep dying: envelopes are derived in threads",
                deaths=DEATHS,
                last=type(fault).__name__,
            )
            for keeper in self._keepers - {asyncio.current_task()}:
                keeper.cancel()
            self._free.put_nowait(None)
