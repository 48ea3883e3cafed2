"""How many may start now: an even timetable that makes up for late timers, within a sliding second. Pure."""

import math
from collections import deque
from typing import Final

_DEBT: Final = 0.06
"""Seconds: who comes later than this after his time has lost what lies before. Timers of a busy loop are late by
some milliseconds; a burst after a pause must stay small."""

_TICK: Final = 0.001
"""Seconds. No clock is finer than this, and a shorter wait might not move it at all."""

_ROUNDING: Final = 1e-6


class Pacer:
    """`rate` messages a second. The whole number above it is never exceeded within any second, wherever it begins.

    So 29.5 stays below a provider's "30 a second" whatever it takes for a second, and 29 does too. Each message has
    its moment on a timetable, 1/rate after the one before, so that a late one does not delay the next. The latest
    messages are remembered for a little more than a second, which also leaves room for a network that
    delivers two of them closer than they were sent.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._due = now
        self._log: deque[tuple[float, int]] = deque()
        self._logged = 0
        self.change(rate)

    def change(self, rate: float) -> None:
        """From now on; what went before still counts."""
        self.rate = rate
        self._limit = math.floor(rate) + 1
        self._window = (1 + self._limit / rate) / 2

    def take(self, now: float, up_to: int) -> int:
        """How many of `up_to` may start now; they count as started."""
        self._due = max(self._due, now - _DEBT)
        due = math.floor((now - self._due) * self.rate + 1 + _ROUNDING)
        self._forget(now)
        granted = max(0, min(up_to, due, self._limit - self._logged))
        if granted:
            self._due += granted / self.rate
            self._log.append((now, granted))
            self._logged += granted
        return granted

    def wait(self, now: float) -> float:
        """Seconds until at least one may start; never less than a clock can tell apart."""
        self._forget(now)
        full = self._log[0][0] + self._window - now if self._log and self._logged >= self._limit else 0.0
        return max(_TICK, self._due - now, full)

    def give_back(self, count: int) -> None:
        """Of those just taken, so many were not used. At once, before the loop turns more than once.

        Which, nobody says: the latest are struck out. Should another have taken in between, what remains is older
        than it was by that turn, for which the window has room.
        """
        self._due -= count / self.rate
        while count > 0 and self._log:
            at, logged = self._log.pop()
            unused = min(logged, count)
            if logged > unused:
                self._log.append((at, logged - unused))
            self._logged -= unused
            count -= unused

    def remembers(self, now: float) -> bool:
        """Whether something was taken that still counts."""
        self._forget(now)
        return bool(self._log)

    def _forget(self, now: float) -> None:
        while self._log and self._log[0][0] + self._window <= now:
            self._logged -= self._log.popleft()[1]
