"""The whole road of an alert, timed from outside: POST, and the moment the last receipt can be read from the store."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.acceptance.town import Town
from tests.bench.measure import Meter

_WAITING = ("queued", "sending", "retrying")
_OFTEN, _SELDOM = 0.005, 0.25  # seconds between two looks at the receipts


@dataclass(frozen=True, slots=True)
class Travelled:
    """`seconds` from the start of the POST until the last receipt was read; `cpu` the daemon's meanwhile."""

    alert: str
    count: int
    seconds: float
    cpu: float


async def travel(town: Town, alert: Mapping[str, object], channel: str, count: int, *, within: float) -> Travelled:
    """Post it and wait for `count` receipts on this channel. AssertionError where any is not `accepted`."""
    async with keep_alive(town) as session, asyncio.timeout(within):
        async with session.get("/healthz") as answer:  # the connection is open
            await answer.read()
        with Meter(pid_of(town)) as meter:
            async with session.post("/v1/alerts", json=alert) as answer:
                assert answer.status == 202, await answer.text()
                posted = (await answer.json())["id"]
            found = await _settled(session, posted, channel, count)
    assert found["accepted"] == count, f"of {count:,} were accepted {found['accepted']:,}: {found}"
    return Travelled(posted, count, meter.seconds, meter.cpu)


async def _settled(session: aiohttp.ClientSession, alert: str, channel: str, count: int) -> dict[str, Any]:
    """Ask seldom while much is left and often at the end, so that the question neither weighs nor blurs."""
    began = time.monotonic()
    while True:
        found = await sums(session, alert, channel)
        done = found.get("total", 0) - sum(found.get(state, 0) for state in _WAITING)
        if done >= count:
            return found
        left = (time.monotonic() - began) * (count - done) / done if done else 0.05
        await asyncio.sleep(min(max(left / 3, _OFTEN), _SELDOM))


def keep_alive(town: Town) -> aiohttp.ClientSession:
    """A client of the town's API whose connections stay, as a console's do."""
    return aiohttp.ClientSession(
        town.url, headers={"Authorization": f"Bearer {town.token}"}, timeout=aiohttp.ClientTimeout(60)
    )


async def sums(session: aiohttp.ClientSession, alert: str, channel: str) -> dict[str, Any]:
    """The channel's sums of this alert; empty before anything was planned there."""
    async with session.get(f"/v1/alerts/{alert}/receipts") as answer:
        assert answer.status == 200, await answer.text()
        return next((c for c in (await answer.json())["channels"] if c["channel"] == channel), {})


async def under_way(town: Town, alert: str, channel: str, *, least: int = 1, within: float = 60.0) -> None:
    """Wait until so many are accepted there."""
    async with keep_alive(town) as session, asyncio.timeout(within):
        while (await sums(session, alert, channel)).get("accepted", 0) < least:
            await asyncio.sleep(_OFTEN)


def pid_of(town: Town) -> int:
    assert town.process is not None
    assert town.process.pid is not None
    return town.process.pid


async def quiet(town: Town, *, seconds: float = 1.0, share: float = 0.05, within: float = 60.0) -> None:
    """Wait until the daemon uses less than `share` of a processor for `seconds` in a row."""
    async with asyncio.timeout(within):
        while True:
            with Meter(pid_of(town)) as meter:
                await asyncio.sleep(seconds)
            if meter.cpu < share * meter.seconds:
                return
