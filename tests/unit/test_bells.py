"""Bells: who waits is woken once, and knows whether the store has changed."""

import asyncio

from alertd.core.bells import Bell
from tests.support.clock import ManualClock


async def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    async with asyncio.timeout(180):
        await bell.wait(ManualClock(), 60.0)
    assert bell.hush()
    assert not bell.hush()


async def test_a_nudge_wakes_and_is_no_ring() -> None:
    bell = Bell()
    waiting = [asyncio.create_task(bell.wait(ManualClock(), 60.0)), asyncio.create_task(bell.wait(ManualClock()))]
    await asyncio.sleep(0)
    bell.nudge()
    async with asyncio.timeout(180):
        await asyncio.gather(*waiting)
    assert not bell.hush()


async def test_a_hushed_bell_is_waited_for_again() -> None:
    bell = Bell()
    bell.nudge()
    bell.hush()
    waiting = asyncio.create_task(bell.wait(ManualClock(), 60.0))
    await asyncio.sleep(0)
    assert not waiting.done()
    bell.ring()
    async with asyncio.timeout(180):
        await waiting
    assert bell.hush()
