"""How long the loop of the daemon is kept from its work while a large feed is put together, again and again.

The daemon lives in this process, so that its own loop can be watched; the reader asks it without a connection.
"""

import asyncio
import time
from functools import partial

from starlette.types import Message

from alertd.domain.alert import Status
from alertd.logs import configure
from tests.bench.figures import quantile
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Target, rounds
from tests.integration.fake_house import FakeHouse, fake_house
from tests.support.crowd import fill

IDLE, MADE = "nobody reads", "the feed is made anew"
_PATH = "/feed.atom"
_TICK = 0.001
_TIMES = 5
_REST = 0.5
_LONGEST_REST = 6.0  # longer than a shelf rests


async def lag(bench: Bench) -> Section:
    configure("warning")
    alerts = bench.pick(10_000, 2_000)
    async with fake_house(bench.folder) as house:
        fill(bench.folder / "state" / "alertd.db", alerts, status=Status.ACTUAL)
        await _get(house)
        return await rounds(
            bench,
            Group(
                key="feedlag",
                title="The loop while a large feed is made",
                work=f"wakes every millisecond, how late is it at p99; a feed of {alerts:,} alerts, one of them new",
                figure=Figure.SECONDS,
                unit="s at p99",
                peer=IDLE,
                contestants=(
                    Contestant(IDLE, "for as long", partial(_watch, house, made=False)),
                    Contestant(MADE, f"{_TIMES} times, only while it is made", partial(_watch, house, made=True)),
                ),
                targets=(Target(MADE, IDLE, most=20),),
                silent=("Other work on the machine makes the loop late as well: see the figures of the idle one.",),
            ),
        )


async def _watch(house: FakeHouse, *, made: bool) -> Outcome:
    late: list[float] = []
    seconds = 0.0
    for _ in range(_TIMES):
        if made:
            await house.settled(await house.send())
            await asyncio.sleep(_LONGEST_REST)
        watching = asyncio.create_task(_sample(late))
        began = time.perf_counter()
        await (_get(house) if made else asyncio.sleep(_REST))
        seconds += time.perf_counter() - began
        watching.cancel()
    figures = {
        "p50 ms": quantile(late, 0.5) * 1000,
        "max ms": max(late) * 1000,
        "ms to make it": seconds / _TIMES * 1000 if made else 0.0,
    }
    return Outcome(len(late), quantile(late, 0.99), figures=figures)


async def _sample(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(_TICK)
        late.append(time.perf_counter() - began - _TICK)


async def _get(house: FakeHouse) -> None:
    """As a server would ask, but the pieces go nowhere."""
    codes: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            codes.append(message["status"])

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": _PATH,
        "raw_path": _PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"allerta.example.it"), (b"accept-encoding", b"gzip")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await house.house.web(scope, receive, send)
    assert codes == [200]
