"""What stands between a page and its channel: pace, slots, and the precedence of the emergency.

One gate per open channel, shared by its lanes.
"""

import asyncio
from typing import Final

from alertd.core.budget import GLANCE, Share
from alertd.core.circuits import Circuits
from alertd.core.slots import Slots
from alertd.domain.priority import EVENT, PRIORITIES, RESERVED
from alertd.ports.clock import Clock

_ENOUGH: Final = 50
_NOBODY: Final = max(PRIORITIES) + 1


class Gate:
    """`share` is the channel's part in a budget of messages a second, None for any pace.

    `concurrency` parcels may be out at once for the emergency, and as many for everything else.
    """

    def __init__(self, clock: Clock, *, concurrency: int, circuits: Circuits, share: Share | None = None) -> None:
        self._clock = clock
        self.circuits = circuits
        self._share = share
        self._in_flight = dict.fromkeys(PRIORITIES, 0)
        self._foremost = _NOBODY  # of the reserved priorities in flight: it overtakes all that come after
        self._moved = asyncio.Event()
        reserved, common = Slots(concurrency), Slots(concurrency)
        self._slots = tuple(reserved if priority in RESERVED else common for priority in PRIORITIES)
        self._granted = 0
        self._busy = 0.0
        self._busy_since: float | None = None
        self.stopping = False

    # --- precedence and pace ---------------------------------------------------

    def enter(self, priority: int) -> None:
        """A page of this priority is on its way."""
        if not any(self._in_flight.values()):
            self._busy_since = self._clock.monotonic()
        self._in_flight[priority] += 1
        if priority in RESERVED and priority < self._foremost:
            self._foremost = priority
            self._slots[priority].look_again(after=priority)  # else they would be served first, being first in line

    def leave(self, priority: int) -> None:
        self._in_flight[priority] -= 1
        self._foremost = min((p for p in RESERVED if self._in_flight[p]), default=_NOBODY)
        if self._busy_since is not None and not any(self._in_flight.values()):
            self._busy += self._clock.monotonic() - self._busy_since
            self._busy_since = None
        self._move()

    @property
    def pace(self) -> float | None:
        """Parcels a second while busy, or the configured rate; None before enough was sent to tell."""
        if self._granted < _ENOUGH or self._busy <= 0:
            return self._share.rate if self._share is not None else None
        return self._granted / self._busy

    async def turn(self, priority: int, up_to: int) -> int:
        """Wait for this priority's turn; how many may start now, 0 to look again (something may have changed).

        Where nothing holds it up it returns at once, without a turn of the loop.
        """
        if self._barred(priority):
            if not self.stopping:
                await self._pause(GLANCE)
            return 0
        slots = self._slots[priority]
        granted = slots.take(up_to)
        if not granted:
            granted = await slots.wait(priority, up_to)
            if self._barred(priority):
                slots.put(granted)
                return 0
        if self._share is not None and granted:
            granted = await self._paced(self._share, slots, priority, granted)
        self._granted += granted
        return granted

    async def single(self, seconds: float) -> bool:
        """Wait for the pace alone, after all pages: may one message outside the alert road start?"""
        end = self._clock.monotonic() + seconds
        while self._share is not None and not self.stopping:
            if self._share.take(EVENT, 1) or await self._share.wait(EVENT, 1):
                return True
            if self._clock.monotonic() >= end:
                return False
        return not self.stopping

    def settled(self, priority: int, count: int = 1) -> None:
        """So many that were out have their verdict: others may start."""
        self._slots[priority].put(count)

    def give_back(self, priority: int, count: int) -> None:
        """Granted by the latest turn, but not used: said at once."""
        if count <= 0:
            return
        self._granted -= count
        self._slots[priority].put(count)
        if self._share is not None:
            self._share.give_back(count)

    def stop(self) -> None:
        """Nothing starts any more."""
        self.stopping = True
        self._move()
        for slots in set(self._slots):
            slots.look_again()
        if self._share is not None:
            self._share.look_again()

    # ---------------------------------------------------------------------------------------------------------------

    def _barred(self, priority: int) -> bool:
        return self.stopping or priority > self._foremost

    async def _paced(self, share: Share, slots: Slots, priority: int, up_to: int) -> int:
        """Nobody keeps a slot while he waits for the pace: else news that waits would keep it from what is sooner."""
        granted = share.take(priority, up_to)
        slots.put(up_to - granted)
        if granted:
            return granted
        granted = await share.wait(priority, up_to)
        started = 0 if self._barred(priority) else slots.claim(granted)
        if granted > started:
            share.give_back(granted - started)
        return started

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _pause(self, seconds: float) -> None:
        moved = asyncio.ensure_future(self._moved.wait())
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((moved, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            moved.cancel()
            timer.cancel()
