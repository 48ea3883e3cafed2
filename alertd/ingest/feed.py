"""Which messages of a feed were read, which wait, and which cannot be had."""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Final, NamedTuple

from alertd.domain.signal import Violation
from alertd.ingest.readers.cap_feed import Entry

MOST_SEEN: Final = 20_000
GONE_TRIES: Final = 5
"""So often in a row a server says that there is no such document before it is believed: an entry may be listed a
little before its document is there."""
LONGEST_WAIT: Final = 3600.0

Mark = tuple[str, datetime | None]


class _Trouble(NamedTuple):
    """How often a document could not be had, how often because it is gone, when it is asked for again."""

    tries: int
    gone: int
    again: float
    why: str


class Feed:
    """Kept in memory alone: read again after a restart, a message says nothing new, for the rules remember it. A
    message is not given up while the feed lists it, unless its document is gone; it is asked for less and less often.
    `every` is the time between two polls, in seconds."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._seen: OrderedDict[Mark, None] = OrderedDict()
        self._waiting: dict[str, Entry] = {}
        self._troubles: dict[Mark, _Trouble] = {}
        self._given_up: list[Violation] = []

    def lists(self, listed: tuple[Entry, ...]) -> None:
        """What the feed lists now; what it lists no more is not waited for."""
        self._waiting = {entry.id: entry for entry in listed if _mark(entry) not in self._seen}
        marks = {_mark(entry) for entry in self._waiting.values()}
        self._troubles = {mark: trouble for mark, trouble in self._troubles.items() if mark in marks}

    def next(self, most: int, now: float) -> list[Entry]:
        """The newest that wait and are due, so that a long list does not keep today's warning behind last week's. Those
        that failed before come after those never asked for."""
        due = [entry for entry in self._waiting.values() if self._again(entry) <= now]
        newest = sorted(due, key=moment, reverse=True)
        return sorted(newest, key=lambda entry: _mark(entry) in self._troubles)[:most]

    def _again(self, entry: Entry) -> float:
        trouble = self._troubles.get(_mark(entry))
        return float("-inf") if trouble is None else trouble.again

    def read(self, entry: Entry) -> None:
        mark = _mark(entry)
        self._waiting.pop(entry.id, None)
        self._troubles.pop(mark, None)
        self._seen[mark] = None
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def failed(self, entry: Entry, now: float, why: str, *, gone: bool = False) -> None:
        """Asked for again with the next poll, then after twice the time each time. `now` in steady seconds."""
        mark = _mark(entry)
        before = self._troubles.get(mark)
        tries = before.tries + 1 if before else 1
        times = (before.gone if before else 0) + 1 if gone else 0
        wait = min(self._every * (2 ** min(tries - 1, 12) - 1), LONGEST_WAIT)
        self._troubles[mark] = _Trouble(tries, times, now + wait, why)
        if times >= GONE_TRIES:
            self._given_up.append(Violation(f"entry {entry.id[:100]}", f"its document is given up: {why}"))
            self.read(entry)

    def lacking(self) -> str:
        """How many documents cannot be had, and why the last of them; empty where there are none."""
        if not self._troubles:
            return ""
        last = next(reversed(self._troubles.values()))
        return f"{len(self._troubles)} documents of its feed cannot be had: {last.why}"

    def given_up(self) -> tuple[Violation, ...]:
        """What was given up since this was last asked."""
        given_up, self._given_up = tuple(self._given_up), []
        return given_up


def moment(entry: Entry) -> datetime:
    """When it was changed last; what does not say it is older than all else."""
    return entry.updated or datetime.min.replace(tzinfo=UTC)


def _mark(entry: Entry) -> Mark:
    return entry.id, entry.updated
