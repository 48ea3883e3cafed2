"""Deriving envelopes beside the event loop: at send time what was not ready, and while idle all the rest.

Few are derived by threads, at once. But half of a derivation holds the interpreter, so threads and the event loop take
it from each other; for many, processes are started, and the threads only bridge the time until those are there. They
do so too where no process can live.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, NamedTuple

from structlog.typing import FilteringBoundLogger

from adapters.webpush import frames
from adapters.webpush.crew import DEPTH, WORKERS, Crew
from adapters.webpush.envelope import BadKeys, Keys, derive_each
from adapters.webpush.subscription import read
from adapters.webpush.worker import step_back

THREADS: Final = 2
BATCH: Final = 16
"""Keys per hop, 2 to 4 ms."""
AT_ONCE: Final = WORKERS * DEPTH
"""Batches that keep all workers busy."""
FEW: Final = 256
"""Keys in a row that are not worth starting a process, which costs 60 ms and 24 MiB."""
IDLE: Final = 60.0
"""Seconds after which the processes are let go."""
KINDNESS: Final = 10
"""How far who works ahead steps back (nice): another's work goes first, ours is not starved."""


class Derived(NamedTuple):
    endpoint_id: int
    address: str
    envelope: bytes


class Deriver:
    """`kindness` is the nice value of what derives; it cannot be taken back, so each has a deriver of its own who has
    not the same urgency. Belongs to one event loop; `close` when nothing waits any more."""

    def __init__(self, log: FilteringBoundLogger, kindness: int = 0, *, idle: float = IDLE) -> None:
        self._crew = Crew(log, kindness)
        self._threads = ThreadPoolExecutor(
            THREADS, thread_name_prefix="webpush", initializer=step_back, initargs=(kindness,)
        )
        self._patience = idle
        self._row = 0
        self._waiting = 0
        self._idle: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def pids(self) -> frozenset[int]:
        """The processes that derive now, if any."""
        return self._crew.pids

    async def derive(self, keys: Sequence[Keys]) -> list[bytes | BadKeys]:
        """An envelope, or what is wrong, for each of the keys, in their order."""
        size = max(1, min(BATCH, -(-len(keys) // THREADS)))
        with self._busy(len(keys)):
            parts = await asyncio.gather(*[self._batch(keys[i : i + size]) for i in range(0, len(keys), size)])
        return [result for part in parts for result in part]

    async def prepare(self, endpoints: Sequence[tuple[int, str]]) -> Sequence[Derived]:
        """Read the addresses and derive for each; those with bad keys are left out. At most BATCH."""
        readable: list[tuple[int, str, Keys]] = []
        for endpoint_id, address in endpoints:
            try:
                readable.append((endpoint_id, address, read(address).keys))
            except ValueError:  # whoever sends to it will say so, of BadKeys too
                continue
        with self._busy(len(readable)):
            results = await self._batch([keys for _, _, keys in readable])
        found = zip(readable, results, strict=True)
        return [Derived(i, address, one) for (i, address, _), one in found if isinstance(one, bytes)]

    async def close(self) -> None:
        """Start nothing more, and return when no process is left. What a thread is at, it ends."""
        self._closed = True
        if self._idle is not None:
            self._idle.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self._crew.close()

    async def _batch(self, keys: Sequence[Keys]) -> list[bytes | BadKeys]:
        answer = await self._crew.ask(frames.question(keys))
        if answer is not None:
            return frames.answered(answer)
        return await asyncio.get_running_loop().run_in_executor(self._threads, derive_each, keys)

    @contextmanager
    def _busy(self, count: int) -> Iterator[None]:
        """Around each call: see that processes come when there is much to do, and go when there is nothing."""
        if self._idle is not None:
            self._idle.cancel()
        self._waiting += 1
        self._row += count
        if self._row > FEW and not self._closed:
            self._crew.call()
        try:
            yield
        finally:
            self._waiting -= 1
            if not self._waiting and not self._closed:
                self._idle = asyncio.get_running_loop().call_later(self._patience, self._rest)

    def _rest(self) -> None:
        self._row = 0
        self._crew.rest()
