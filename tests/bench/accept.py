"""POST → 202 and POST → first attempt, idle and while a large fan-out of lower priority runs.

Open loop: probes are posted by the clock, whatever became of those before, so a stall is felt by all it delays.
A probe is an emergency to one citizen on each addressed channel and to the webhook.
"""

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.table import Table

from tests.acceptance.town import MONTELUPO, Town, town
from tests.bench.figures import ms, quantile
from tests.bench.stage import CHANNELS, ELSEWHERE, Arrival, StandIns, emergency, enrol, newsletter
from tests.bench.standins import mark

HOOK = "hook"
EVERYWHERE = (*CHANNELS, HOOK)
_GAP = 0.1
_FEWEST = 30
_KEPT_BACK = 1_000  # the measurement ends before fewer than these of a channel's fan-out wait
_PATIENCE = 60.0
_FIRSTS = """
SELECT a.id, t.channel, t.first_attempt_at / 1e6, a.accepted_at / 1e6
FROM tally t JOIN alert a ON a.seq = t.alert_seq
WHERE a.id IN (SELECT value FROM json_each(?)) AND t.first_attempt_at IS NOT NULL
"""


@dataclass(slots=True)
class Volley:
    """What one row of probes told. Seconds."""

    accepts: list[float] = field(default_factory=list)
    firsts: dict[str, list[float]] = field(default_factory=dict)  # acceptance → start, by the daemon's receipts
    arrivals: dict[str, list[float]] = field(default_factory=dict)  # POST → arrival, by the stand-ins
    trips: list[float] = field(default_factory=list)  # the daemon's start → the stand-in's arrival
    meanwhile: int = 0  # deliveries of the fan-out that went out
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Posted:
    number: int
    id: str
    at: float
    took: float


async def measure(folder: Path, stand: StandIns, *, deliveries: int, probes: int) -> tuple[Volley, Volley]:
    """Idle, and under a fan-out of at least `deliveries`; at most `probes` each."""
    audience = -(-deliveries // len(CHANNELS))
    channels = stand.channels(dict.fromkeys(EVERYWHERE, ""))
    async with town(folder, channels) as here:
        await here.start()
        await enrol(here, stand, audience, MONTELUPO)
        await enrol(here, stand, 1, ELSEWHERE, start=audience)
        await _volley(here, stand, range(5), None)  # connections, caches
        idle = await _volley(here, stand, range(100_000, 100_000 + probes), None)
        news = await here.send(newsletter())
        await _under_way(here, news)
        loaded = await _volley(here, stand, range(200_000, 200_000 + probes), news)
        planned = sum(channel["total"] for channel in (await here.receipts(news)).values())
        assert planned >= deliveries, f"only {planned} deliveries of the fan-out were planned"
    return idle, loaded


async def _under_way(here: Town, news: str) -> None:
    async with asyncio.timeout(_PATIENCE):
        while True:
            receipts = await here.receipts(news)
            if all(receipts.get(c, {}).get("accepted") for c in CHANNELS):
                return
            await asyncio.sleep(0.05)


async def _volley(here: Town, stand: StandIns, numbers: range, news: str | None) -> Volley:
    """Post them at random moments `_GAP` apart on average, and gather what became of them."""
    go_on = asyncio.Event()
    go_on.set()
    watcher = asyncio.create_task(_stop_in_time(here, news, go_on)) if news else None
    before, began = await _attempts(here, news), time.monotonic()
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(_PATIENCE)) as session:
        posts = []
        for number in numbers:
            posts.append(asyncio.create_task(_post(here, session, number)))
            await asyncio.sleep(_GAP * random.uniform(0.5, 1.5))
            if not go_on.is_set():
                break
        posted = await asyncio.gather(*posts)
    if watcher is not None:
        watcher.cancel()
    seen = await _all_arrived(stand, posted)
    if news:
        left = _left(await here.receipts(news))
        assert all(left.values()), f"the fan-out did not last as long as the measurement: {left}"
    volley = Volley(meanwhile=await _attempts(here, news) - before, seconds=time.monotonic() - began)
    firsts = await _first_attempts(here, posted)
    volley.accepts = [post.took for post in posted]
    for channel in EVERYWHERE:
        volley.firsts[channel] = [firsts[p.id, channel][0] for p in posted]
        volley.arrivals[channel] = [seen[channel, p.number].at - p.at for p in posted]
        volley.trips += [seen[channel, p.number].wall - firsts[p.id, channel][1] for p in posted]
    assert len(numbers) < _FEWEST or len(posted) >= _FEWEST, f"the fan-out was over after {len(posted)} probes"
    return volley


