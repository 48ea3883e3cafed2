"""A source that is asked: one document, or a feed and the CAP documents it leads to."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import aiohttp

from alertd.domain.signal import Heard, Violation
from alertd.ingest.fetch import Bounds, Tag, Unfetched, fetch, session
from alertd.ingest.hearing import Hearing
from alertd.ingest.pulse import Pulse
from alertd.ingest.readers.cap_feed import Config as FeedConfig
from alertd.ingest.readers.cap_feed import Entry, entries
from alertd.ingest.source import CAP_FEED, Polled
from alertd.ports.clock import Chance, Clock

Take = Callable[[Hearing, Heard], Awaitable[bool]]
"""Act on what a source said; whether all that follows is durable. Never raises."""

OVERLAP: Final = timedelta(hours=24)
"""What `{since}` in an address goes back: earthquakes are revised."""
MOST_SEEN: Final = 20_000
TRIES: Final = 5
_EARLY: Final = 0.1
"""A poll comes up to a tenth of its interval early, so that a thousand town halls do not ask at once."""


class Poller:
    """`run` until cancelled. What one poll meets, the next one is none the worse for."""

    def __init__(self, hearing: Hearing, way: Polled, pulse: Pulse, take: Take, clock: Clock, chance: Chance) -> None:
        self._hearing = hearing
        self._way = way
        self._pulse = pulse
        self._take = take
        self._clock = clock
        self._chance = chance
        self._bounds = Bounds.of(way)
        self._tag = Tag()
        self._feed = Feed() if hearing.spec.reader == CAP_FEED else None

    async def run(self) -> None:
        async with session(self._way.ca_file) as opened:
            while True:
                await self.poll(opened)
                await self._clock.sleep(self._way.every.total_seconds() * (1 - _EARLY * self._chance()))

    async def poll(self, opened: aiohttp.ClientSession) -> None:
        """Ask once and act on it. Raises nothing that has to do with what is asked."""
        try:
            if self._feed is None:
                await self._ask(opened)
            else:
                await self._follow(opened, self._feed)
        except Unfetched as error:
            self._pulse.failed(str(error))

    async def _ask(self, opened: aiohttp.ClientSession) -> None:
        fetched = await fetch(opened, self._url, self._bounds, self._tag)
        if fetched is None:
            self._pulse.good()
            return
        heard = await self._hearing.hear(fetched.body, self._clock.now())
        await self._take(self._hearing, heard)
        self._pulse.heard(heard)
        if not any(violation.fatal for violation in heard.violations):
            self._tag = fetched.tag  # what could not be read whole is asked for again

    @property
    def _url(self) -> str:
        since = self._clock.now().astimezone(UTC) - OVERLAP
        return self._way.url.replace("{since}", since.strftime("%Y-%m-%dT%H:%M:%S"))

    # --- a feed -----------------------------------------------------------------------------------------------------

    async def _follow(self, opened: aiohttp.ClientSession, feed: "Feed") -> None:
        listed = await self._index(opened, feed)
        if listed is None:
            return
        documents: list[tuple[Entry, bytes]] = []
        failed: list[str] = []
        for entry in feed.next(self._way.max_links):
            try:
                documents.append((entry, await self._document(opened, entry)))
            except Unfetched as error:
                failed.append(str(error))
                feed.failed(entry)
        violations = listed
        for entry, payload in sorted(documents, key=_oldest_first):
            heard = await self._hearing.hear(payload, self._clock.now())
            violations = (*violations, *heard.violations)
            await self._take(self._hearing, heard)
            feed.read(entry)
            self._pulse.heard(Heard(heard.signals, tuple(one for one in heard.violations if not one.fatal)))
        if failed and not documents:
            raise Unfetched(f"{len(failed)} documents of its feed cannot be had: {failed[0]}")
        self._pulse.good()

    async def _index(self, opened: aiohttp.ClientSession, feed: "Feed") -> tuple[Violation, ...] | None:
        """What is wrong with the feed, its entries noted; None where it could not be read."""
        fetched = await fetch(opened, self._url, self._bounds, self._tag)
        if fetched is None:
            return ()
        config = FeedConfig.model_validate(self._hearing.spec.options.model_dump(include={"links"}))
        index = entries(fetched.body, config, self._way.url)
        if not index.entries and any(violation.fatal for violation in index.violations):
            self._pulse.heard(Heard((), index.violations), kind="feed")
            return None
        self._tag = fetched.tag
        feed.lists(index.entries)
        return index.violations

    async def _document(self, opened: aiohttp.ClientSession, entry: Entry) -> bytes:
        if entry.inline is not None:
            return entry.inline
        fetched = await fetch(opened, entry.link, self._bounds)
        if fetched is None or not fetched.body:
            raise Unfetched("it answers with nothing")
        return fetched.body


class Feed:
    """Which messages of a feed were read and which wait. Kept in memory alone: read again after a restart, a message
    says nothing new, for the rules remember it."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, datetime | None], None] = OrderedDict()
        self._waiting: dict[str, Entry] = {}
        self._tries: dict[str, int] = {}

    def lists(self, listed: tuple[Entry, ...]) -> None:
        """What the feed lists now; what it lists no more is not waited for."""
        self._waiting = {entry.id: entry for entry in listed if _mark(entry) not in self._seen}
        self._tries = {name: count for name, count in self._tries.items() if name in self._waiting}

    def next(self, most: int) -> list[Entry]:
        """The newest that wait, so that a long list does not keep today's warning behind last week's."""
        newest = sorted(self._waiting.values(), key=_moment, reverse=True)
        return newest[:most]

    def read(self, entry: Entry) -> None:
        self._waiting.pop(entry.id, None)
        self._tries.pop(entry.id, None)
        self._seen[_mark(entry)] = None
        while len(self._seen) > MOST_SEEN:
            self._seen.popitem(last=False)

    def failed(self, entry: Entry) -> None:
        """Tried again with the next polls, but not for ever."""
        self._tries[entry.id] = self._tries.get(entry.id, 0) + 1
        if self._tries[entry.id] >= TRIES:
            self.read(entry)


def _mark(entry: Entry) -> tuple[str, datetime | None]:
    return entry.id, entry.updated


def _moment(entry: Entry) -> datetime:
    return entry.updated or datetime.min.replace(tzinfo=UTC)


def _oldest_first(document: tuple[Entry, bytes]) -> datetime:
    return _moment(document[0])
