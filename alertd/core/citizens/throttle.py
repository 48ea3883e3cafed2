"""How often one key may do something: token buckets in a bounded table, on the clock port."""

from collections import OrderedDict

from alertd.ports.clock import Clock


class Throttle:
    """`burst` at once, then one every `interval` seconds, for each key apart.

    Each key costs one number (the generic cell rate algorithm: the moment its bucket would be full again). At
    most `keys` are remembered; the one longest unseen is forgotten first, which only ever forgives.
    """

    def __init__(self, clock: Clock, *, interval: float, burst: int, keys: int = 20_000) -> None:
        self._clock = clock
        self._interval = interval
        self._slack = interval * (burst - 1)
        self._keys = keys
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str) -> float:
        """0.0 where it may go on (and counts as done), else the seconds to wait before trying again."""
        now = self._clock.monotonic()
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - self._slack - now
        if wait > 0:
            self._full_at.move_to_end(key)
            return wait
        self._full_at[key] = full_at + self._interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._keys:
            self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)
