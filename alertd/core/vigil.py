"""What every page in flight needs now and then, done by one task for all: its lease kept, an adapter given up on."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

from alertd.core.fittings import Fittings
from alertd.core.page import GatedPage
from alertd.domain.problems import Unavailable
from alertd.ports.stores.work import WorkStore

LEASE: Final = 60.0
STUCK: Final = 150.0
"""Seconds without a verdict after which an adapter is taken to be broken; adapters' own timeouts are shorter."""
ROUND: Final = LEASE / 3


class Vigil:
    """A page costs it two entries in a table, not two tasks and two timers."""

    def __init__(self, store: WorkStore, fittings: Fittings) -> None:
        self._store = store
        self._fit = fittings
        self._tokens: set[int] = set()
        self._watched: dict[GatedPage, tuple[str, asyncio.Timeout]] = {}
        self._extending: asyncio.Task[None] | None = None

    @contextmanager
    def leased(self, token: int) -> Iterator[None]:
        """Until left, the lease is extended before it runs out."""
        self._tokens.add(token)
        try:
            yield
        finally:
            self._tokens.discard(token)

    @asynccontextmanager
    async def watched(self, channel: str, page: GatedPage) -> AsyncIterator[None]:
        """Give up on what is done inside when it has stopped settling: it is cancelled, and an error logged."""
        try:
            async with asyncio.timeout(None) as patience:
                self._watched[page] = (channel, patience)
                try:
                    yield
                finally:
                    del self._watched[page]
        except TimeoutError:
            if not patience.expired():
                raise
            self._fit.log.error("adapter stuck", channel=channel, unsettled=len(page.taken))

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._go_round()
        finally:
            if self._extending is not None:
                self._extending.cancel()

    async def _go_round(self) -> None:
        while True:
            await self._fit.clock.sleep(ROUND)
            self._give_up()  # not here: this frame would keep the last page it looked at until the next round
            if self._extending is None or self._extending.done():  # a store that hangs must not end the watching
                self._extending = asyncio.create_task(self._extend())

    def _give_up(self) -> None:
        for page, (_, patience) in self._watched.items():
            if page.taken and page.idle_for > STUCK:
                patience.reschedule(asyncio.get_running_loop().time())

    async def _extend(self) -> None:
        for token in tuple(self._tokens):
            if token not in self._tokens:
                continue
            try:
                await self._store.extend(token, until=self._fit.clock.now() + timedelta(seconds=LEASE))
            except Unavailable as error:
                self._fit.log.error("a lease could not be extended", error=str(error))
