"""Which alerts are in a feed, and each of them rendered once.

The list is read again only after something went out, when an alert in it has ended, when the configuration was
reloaded, or as a precaution after LOOK_AGAIN seconds. An entry is rendered when it is first listed; in slices, with
the loop free in between, so that ten thousand of them hold up nobody. Whatever touches every member is done in a thread
that sleeps a moment after every few: a thread that works on keeps the interpreter from the loop for 5 ms at a time.
"""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, TypeVar

from alertd.domain.alert import Alert
from alertd.domain.times import micros
from alertd.ports.adapter import Service
from alertd.ports.stores.reports import Published
from alertd.web.public.feeds.entry import entry_of
from alertd.web.public.feeds.formats import Format
from alertd.web.services import FeedTerms, Services

LOOK_AGAIN: Final = 15.0
SLICE: Final = 16
"""Alerts read and rendered at a time: one or two milliseconds."""
ROWS: Final = 250
BREATH: Final = 0.0001
"""Seconds a thread sleeps after so many rows: the loop gets the interpreter when it wants it, not 5 ms later."""

T = TypeVar("T")

_MICROSECOND: Final = timedelta(microseconds=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Member(NamedTuple):
    """`over`: it is listed as past. `released_at` in microseconds since 1970."""

    seq: int
    purpose: str
    released_at: int
    over: bool

    @property
    def key(self) -> int:
        """Of its entry: all else of an alert stays as it is. A number is hashed in no time."""
        return self.seq * 2 + self.over


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the list was made of. `until` (microseconds since 1970) is when time alone
    changes it; `at` is the clock that never steps."""

    edition: int
    service: Service
    terms: FeedTerms
    now: datetime
    until: int | None
    at: float


class Roll:
    """`real`: alerts of status Actual, else drills and tests. `members` are newest first; `number` tells lists apart.

    One caller at a time may `look` or ask for `entries`.
    """

    def __init__(self, services: Services, *, real: bool) -> None:
        self._services = services
        self._real = real
        self._seen: _Seen | None = None
        self._rendered: dict[str, dict[int, bytes]] = {}
        self.members: tuple[Member, ...] = ()
        self.number = 0

    @property
    def stale(self) -> bool:
        services, seen = self._services, self._seen
        if seen is None or services.clock.monotonic() - seen.at >= LOOK_AGAIN:
            return True
        now = services.clock.now()
        return (
            seen.edition != services.reports.edition
            or now < seen.now
            or (seen.until is not None and micros(now) >= seen.until)
            or seen.service != services.service()
            or seen.terms != services.feeds()
        )

    async def look(self) -> None:
        """Read the list again. Raises Unavailable, and then leaves all as it was."""
        services = self._services
        edition, service, terms = services.reports.edition, services.service(), services.feeds()
        now, at = services.clock.now(), services.clock.monotonic()
        rows = await services.reports.store.published(real=self._real, since=now - terms.past, now=now)
        members, until = await asyncio.to_thread(_listed, rows, now, terms, self.members)
        speaks_differently = self._seen is None or self._seen.service != service
        if speaks_differently:
            self._rendered.clear()
        if speaks_differently or members is not self.members:
            self.members, self.number = members, self.number + 1
            await asyncio.to_thread(_forget, self._rendered, members)
        self._seen = _Seen(edition, service, terms, now, until, at)

    async def entries(self, kind: Format, members: Sequence[Member]) -> list[bytes]:
        """These members rendered, those that were already not again. Raises Unavailable."""
        service = self._services.service()
        held = self._rendered.setdefault(kind.name, {})
        missing = await asyncio.to_thread(_missing, held, members)
        for start in range(0, len(missing), SLICE):
            part = missing[start : start + SLICE]
            alerts = await self._services.reports.store.contents([member.seq for member in part])
            held.update(await asyncio.to_thread(_render, kind, part, alerts, service))
        return await asyncio.to_thread(_gathered, held, members)


def breathing(items: Iterable[T]) -> Iterator[T]:
    """The same, in a thread, with the loop let through now and then."""
    for number, item in enumerate(items, 1):
        yield item
        if not number % ROWS:
            time.sleep(BREATH)


def _missing(held: Mapping[int, bytes], members: Sequence[Member]) -> list[Member]:
    return [member for member in breathing(members) if member.key not in held]


def _gathered(held: Mapping[int, bytes], members: Sequence[Member]) -> list[bytes]:
    return [held[member.key] for member in breathing(members)]


def _forget(rendered: Mapping[str, dict[int, bytes]], members: Sequence[Member]) -> None:
    """What is listed no longer. Run in a thread."""
    listed = {member.key for member in breathing(members)}
    for held in rendered.values():
        for key in [key for key in breathing(held) if key not in listed]:
            del held[key]


def _listed(
    rows: Sequence[Published], at: datetime, terms: FeedTerms, before: tuple[Member, ...]
) -> tuple[tuple[Member, ...], int | None]:
    """All that hold or take back what may still be held; then the newest that are over, up to the limit in all.

    With the moment at which time alone changes them. `before` itself where they are the same. Run in a thread.
    """
    now, past = micros(at), terms.past // _MICROSECOND
    room = terms.limit - sum(1 for row in breathing(rows) if row.ends_at > now or row.held_until > now)
    members, until = [], None
    for seq, purpose, released_at, ends_at, held_until in breathing(rows):
        if ends_at <= now and held_until <= now:
            room -= 1
            if room < 0:
                continue
        members.append(Member(seq, purpose, released_at, ends_at <= now))
        for moment in (ends_at, held_until, ends_at + past):
            if moment > now and (until is None or moment < until):
                until = moment
    same = len(members) == len(before) and all(old == new for old, new in breathing(zip(before, members, strict=True)))
    return (before if same else tuple(members)), until


def _render(kind: Format, members: Sequence[Member], alerts: Mapping[int, Alert], service: Service) -> dict[int, bytes]:
    return {
        member.key: kind.entry(
            entry_of(
                alerts[member.seq],
                service,
                released_at=_EPOCH + member.released_at * _MICROSECOND,
                over=member.over,
            )
        )
        for member in members
    }
