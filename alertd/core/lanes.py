"""Lanes: one queue per channel and priority. The emergency's lanes are its own; nothing else may borrow them."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from alertd.core.dispatch import Dispatcher
from alertd.core.fittings import Fittings
from alertd.core.handover import Handover
from alertd.core.open_channel import OpenChannel
from alertd.core.settle import Settler
from alertd.core.vigil import LEASE
from alertd.domain.priority import PRIORITIES
from alertd.domain.problems import Unavailable
from alertd.ports.adapter import Traits
from alertd.ports.stores.work import Claim, WorkStore

PAGES = 2
"""In flight per lane: while one page is being sent the next is claimed. Bounds what a crash may duplicate."""
MOST_PAGES = 8
"""Where the channel works on several at once, and knows a repeat."""

_STORE_PAUSE = 1.0
_IDLE_PAUSE = 5.0


class Lanes:
    """Runs the lanes of open channels."""

    def __init__(
        self,
        store: WorkStore,
        dispatcher: Dispatcher,
        handover: Handover,
        settler: Settler,
        fittings: Fittings,
    ) -> None:
        self._store = store
        self._fit = fittings
        self._settler = settler
        self._dispatcher = dispatcher
        self._handover = handover

    async def run(self, channel: OpenChannel) -> None:
        """Until the channel's gate stops: then what is in flight is finished and the rest released."""
        lanes = {priority: _Lane(channel, priority, self._dispatcher, self._fit) for priority in PRIORITIES}
        async with self._handover.serving(channel, lanes), asyncio.TaskGroup() as group:
            for lane in lanes.values():
                group.create_task(self._keep(lane))

    def ring(self, channels: Iterable[str]) -> None:
        """Wake their lanes, e.g. to notice that their gate has stopped."""
        for channel in channels:
            self._fit.bells.ring_channel(channel)

    async def _keep(self, lane: "_Lane") -> None:
        channel, priority = lane.channel, lane.priority
        clock, bell = self._fit.clock, self._fit.bells.lane(channel.name, priority)
        look = clock.monotonic()  # when the store is asked next; what is handed over does not hasten it
        async with lane.open():
            while not channel.gate.stopping:
                if bell.hush():
                    look = clock.monotonic()
                claim = self._handover.take(channel.name, priority)
                if claim is None and clock.monotonic() >= look:
                    await self._settler.room(priority)
                    with lane.reserved():
                        claim = await self._claim(channel, priority)
                    if claim is None:
                        look = clock.monotonic() + await self._pause(channel, priority)
                if claim is None:
                    await bell.wait(clock, look - clock.monotonic())
                    continue
                lane.start(claim)
                await lane.room()

    async def _claim(self, channel: OpenChannel, priority: int) -> Claim | None:
        if channel.gate.circuits.channel_closed_until() is not None:
            return None
        claiming = asyncio.ensure_future(
            self._store.claim(
                channel.name, priority, limit=channel.traits.page_size, now=self._fit.clock.now(), lease=LEASE
            )
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:  # the store claims all the same: put it back, or nobody would ever send it
            claim = await claiming
            if claim is not None:
                await self._store.release(claim.token, claim.delivery_ids)
            raise
        except Unavailable as error:
            self._fit.readiness.refused(error)
            self._fit.log.error("a lane waits for the store", channel=channel.name, error=str(error))
            await self._fit.clock.sleep(_STORE_PAUSE)
            return None

    async def _pause(self, channel: OpenChannel, priority: int) -> float:
        """Seconds until there may be something to claim, if nobody rings before."""
        now = self._fit.clock.now()
        try:
            due = await self._store.next_due(channel.name, priority)
        except Unavailable as error:
            self._fit.readiness.refused(error)
            return _STORE_PAUSE
        closed = channel.gate.circuits.channel_closed_until()
        moments = [m for m in (due, closed) if m is not None]
        if due is None or not moments:
            return _IDLE_PAUSE
        return min(_IDLE_PAUSE, max(0.005, (max(moments) - now).total_seconds()))


class _Lane:
    """The pages in flight of one lane, and room for more while it is open."""

    def __init__(self, channel: OpenChannel, priority: int, dispatcher: Dispatcher, fittings: Fittings) -> None:
        self.channel = channel
        self.priority = priority
        self._dispatcher = dispatcher
        self._fit = fittings
        self._pages: set[asyncio.Task[None]] = set()
        self._most = pages_in_flight(channel.traits)
        self._reserved = 0
        self._open = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Left in peace, it waits for its pages; otherwise it ends them."""
        self._open = True
        try:
            yield
            self._open = False
            if self._pages:
                await asyncio.wait(self._pages)
        finally:
            self._open = False
            for page in self._pages:
                page.cancel()
            if self._pages:
                await asyncio.wait(self._pages)

    @contextmanager
    def reserved(self) -> Iterator[None]:
        """Room for a claim that is being made."""
        self._reserved += 1
        try:
            yield
        finally:
            self._reserved -= 1

    def offer(self, claim: Claim) -> bool:
        """Start it at once if there is room; whether it was."""
        if not self._open or self.channel.gate.stopping or len(self._pages) + self._reserved >= self._most:
            return False
        self.start(claim)
        return True

    def start(self, claim: Claim) -> None:
        self._fit.failpoint("claim")
        page = asyncio.create_task(self._dispatcher.carry(self.channel, self.priority, claim))
        self._pages.add(page)
        page.add_done_callback(self._pages.discard)

    async def room(self) -> None:
        while len(self._pages) >= self._most:
            await asyncio.wait(self._pages, return_when=asyncio.FIRST_COMPLETED)


def pages_in_flight(traits: Traits) -> int:
    """Of one lane at once: as many as its channel can work on, but few where a repeat would show."""
    if not traits.idempotent:
        return PAGES
    return min(MOST_PAGES, PAGES + traits.concurrency // traits.page_size)
