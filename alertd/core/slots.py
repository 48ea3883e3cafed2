"""How many parcels of a channel may be out at once, and the line of those who wait for one to come back."""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

_BATCH: Final = 64
_SHARE: Final = 8
"""Whoever waits is woken for a batch worth the turn of the loop: so many, or an eighth of all slots if that is less.
Never more than there are, so the line always moves; one, where there are few."""


@dataclass(slots=True, eq=False)
class _Waiter:
    priority: int
    wants: int
    woken: "asyncio.Future[None]"


class Slots:
    """`total` slots, handed out in batches and in the order of asking."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._batch = min(_BATCH, max(1, total // _SHARE))
        self._promised = 0  # to those who were woken and have not run yet
        self._line: deque[_Waiter] = deque()

    def take(self, up_to: int) -> int:
        """At once; 0 where there is no batch of them or somebody else waits for it."""
        free = self._free - self._promised
        if self._line or free < min(up_to, self._batch):
            return 0
        return self._grant(up_to, free)

    def claim(self, up_to: int) -> int:
        """At once whatever is free, for whom has waited in another line."""
        return self._grant(up_to, self._free - self._promised)

    async def wait(self, priority: int, up_to: int) -> int:
        """A batch when there is one; 0 after `look_again`."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(priority, min(up_to, self._batch), woken)
        self._line.append(waiter)
        try:
            await woken
        except asyncio.CancelledError:
            if not woken.cancelled():
                self._promised -= waiter.wants
            elif waiter in self._line:
                self._line.remove(waiter)
            self._wake()  # the next in line must not miss what this one leaves
            raise
        self._promised -= waiter.wants
        return self._grant(up_to, self._free - self._promised) if waiter.wants else 0

    def put(self, count: int) -> None:
        """So many are free again."""
        self._free += count
        if self._line:
            self._wake()

    def look_again(self, after: int = -1) -> None:
        """Let go those in line whose priority comes after this one."""
        let_go = [waiter for waiter in self._line if waiter.priority > after]
        self._line = deque(waiter for waiter in self._line if waiter.priority <= after)
        for waiter in let_go:
            waiter.wants = 0
            if not waiter.woken.done():
                waiter.woken.set_result(None)
        self._wake()

    def _grant(self, up_to: int, free: int) -> int:
        granted = min(up_to, free)
        self._free -= granted
        return granted

    def _wake(self) -> None:
        while self._line and self._free - self._promised >= self._line[0].wants:
            waiter = self._line.popleft()
            if not waiter.woken.done():  # else it is being cancelled
                self._promised += waiter.wants
                waiter.woken.set_result(None)
