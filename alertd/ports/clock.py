"""Time and chance come through here, so that every timing rule can be tested without sleeping."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

Chance = Callable[[], float]
"""A number uniform in [0, 1), e.g. random.random."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds of this clock."""
        ...
