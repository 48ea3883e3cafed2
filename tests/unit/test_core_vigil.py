"""Leases are kept while a page is out, and an adapter that settles no more is given up on: on the clock's time."""

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import cast

import pytest
import structlog

from alertd.core.fittings import Fittings
from alertd.core.page import GatedPage
from alertd.core.vigil import LEASE, ROUND, STUCK, Vigil
from alertd.domain.problems import Unavailable
from alertd.ports.stores.work import WorkStore
from tests.support.clock import START, ManualClock


class _Page:
    """What of a page a vigil looks at."""

    def __init__(self) -> None:
        self.taken = {1: 0}
        self.idle_for = 0.0


class _Store:
    def __init__(self) -> None:
        self.extended: list[tuple[int, datetime]] = []
        self.refusals = 0

    async def extend(self, token: int, *, until: datetime) -> None:
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("the disk is full")
        self.extended.append((token, until))


class _Stand:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = _Store()
        self.vigil = Vigil(cast("WorkStore", self.store), Fittings(self.clock, structlog.get_logger()))
        self.page = _Page()

    def watched(self) -> AbstractAsyncContextManager[None]:
        return self.vigil.watched("push", cast("GatedPage", self.page))


@asynccontextmanager
async def on_watch() -> AsyncIterator[_Stand]:
    stand = _Stand()
    running = asyncio.create_task(stand.vigil.run())
    try:
        yield stand
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_a_lease_is_extended_until_its_page_is_done_and_survives_a_store_that_refuses() -> None:
    async with on_watch() as stand:
        with stand.vigil.leased(7):
            stand.store.refusals = 1
            await stand.clock.advance(ROUND)
            assert stand.store.extended == []
            await stand.clock.advance(ROUND)
            assert stand.store.extended == [(7, START + timedelta(seconds=2 * ROUND + LEASE))]
        await stand.clock.advance(5 * ROUND)
        assert len(stand.store.extended) == 1


@pytest.mark.parametrize(
    ("idle", "taken", "given_up"), [(STUCK + 1, True, True), (STUCK - 1, True, False), (STUCK + 1, False, False)]
)
async def test_only_who_has_parcels_and_settles_none_is_given_up_on(idle: float, taken: bool, given_up: bool) -> None:
    async with on_watch() as stand:
        ended: list[str] = []

        async def send() -> None:
            async with stand.watched():
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    ended.append("cancelled")
                    raise
            ended.append("went on")

        sending = asyncio.create_task(send())
        stand.page.idle_for = idle
        if not taken:
            stand.page.taken.clear()
        await stand.clock.advance(ROUND)
        if given_up:
            await asyncio.wait_for(sending, 60)
        assert ended == (["cancelled", "went on"] if given_up else [])
        sending.cancel()
        await asyncio.wait([sending])


async def test_an_adapters_own_timeout_is_its_own_fault_and_who_stops_it_is_obeyed() -> None:
    async with on_watch() as stand:
        with pytest.raises(TimeoutError, match="mine"):
            async with stand.watched():
                raise TimeoutError("mine")

        async def send() -> None:
            async with stand.watched():
                await asyncio.Event().wait()

        sending = asyncio.create_task(send())
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait([sending])
        assert sending.cancelled()


async def test_a_page_that_has_ended_is_let_go() -> None:
    async with on_watch() as stand:
        page = weakref.ref(stand.page)
        async with stand.watched():
            await stand.clock.advance(ROUND)
        del stand.page
        assert page() is None
