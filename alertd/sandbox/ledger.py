"""What a stand-in received: counts per recipient, repeats, arrival times, and who came back too early."""

import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

EVERYBODY = ""
GRACE = 0.1  # a request may have left before the "slow down" it ignores had arrived


class Early(NamedTuple):
    """A request `since` seconds after a Retry-After was announced and `left` seconds before it ended."""

    recipient: str
    since: float
    left: float


@dataclass(slots=True)
class _Window:
    announced: float
    until: float


class Ledger:
    """Counts in memory; at most `keep` last bodies, one per recipient. Times are seconds of time.monotonic,
    which all processes of one Linux machine share, and of time.time."""

    def __init__(self, *, keep: int = 20_000, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep = keep
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.requests = 0
        self.first_request: float | None = None
        self.counts: Counter[str] = Counter()
        self.duplicates: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.arrivals = array("d")
        self.wall = array("d")
        self.bodies: dict[str, bytes] = {}
        self.early: list[Early] = []
        self._seen: set[tuple[str, bytes]] = set()
        self._pool: dict[bytes, bytes] = {}
        self._windows: dict[str, _Window] = {}

    # --- while it runs --------------------------------------------------------------------------------------

    def arrived(self, recipient: str) -> float:
        """A request came, whatever becomes of it. Returns when (monotonic)."""
        now = self._clock()
        self.requests += 1
        if self.first_request is None:
            self.first_request = now
        for scope in (EVERYBODY, recipient):
            window = self._windows.get(scope)
            if window is not None and now < window.until:
                self.early.append(Early(recipient, now - window.announced, window.until - now))
        return now

    def took(self, recipient: str, identity: bytes, body: bytes, *, at: float) -> bool:
        """A message was taken. `identity` is what makes a repeat a repeat; False for a repeat."""
        self.counts[recipient] += 1
        self.arrivals.append(at)
        self.wall.append(time.time() - (self._clock() - at))
        if recipient in self.bodies or len(self.bodies) < self._keep:
            self.bodies[recipient] = self._pool.setdefault(body, body)
        key = (recipient, identity)
        if key in self._seen:
            self.duplicates[recipient] += 1
            return False
        self._seen.add(key)
        return True

    def announce(self, seconds: float, recipient: str = EVERYBODY) -> None:
        """A Retry-After was sent. Windows that overlap are one, begun by the first."""
        now = self._clock()
        window = self._windows.get(recipient)
        if window is None or now >= window.until:
            self._windows[recipient] = _Window(now, now + seconds)
        else:
            window.until = max(window.until, now + seconds)

    def answered(self, status: int) -> None:
        self.answers[status] += 1

    # --- afterwards -----------------------------------------------------------------------------------------

    @property
    def messages(self) -> int:
        return len(self.arrivals)

    def inside_retry_after(self, grace: float = GRACE) -> list[Early]:
        """The requests that ignored an announced wait, but for those within `grace` seconds of its saying."""
        return [early for early in self.early if early.since > grace]

    def stats(self) -> dict[str, object]:
        """The sums, ready for JSON."""
        return {
            "requests": self.requests,
            "messages": self.messages,
            "recipients": len(self.counts),
            "duplicates": self.duplicates.total(),
            "answers": {str(status): count for status, count in sorted(self.answers.items())},
            "inside_retry_after": len(self.inside_retry_after()),
            "first_request": self.first_request,
            "first_arrival": self.arrivals[0] if self.arrivals else None,
            "last_arrival": self.arrivals[-1] if self.arrivals else None,
            "first_arrival_wall": self.wall[0] if self.wall else None,
            "last_arrival_wall": self.wall[-1] if self.wall else None,
        }