async def _post(here: Town, session: aiohttp.ClientSession, number: int) -> Posted:
    body = json.dumps(emergency(f"Allerta {mark(number)}", area=[{"zone": ELSEWHERE}])).encode()
    headers = {"Authorization": f"Bearer {here.token}", "Content-Type": "application/json"}
    at = time.monotonic()
    async with session.post(here.url + "/v1/alerts", data=body, headers=headers) as answer:
        told = await answer.read()
        took = time.monotonic() - at
        assert answer.status == 202, (answer.status, told)
    return Posted(number, json.loads(told)["id"], at, took)


async def _stop_in_time(here: Town, news: str, go_on: asyncio.Event) -> None:
    while True:
        receipts = await here.receipts(news)
        if min(_left(receipts).values()) < _KEPT_BACK:
            go_on.clear()
        await asyncio.sleep(0.25)


def _left(receipts: dict[str, dict[str, int]]) -> dict[str, int]:
    """Deliveries of the fan-out not yet settled, by channel."""
    return {c: sum(receipts[c][state] for state in ("queued", "sending", "retrying")) for c in CHANNELS}


async def _attempts(here: Town, news: str | None) -> int:
    return sum(c["attempts"] for c in (await here.receipts(news)).values()) if news else 0


async def _all_arrived(stand: StandIns, posted: list[Posted]) -> dict[tuple[str, int], Arrival]:
    """The first arrival of each probe on each channel."""
    wanted = {(channel, post.number) for channel in EVERYWHERE for post in posted}
    async with asyncio.timeout(_PATIENCE):
        while True:
            seen: dict[tuple[str, int], Arrival] = {}
            for arrival in stand.arrivals():
                seen.setdefault((arrival.channel, arrival.number), arrival)
            if wanted <= seen.keys():
                return seen
            await asyncio.sleep(0.1)


async def _first_attempts(here: Town, posted: list[Posted]) -> dict[tuple[str, str], tuple[float, float]]:
    """By alert and channel: seconds from acceptance to the first attempt, and when that was."""
    ids = json.dumps([post.id for post in posted])
    async with asyncio.timeout(_PATIENCE):
        while True:
            rows = await asyncio.to_thread(here.sql, _FIRSTS, ids)
            if len(rows) == len(posted) * len(EVERYWHERE):
                return {(alert, channel): (first - accepted, first) for alert, channel, first, accepted in rows}
            await asyncio.sleep(0.1)


def show(console: Console, idle: Volley, loaded: Volley) -> None:
    table = Table(title="POST → 202 (fsynced) and POST → first attempt, milliseconds", title_justify="left")
    table.add_column("")
    for when in ("idle", "fan-out"):
        for share in ("p50", "p99", "max"):
            table.add_column(f"{when} {share}", justify="right")
    table.add_row("accept: POST → 202", *_cells(idle.accepts), *_cells(loaded.accepts), end_section=True)
    for channel in EVERYWHERE:
        table.add_row(f"{channel}: accepted → started", *_cells(idle.firsts[channel]), *_cells(loaded.firsts[channel]))
        table.add_row(f"{channel}: POST → arrived", *_cells(idle.arrivals[channel]), *_cells(loaded.arrivals[channel]))
    console.print(table)
    console.print(f"Probes: {len(idle.accepts)} idle, {len(loaded.accepts)} during the fan-out, ten a second.")
    console.print(
        f"Fan-out meanwhile: {loaded.meanwhile:,} deliveries attempted in {loaded.seconds:.1f} s "
        f"({loaded.meanwhile / loaded.seconds:,.0f}/s), and every channel still had more to do at the end."
    )
    console.print("Started is the daemon's word (receipts), arrived the stand-ins'; POST is this process's clock.")
    for when, volley in (("idle", idle), ("fan-out", loaded)):
        told = f"{ms(quantile(volley.trips, 0.5))} ms at the median, {ms(min(volley.trips))} ms at least"
        console.print(f"Cross-check, {when}: from a start as told to its arrival {told} (below 0 would be a lie).")


def _cells(values: list[float]) -> tuple[str, str, str]:
    return ms(quantile(values, 0.5)), ms(quantile(values, 0.99)), ms(max(values))
