"""The whole house on a clock that a test moves, beside a web server that serves what the test tells it to."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from alertd.domain.alert import AlertState, ResponseType
from alertd.ports.stores.intake import StoredAlert
from tests.integration.fake_house import CHANNELS, ZONES, FakeHouse, fake_house
from tests.support.clock import ManualClock
from tests.support.feed_server import FeedServer, feed_server

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
PATIENCE = 180.0
NUDGE = 0.05
"""Seconds of the house's clock that go by in each turn of waiting: receipts are written a moment after they come."""
MOST_NUDGED = 20.0
UNDER_WAY = {AlertState.PENDING, AlertState.ACTIVE}


@dataclass
class Replay:
    """`folder` is the state of the house that stands now: a crash leaves it and begins in another."""

    town: FakeHouse
    clock: ManualClock
    server: FeedServer

    async def until(self, true: Callable[[], object]) -> None:
        """Wait for what is watched; the house's clock goes on only so far as receipts need it to."""
        nudged = 0.0
        async with asyncio.timeout(PATIENCE):
            while not true():
                if nudged < MOST_NUDGED:
                    nudged += NUDGE
                    await self.clock.jump(NUDGE)
                await asyncio.sleep(0.001)

    async def sources_asleep(self) -> None:
        """Who asks sources has ended his turn: were time to go on before that, he would sleep from then."""
        askers = {f"source {status.name}" for status in self.town.house.sources.status() if status.way == "polled"}
        async with asyncio.timeout(PATIENCE):
            while not askers <= {*self.clock.asleep}:
                await asyncio.sleep(0.001)

    async def polled(self, seconds: float) -> None:
        """Time goes on at once, every source is asked, and all that follows has happened."""
        sources = self.town.house.sources
        await self.sources_asleep()
        await self.clock.jump(seconds)
        now = self.clock.now()
        await self.until(lambda: all(s.last_good is not None and s.last_good >= now for s in sources.status()))
        await self.quiet()

    async def at(self, moment: datetime) -> None:
        """As `polled`, at a moment that lies ahead."""
        await self.polled((moment - self.clock.now()).total_seconds())

    async def quiet(self) -> None:
        """Nothing is on its way any more: drafts are paged, alerts delivered."""
        async with asyncio.timeout(PATIENCE):
            while await self._busy():
                await self.clock.jump(NUDGE)
                await asyncio.sleep(0.002)

    async def _busy(self) -> bool:
        alerts = {stored.alert.id: stored for stored in await self.alerts()}
        drafts = [key for key, stored in alerts.items() if stored.state is AlertState.DRAFT]
        paged = all(f"{key}-page-1" in alerts for key in drafts if alerts[key].deadline > self.clock.now())
        return not paged or any(stored.state in UNDER_WAY for stored in alerts.values())

    async def alerts(self) -> list[StoredAlert]:
        """All there are, the oldest first."""
        return list(reversed(await self.town.house.store.list_alerts(limit=10_000)))

    async def of(self, rule: str) -> list[StoredAlert]:
        return [stored for stored in await self.alerts() if stored.created_by == f"rule:{rule}"]

    async def approve(self, *alert_ids: str) -> None:
        for alert_id in alert_ids:
            status, answer = await self.town.call("POST", f"/v1/alerts/{alert_id}/approve")
            assert status == 200, answer
        await self.quiet()


def told(alerts: Iterable[StoredAlert]) -> list[str]:
    """What each says, and whether it is an Update or an all-clear."""
    return [_told(stored) for stored in alerts]


def _told(stored: StoredAlert) -> str:
    info = stored.alert.info[0]
    kind = "over" if ResponseType.ALL_CLEAR in info.response_type else str(stored.alert.msg_type)
    return f"{kind}: {info.headline}"


@asynccontextmanager
async def replay(
    folder: Path, configuration: Callable[[str], str], *, at: datetime, zones: Path = ZONES
) -> AsyncIterator["Houses"]:
    """`configuration` is what follows the channels, given the address of the web server."""
    async with feed_server() as server:
        houses = Houses(folder, CHANNELS + configuration(server.url), server, zones)
        try:
            await houses.begin(at)
            yield houses
        finally:
            await houses.end()


class Houses:
    """One house after another, each on what the one before it had made durable when it was cut off."""

    it: Replay

    def __init__(self, folder: Path, configuration: str, server: FeedServer, zones: Path) -> None:
        self._folder = folder
        self._configuration = configuration
        self._server = server
        self._zones = zones
        self._count = 0
        self._stack = AsyncExitStack()

    async def begin(self, at: datetime) -> None:
        clock = ManualClock(at)
        folder = self._folder / f"house{self._count}"
        folder.mkdir(exist_ok=True)
        opened = fake_house(folder, self._configuration, zones=self._zones, clock=clock)
        town = await self._stack.enter_async_context(opened)
        self.it = Replay(town, clock, self._server)
        await self.it.sources_asleep()

    async def crash(self) -> None:
        """The next house finds what is committed now, as after kill -9; what this one does as it ends is not in it."""
        at, old = self.it.clock.now(), self.it.town.folder / "state"
        self._count += 1
        new = self._folder / f"house{self._count}" / "state"
        new.mkdir(parents=True)
        for file in old.iterdir():
            if file.is_file() and not file.name.startswith("alertd.db"):
                (new / file.name).write_bytes(file.read_bytes())
        with closing(sqlite3.connect(old / "alertd.db")) as there, closing(sqlite3.connect(new / "alertd.db")) as here:
            there.backup(here)
        await self.end()
        await self.begin(at)

    async def end(self) -> None:
        await self._stack.aclose()
        self._stack = AsyncExitStack()
