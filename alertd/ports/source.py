"""What a feed or a sensor is to the core: something that, while it is open, hands in submissions.

No source ships in this version; `alertd.ingest` will hold them. The Protocol stands so that a source written now
meets the core only here, as an adapter does in `alertd.ports.adapter`.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing a source says. `key` is the same for a repeat; `payload` is what it said, byte for byte, for the
    evidence; `at` is when it was said, aware."""

    source: str
    key: str
    payload: bytes
    at: datetime


class Source(Protocol):
    """A configured source. Opening it connects; leaving closes; a fault inside never leaves its own task."""

    @property
    def name(self) -> str: ...

    def open(self) -> AbstractAsyncContextManager[AsyncIterator[Reading]]:
        """Readings as they come, without end. Raises OSError where it cannot be reached; its supervisor retries."""
        ...
