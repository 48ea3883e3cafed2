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
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Run, Section, Target
from tests.bench.printed import printed
from tests.bench.stage import CHANNELS, ELSEWHERE, Arrival, StandIns, emergency, enrol, newsletter, stand_ins
from tests.bench.standins import mark

HOOK = "hook"
IDLE, LOADED = "idle", "under a newsletter"
EVERYWHERE = (*CHANNELS, HOOK)
_GAP = 0.03  # seconds at most between one probe and the next
_FEWEST = 10
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


async def measure(bench: Bench) -> list[Section]:
    """The part of `make bench`: one pair of volleys, long enough to need no second."""
    probes, most = bench.pick(300, 50), float(bench.pick(60, 20))
    size = bench.pick(100_000, 30_000)
    async with stand_ins(bench.folder / "stand-ins") as stand:
        bench.tell(f"overtaking: idle, then under a newsletter of {size:,} deliveries")
        volleys = await volley_pair(bench.folder / "town", stand, deliveries=size, probes=probes, seconds=most)
    idle, loaded = volleys
    slowest = max(max(values) for values in loaded.firsts.values())
    section = Section(
        Group(
            key="overtaking",
            title="An emergency in the middle of a newsletter",
            work=f"POST → 202 (durable), p99; idle, and while {size:,} deliveries of a newsletter go out on three channels",
            figure=Figure.SECONDS,
            unit="s at p99",
            peer=IDLE,
            contestants=(
                Contestant(IDLE, "an emergency to one on each channel, one after the other", _played),
                Contestant(LOADED, "the same while the newsletter goes out", _played),
            ),
            targets=(Target(LOADED, IDLE),),
            silent=(
                "The stand-ins decrypt every message and share the cores: they, not alertd, set the newsletter's pace.",
            ),
        )
    )
    section.runs = [_run(IDLE, idle), _run(LOADED, loaded)]
    section.lines = [
        f"From acceptance to the first attempt under the newsletter: {ms(slowest)} ms at most on any channel "
        f"(asked: 1,000 ms; {'met' if slowest <= 1 else '**not met**'}).",
        printed(lambda console: show(console, *volleys)),
    ]
    return [section]


def _run(name: str, volley: Volley) -> Run:
    figures = {"p50 ms": quantile(volley.accepts, 0.5) * 1000, "max ms": max(volley.accepts) * 1000}
    return Run("overtaking", name, 1, len(volley.accepts), quantile(volley.accepts, 0.99), None, figures, "")


async def _played() -> Outcome:
    raise RuntimeError("both are played together")


async def volley_pair(
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
    busy: dict[str, list[Posted]] = {channel: [] for channel in EVERYWHERE}
    seen: dict[tuple[str, int], Arrival] = {}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_PATIENCE)) as session:
        for number in numbers:
            post = await _post(here, session, number)
            seen = await _all_arrived(stand, [*posted, post])
            left = await _left(here, news) if news else dict.fromkeys(EVERYWHERE, 1)
            if not any(left.values()):
                break
            posted.append(post)
            for channel in EVERYWHERE:
                if left.get(channel, 1):  # the webhook takes no part in the newsletter
                    busy[channel].append(post)
            await asyncio.sleep(random.uniform(0, _GAP))
            if time.monotonic() - began > seconds:
                break
    volley = Volley(meanwhile=await _attempts(here, news) - before, seconds=time.monotonic() - began)
    firsts = await _first_attempts(here, posted)
    volley.accepts = [post.took for post in posted]
    for channel in EVERYWHERE:
        assert busy[channel], f"{channel} was through with the fan-out before the first probe"
        volley.firsts[channel] = [firsts[p.id, channel][0] for p in busy[channel]]
        volley.arrivals[channel] = [seen[channel, p.number].at - p.at for p in busy[channel]]
        volley.trips += [seen[channel, p.number].wall - firsts[p.id, channel][1] for p in busy[channel]]
    assert len(numbers) < _FEWEST or len(posted) >= _FEWEST, (
        f"only {len(posted)} probes in {volley.seconds:.0f} s of the fan-out"
    )
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
    during = ", ".join(f"{channel} {len(loaded.firsts[channel])}" for channel in CHANNELS)
    console.print(f"Probes, one after the other: {len(idle.accepts)} idle, {len(loaded.accepts)} during the fan-out.")
    console.print(f"On a channel only those count after which it still had more of the fan-out to do: {during}.")
    console.print(
        f"Fan-out meanwhile: {loaded.meanwhile:,} deliveries attempted in {loaded.seconds:.1f} s "
        f"({loaded.meanwhile / loaded.seconds:,.0f}/s)."
    )
    console.print("Started is the daemon's word (receipts), arrived the stand-ins'; POST is this process's clock.")
    for when, volley in (("idle", idle), ("fan-out", loaded)):
        told = f"{ms(quantile(volley.trips, 0.5))} ms at the median, {ms(min(volley.trips))} ms at least"
        console.print(f"Cross-check, {when}: from a start as told to its arrival {told} (below 0 would be a lie).")


def _cells(values: list[float]) -> tuple[str, str, str]:
    return ms(quantile(values, 0.5)), ms(quantile(values, 0.99)), ms(max(values))
