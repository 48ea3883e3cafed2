"""The way to a push service without HTTP/2: the library client, a bounded number of requests at once."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from adapters.exchange import Failure, Reply
from adapters.webpush.http2 import Answered, Outcome, Profile, Request
from alertd.domain.delivery import Reason, Retry

AT_ONCE: Final = 64
"""Requests, each of which takes a connection of its own in HTTP/1.1."""

Fallback = Callable[[str, bytes, Profile, bytes, float], Awaitable[Reply | Failure]]
"""fallback(origin, path, profile, body, within)"""


class Detour:
    """Of one origin. `done` is called, from the loop, as each ends; one that was withdrawn has no end."""

    def __init__(
        self, origin: str, fallback: Fallback, now: Callable[[], float], done: Callable[[list[Outcome]], None]
    ) -> None:
        self._origin = origin
        self._fallback = fallback
        self._now = now
        self._done = done
        self._tasks: dict[asyncio.Task[None], Request] = {}

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, queue: deque[Request]) -> None:
        """Take as many from the left of `queue` as may be under way."""
        while queue and len(self._tasks) < AT_ONCE:
            request = queue.popleft()
            task = asyncio.get_running_loop().create_task(self._send(request))
            self._tasks[task] = request
            task.add_done_callback(self._end)

    def withdraw(self, answered: Answered) -> None:
        for task, request in self._tasks.items():
            if request.answered == answered:
                task.cancel()

    async def close(self) -> list[Outcome]:
        """End all; what was under way may have arrived."""
        left = dict(self._tasks)
        for task in left:
            task.remove_done_callback(self._end)
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        self._tasks.clear()
        return [(request, Retry(Reason.BROKEN)) for request in left.values()]

    async def _send(self, request: Request) -> None:
        within = max(request.deadline - self._now(), 0.001)
        outcome = await self._fallback(self._origin, request.path, request.profile, request.body, within)
        self._done([(request, outcome)])

    def _end(self, task: asyncio.Task[None]) -> None:
        request = self._tasks.pop(task)
        if not task.cancelled() and task.exception() is not None:
            self._done([(request, Retry(Reason.BUG))])
            return
        self._done([])
