"""POST → 202 and POST → first attempt, idle and while a large fan-out of lower priority runs.

A probe is an emergency to one citizen on each addressed channel and to the webhook. The next one is posted at a
random moment after the last has arrived everywhere: they never queue behind each other, only behind the fan-out.
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
_GAP = 0.1  # seconds at most between one probe and the next
_FEWEST = 10
_LOOK_EVERY = 5
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


async def measure(
    folder: Path, stand: StandIns, *, deliveries: int, probes: int, seconds: float
) -> tuple[Volley, Volley]:
    """Idle, and under a fan-out of at least `deliveries`; at most `probes` each and about `seconds`."""
    audience = -(-deliveries // len(CHANNELS))
    channels = stand.channels(dict.fromkeys(EVERYWHERE, ""))
    async with town(folder, channels) as here:
        await here.start()
        await enrol(here, stand, audience, MONTELUPO)
        await enrol(here, stand, 1, ELSEWHERE, start=audience)
        await _volley(here, stand, range(5), None, seconds)  # connections, caches
        idle = await _volley(here, stand, range(100_000, 100_000 + probes), None, seconds)
        news = await here.send(newsletter())
        await _under_way(here, news)
        loaded = await _volley(here, stand, range(200_000, 200_000 + probes), news, seconds)
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


async def _volley(here: Town, stand: StandIns, numbers: range, news: str | None, seconds: float) -> Volley:
    """Post them one after the other, for about `seconds` at most, and gather what became of them."""
    before, began = await _attempts(here, news), time.monotonic()
    posted: list[Posted] = []
    seen: dict[tuple[str, int], Arrival] = {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_PATIENCE)) as session:
        for number in numbers:
            posted.append(await _post(here, session, number))
            seen = await _all_arrived(stand, posted)
            await asyncio.sleep(random.uniform(0, _GAP))
            if time.monotonic() - began > seconds:
                break
            if news and len(posted) % _LOOK_EVERY == 0 and min((await _left(here, news)).values()) < _KEPT_BACK:
                break
    if news:
        left = await _left(here, news)
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


async def _left(here: Town, news: str) -> dict[str, int]:
    """Deliveries of the fan-out not yet settled, by channel."""
    receipts = await here.receipts(news)
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
            await asyncio.sleep(0.01)


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
    table.add_column("", no_wrap=True)
    for when in ("idle", "fan-out"):
        for share in ("p50", "p99", "max"):
            table.add_column(f"{when} {share}", justify="right")
    table.add_row("accept: POST → 202", *_cells(idle.accepts), *_cells(loaded.accepts), end_section=True)
    for channel in EVERYWHERE:
        table.add_row(f"{channel}: accepted → started", *_cells(idle.firsts[channel]), *_cells(loaded.firsts[channel]))
        table.add_row(f"{channel}: POST → arrived", *_cells(idle.arrivals[channel]), *_cells(loaded.arrivals[channel]))
    console.print(table)
    console.print(f"Probes: {len(idle.accepts)} idle, {len(loaded.accepts)} during the fan-out, one after the other.")
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
