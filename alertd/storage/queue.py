"""Jobs on their way to the writer's thread: urgent ones overtake."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """`work` runs on the thread that owns the connection; `future` belongs to the event loop, and so does `meanwhile`:
    it is called when all is said and only the disk has still to write."""

    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    urgent: bool
    meanwhile: Callable[[], None] | None = None


class JobQueue:
    """Filled from the event loop, emptied by one thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._urgent: deque[Job] = deque()
        self._ordinary: deque[Job] = deque()
        self._closed = False

    def put(self, job: Job) -> None:
        """Raises RuntimeError once closed."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the store is closed")
            (self._urgent if job.urgent else self._ordinary).append(job)
            self._changed.notify()

    def wait(self, seconds: float | None) -> bool:
        """Whether there is a job; returns early when one comes or the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._urgent or self._ordinary or self._closed, seconds)
            return bool(self._urgent or self._ordinary)

    def take_urgent(self) -> Job | None:
        with self._changed:
            return self._urgent.popleft() if self._urgent else None

    def take_ordinary(self) -> Job | None:
        with self._changed:
            return self._ordinary.popleft() if self._ordinary else None

    def drain(self) -> list[Job]:
        with self._changed:
            jobs = [*self._urgent, *self._ordinary]
            self._urgent.clear()
            self._ordinary.clear()
            return jobs

    @property
    def urgent_waiting(self) -> bool:
        return bool(self._urgent)

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Take no more; what is queued will still be done."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
