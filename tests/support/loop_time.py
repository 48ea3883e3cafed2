"""The running event loop's own clock, let run ahead: a timeout ends at once, however slow the machine is.

A short timeout in a test also cuts off what was to succeed, on a machine that is busy. So what is tested keeps a timeout
no machine needs, and time runs only while the test knows that somebody waits for what never comes.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

STEP = 1.0
"""Seconds at a time, once in a turn of the loop: who is getting on needs fewer turns than its timeout has seconds."""


@asynccontextmanager
async def running_ahead(stuck: Callable[[], object]) -> AsyncIterator[None]:
    """Inside, the loop's time goes on by STEP a turn as long as `stuck()` is true. It is never put back."""
    loop = asyncio.get_running_loop()
    real, ahead = loop.time, 0.0
    loop.time = lambda: real() + ahead  # type: ignore[method-assign]

    async def run() -> None:
        nonlocal ahead
        while True:
            await asyncio.sleep(0.001)
            if stuck():
                ahead += STEP

    running = asyncio.create_task(run())
    try:
        yield
    finally:
        running.cancel()
