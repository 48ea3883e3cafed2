"""Deriving envelopes in threads beside the event loop: at send time what was not ready, and while idle all the rest.

The multiplication on the curve, more than half of it, releases the interpreter, so the loop need not be let in besides:
a sleep(0) after each cost 130 µs and made the loop no more punctual.
"""

import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from adapters.webpush.envelope import BadKeys, derive
from adapters.webpush.subscription import Keys, read

THREADS: Final = 2
BATCH: Final = 16
"""Keys per hop to a thread, about 2 ms."""
KINDNESS: Final = 10
"""How far threads that work ahead step back (nice): another process's work goes first, ours is not starved."""


class Derived(NamedTuple):
    endpoint_id: int
    address: str
    envelope: bytes


class Deriver:
    """A few threads. `kindness` is their nice value. Belongs to one event loop; `close` when nothing waits any more."""

    def __init__(self, kindness: int = 0) -> None:
        self._pool = ThreadPoolExecutor(
            THREADS, thread_name_prefix="webpush", initializer=_step_back, initargs=(kindness,)
        )

    async def derive(self, keys: Sequence[Keys]) -> list[bytes | BadKeys]:
        """An envelope, or what is wrong, for each of the keys, in their order."""
        loop = asyncio.get_running_loop()
        size = max(1, min(BATCH, -(-len(keys) // THREADS)))
        batches = [keys[i : i + size] for i in range(0, len(keys), size)]
        jobs = [loop.run_in_executor(self._pool, _derive_each, batch) for batch in batches]
        return [result for part in await asyncio.gather(*jobs) for result in part]

    async def prepare(self, endpoints: Sequence[tuple[int, str]], halted: Callable[[], bool]) -> Sequence[Derived]:
        """Read the addresses and derive for each; those with bad keys are left out.

        Ends early, with what is done, once `halted` (asked in the thread, before each).
        """
        return await asyncio.get_running_loop().run_in_executor(self._pool, _prepare, endpoints, halted)

    def close(self) -> None:
        """Start nothing more. What a thread is at, it ends."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _derive_each(keys: Sequence[Keys]) -> list[bytes | BadKeys]:
    results: list[bytes | BadKeys] = []
    for one in keys:
        try:
            results.append(derive(one))
        except BadKeys as fault:
            results.append(fault)
    return results


def _prepare(endpoints: Sequence[tuple[int, str]], halted: Callable[[], bool]) -> Sequence[Derived]:
    done: list[Derived] = []
    for endpoint_id, address in endpoints:
        if halted():
            break
        try:
            done.append(Derived(endpoint_id, address, derive(read(address).keys)))
        except ValueError:  # BadKeys too: whoever sends to it will say so
            continue
    return done


def _step_back(kindness: int) -> None:
    if kindness:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), kindness)
