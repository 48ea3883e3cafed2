"""A source that is asked: one document, or a feed and the CAP documents it leads to."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Final

import aiohttp

from alertd.domain.signal import Heard, Violation
from alertd.ingest.feed import Feed, moment
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
AT_ONCE: Final = 4
"""Documents of a feed that are fetched at the same time."""
TIMEOUTS: Final = 2
"""So many times the source's `timeout` may all documents of one poll take together."""
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
        self._feed = Feed(way.every.total_seconds()) if hearing.spec.reader == CAP_FEED else None

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
        durable = await self._take(self._hearing, heard)
        self._pulse.heard(heard)
        if durable and not any(violation.fatal for violation in heard.violations):
            self._tag = fetched.tag  # what could not be read whole, or kept, is asked for again

    @property
    def _url(self) -> str:
        since = self._clock.now().astimezone(UTC) - OVERLAP
        return self._way.url.replace("{since}", since.strftime("%Y-%m-%dT%H:%M:%S"))

    # --- a feed -----------------------------------------------------------------------------------------------------

    async def _follow(self, opened: aiohttp.ClientSession, feed: Feed) -> None:
        """All documents of one poll are judged together, so that what one of them takes back was never raised."""
        listed = await self._index(opened, feed)
        if listed is None:
            return
        documents = await self._documents(opened, feed)
        heard = await self._together([payload for _, payload in documents])
        if await self._take(self._hearing, heard):
            for entry, _ in documents:
                feed.read(entry)
        wrong = (*listed, *feed.given_up(), *(replace(one, fatal=False) for one in heard.violations))
        self._pulse.heard(Heard(heard.signals, wrong), kind="feed", lacking=feed.lacking())

    async def _together(self, payloads: list[bytes]) -> Heard:
        """What several documents say, in the order in which it was said."""
        every = [await self._hearing.hear(payload, self._clock.now()) for payload in payloads]
        signals = sorted((signal for heard in every for signal in heard.signals), key=lambda signal: signal.at)
        return Heard(tuple(signals), tuple(violation for heard in every for violation in heard.violations))

    async def _documents(self, opened: aiohttp.ClientSession, feed: Feed) -> list[tuple[Entry, bytes]]:
        """What can be had within the time of one poll, the oldest first; a few at a time, so that those that drip do
        not hold up the others."""
        waiting = deque(feed.next(self._way.max_links, self._clock.monotonic()))
        asked: dict[str, Entry] = {}
        got: list[tuple[Entry, bytes]] = []

        async def ask() -> None:
            while waiting:
                entry = waiting.popleft()
                asked[entry.id] = entry
                try:
                    got.append((entry, await self._document(opened, entry)))
                except Unfetched as error:
                    feed.failed(entry, self._clock.monotonic(), str(error), gone=error.gone)
                del asked[entry.id]

        with suppress(TimeoutError):
            async with asyncio.timeout(self._bounds.seconds * TIMEOUTS), asyncio.TaskGroup() as group:
                for _ in range(AT_ONCE):
                    group.create_task(ask())
        for entry in asked.values():
            feed.failed(entry, self._clock.monotonic(), "no whole answer within the time of one poll")
        return sorted(got, key=lambda document: moment(document[0]))

    async def _index(self, opened: aiohttp.ClientSession, feed: Feed) -> tuple[Violation, ...] | None:
        """What is wrong with the feed, its entries noted; None where it could not be read."""
        fetched = await fetch(opened, self._url, self._bounds, self._tag)
        if fetched is None:
            return ()
        config = FeedConfig.model_validate(self._hearing.spec.options.model_dump(include={"links"}))
        index = await asyncio.to_thread(entries, fetched.body, config, self._way.url)
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
