"""The clock of the running daemon."""

import asyncio
import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `alertd.ports.clock.Clock` on the machine's own clocks and the running event loop."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
