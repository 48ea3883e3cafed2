"""Messages a second that channels share, as those of one bot do: who is served next, and the budgets of all channels.

First the emergency, then what reaches many with one message, then the lower priority number; equals take turns.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from alertd.core.pacing import Pacer
from alertd.domain.priority import PRIORITIES, RESERVED
from alertd.ports.adapter import Traits
from alertd.ports.clock import Clock

GLANCE: Final = 0.2
"""Seconds after which who waits is let go to see whether his alert was revoked meanwhile."""

_Name = tuple[str, str]


@dataclass(slots=True, eq=False)
class _Waiter:
    up_to: int
    since: float
    granted: "asyncio.Future[int]"


@dataclass(slots=True, eq=False)
class _Line:
    """Those of one channel and priority who wait. `served`: when last, counted in grants of the whole budget."""

    rank: tuple[bool, bool, int]
    served: int = 0
    waiting: deque[_Waiter] = field(default_factory=deque)

    @property
    def order(self) -> tuple[tuple[bool, bool, int], int]:
        return self.rank, self.served


class Share:
    """One channel's part in a budget."""

    def __init__(self, budget: "Budget", *, broadcast: bool) -> None:
        self._budget = budget
        self._lines = {p: _Line((p not in RESERVED, not broadcast, p)) for p in PRIORITIES}

    @property
    def rate(self) -> float:
        return self._budget.rate

    def take(self, priority: int, up_to: int) -> int:
        """How many may start at once; 0 where the pace forbids it or somebody who waits goes first."""
        return self._budget.take(self._lines[priority], up_to)

    async def wait(self, priority: int, up_to: int) -> int:
        """How many may start, when it is this channel's turn; 0 after GLANCE seconds or `look_again`."""
        return await self._budget.wait(self._lines[priority], up_to)

    def give_back(self, count: int) -> None:
        """Granted, but not used."""
        self._budget.give_back(count)

    def look_again(self) -> None:
        """Let go all of this channel who wait: something has changed."""
        self._budget.dismiss(self._lines.values())


class Budget:
    """One pace, and the lines of those who wait for it. `rate` in messages a second."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._pacer = Pacer(rate, clock.monotonic())
        self._waiting: set[_Line] = set()
        self._grants = itertools.count(1)
        self._serving: asyncio.Task[None] | None = None

    def share(self, *, broadcast: bool) -> Share:
        return Share(self, broadcast=broadcast)

    @property
    def rate(self) -> float:
        return self._pacer.rate

    def change(self, rate: float) -> None:
        """From now on; what was sent before still counts."""
        self._pacer.change(rate)

    @property
    def idle(self) -> bool:
        """Nobody waits, and nothing was granted that a new budget would have to know of."""
        return not self._waiting and not self._pacer.remembers(self._clock.monotonic())

    def take(self, line: _Line, up_to: int) -> int:
        if self._waiting and (line.waiting or any(other.order < line.order for other in self._waiting)):
            return 0
        granted = self._pacer.take(self._clock.monotonic(), up_to)
        if granted:
            line.served = next(self._grants)
        return granted

    async def wait(self, line: _Line, up_to: int) -> int:
        granted: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(up_to, self._clock.monotonic(), granted)
        line.waiting.append(waiter)
        self._waiting.add(line)
        if self._serving is None:
            self._serving = asyncio.create_task(self._serve(), name="budget")
        try:
            return await granted
        except asyncio.CancelledError:
            if not granted.cancelled():
                self.give_back(granted.result())  # granted and cancelled at once: the next in line must not miss it
            elif waiter in line.waiting:
                line.waiting.remove(waiter)
                self._tidy(line)
            raise

    def give_back(self, count: int) -> None:
        self._pacer.give_back(count)
        self._grant()

    def dismiss(self, lines: Iterable[_Line]) -> None:
        for line in lines:
            while line.waiting:
                _tell(line.waiting.popleft(), 0)
            self._tidy(line)

    async def _serve(self) -> None:
        """While anybody waits. The clock is asked for one wait at a time, however many wait."""
        while self._waiting:
            await self._clock.sleep(min(self._pacer.wait(self._clock.monotonic()), GLANCE))
            self._grant()
            self._let_look()
        self._serving = None

    def _grant(self) -> None:
        """As much as the pace allows, in the order of precedence."""
        now = self._clock.monotonic()
        while self._waiting:
            line = min(self._waiting, key=_order)
            waiter = line.waiting[0]
            if not waiter.granted.done():  # else it is being cancelled
                granted = self._pacer.take(now, waiter.up_to)
                if not granted:
                    return
                line.served = next(self._grants)
                _tell(waiter, granted)
            line.waiting.popleft()
            self._tidy(line)

    def _let_look(self) -> None:
        long_ago = self._clock.monotonic() - GLANCE
        for line in tuple(self._waiting):
            while line.waiting and line.waiting[0].since <= long_ago:
                _tell(line.waiting.popleft(), 0)
            self._tidy(line)

    def _tidy(self, line: _Line) -> None:
        if not line.waiting:
            self._waiting.discard(line)
        if not self._waiting and self._serving is not None and self._serving is not asyncio.current_task():
            self._serving.cancel()
            self._serving = None


class Budgets:
    """The budgets of all channels. They outlive a reload, so that it is no excuse for a burst."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[_Name, Budget] = {}

    def arrange(self, channels: Mapping[str, Traits]) -> None:
        """These are the channels from now on. Where those of one budget differ in their rate, the lowest holds.

        A budget that nobody names any more is kept while what it granted still counts.
        """
        rates: dict[_Name, float] = {}
        for channel, traits in channels.items():
            if traits.rate is not None:
                name = _name(channel, traits)
                rates[name] = min(traits.rate, rates.get(name, traits.rate))
        self._known = {name: budget for name, budget in self._known.items() if name in rates or not budget.idle}
        for name, rate in rates.items():
            if name in self._known:
                self._known[name].change(rate)
            else:
                self._known[name] = Budget(self._clock, rate)

    def share(self, channel: str, traits: Traits) -> Share | None:
        """This channel's part, None where it has no rate. KeyError where `arrange` was not told of it."""
        if traits.rate is None:
            return None
        return self._known[_name(channel, traits)].share(broadcast=not traits.addressed)


def _name(channel: str, traits: Traits) -> _Name:
    """A channel that shares with nobody has a budget of its own."""
    return (traits.budget, "") if traits.budget else ("", channel)


def _tell(waiter: _Waiter, granted: int) -> None:
    if not waiter.granted.done():
        waiter.granted.set_result(granted)


def _order(line: _Line) -> tuple[tuple[bool, bool, int], int]:
    return line.order
