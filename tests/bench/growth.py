"""What ten times as many citizens cost: seconds, CPU and memory from 1,000 recipients to 1,000,000.

For each size one daemon on the grown store: it fills its magazine, then one alert goes to everybody over nginx (TLS,
HTTP/2), from POST to the last durable receipt. Memory is compared with the same daemon before anybody subscribed.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.webpush.config import WebPushConfig
from tests.acceptance.place import PUSH
from tests.acceptance.town import Town, town
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Run, Section, Series, Target
from tests.bench.population import found, settle_in, subscriptions
from tests.bench.pushtown import Day
from tests.bench.road import Travelled, keep_alive, pid_of, quiet, travel
from tests.bench.sinks import Nginx, authority, nginx
from tests.bench.stage import emergency

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK = (1_000, 10_000)
MOST_EACH, MOST_BESIDES = 200, 64 << 20  # bytes of memory above the idle daemon: for a subscriber, and besides
_ENVELOPES = 1
_PATIENCE = 600.0
_FULL = 900.0
_COMPARED = 100_000
_SLOWER = 0.8  # the rate of the largest may be this share of the rate at _COMPARED; below, cost is not linear
_CHANNEL = """
[channels.push]
adapter = "webpush"
contact = "mailto:bench@comune.example.it"
allow_hosts = ["127.0.0.1:{port}"]
allow_private = ["127.0.0.0/8"]
ca_file = "{ca_file}"
{envelopes}
"""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes resident: now, and at most so far."""

    now: int
    peak: int

    @classmethod
    def of(cls, pid: int) -> "Memory":
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        kilobytes = {
            name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines) if name in _SIZES
        }
        return cls(kilobytes["VmRSS"] << 10, kilobytes["VmHWM"] << 10)


_SIZES = frozenset({"VmRSS", "VmHWM"})


@dataclass(frozen=True, slots=True)
class Grown:
    """One size. `filling`: seconds until every envelope was ready; memory before the alert and at most."""

    size: int
    filling: float
    road: Travelled
    rested: Memory
    after: Memory

    def above(self, idle: Memory) -> int:
        """The most it ever held, without what the idle daemon holds."""
        return self.after.peak - idle.now

    def within(self, idle: Memory) -> bool:
        return self.above(idle) <= MOST_EACH * self.size + MOST_BESIDES


async def measure(bench: Bench) -> list[Section]:
    sizes = QUICK if bench.quick else SIZES
    trust = authority(bench.folder)
    async with nginx(bench.folder / "sink", trust) as sink, _town(bench.folder, sink, trust.ca_file) as here:
        await here.start()
        await quiet(here)
        idle = Memory.of(pid_of(here))
        await here.stop()
        grown: list[Grown] = []
        for size in sizes:
            bench.tell(f"growth: {size:,} subscribers")
            grown.append(await _at(here, sink, size, grown[-1].size if grown else 0))
    return [_section(grown, idle)]


@asynccontextmanager
async def _town(folder: Path, sink: Nginx, ca_file: Path) -> AsyncIterator[Town]:
    known = "envelopes" in WebPushConfig.model_fields
    envelopes = f"envelopes = {_ENVELOPES}" if known else ""
    async with town(folder / "town", _CHANNEL.format(port=sink.port, ca_file=ca_file, envelopes=envelopes)) as here:
        await found(here)
        yield here


async def _at(here: Town, sink: Nginx, size: int, before: int) -> Grown:
    """One alert to everybody, after the town grew from `before` to `size`."""
    newcomers = subscriptions(f"https://127.0.0.1:{sink.port}", size - before, before)
    assert settle_in(here.state, PUSH, newcomers) == size
    await here.start()
    filling = await _full(here)
    await quiet(here)
    rested, arrived = Memory.of(pid_of(here)), await sink.requests()
    road = await travel(here, emergency(), PUSH, size, within=_PATIENCE)
    after, arrived = Memory.of(pid_of(here)), await sink.requests() - arrived
    assert arrived >= size, f"{size:,} receipts, but nginx read {arrived:,} requests"
    await here.stop()
    return Grown(size, filling, road, rested, after)


async def _full(here: Town) -> float:
    """Seconds until an envelope is ready for everybody; 0 where this version has none."""
    if "envelopes" not in WebPushConfig.model_fields:
        return 0.0
    began = time.monotonic()
    async with keep_alive(here) as session, asyncio.timeout(_FULL):
        while True:
            try:
                await Day(here, session).full()
            except TimeoutError:  # its patience is for a hundred thousand
                continue
            return time.monotonic() - began


# --- in words and curves --------------------------------------------------------------------------------------------


def _section(grown: Sequence[Grown], idle: Memory) -> Section:
    largest = grown[-1]
    names = {one.size: f"{one.size:,} recipients" for one in grown}
    targets = (
        (Target(names[largest.size], names[_COMPARED], least=_SLOWER),) if largest.size > _COMPARED in names else ()
    )
    section = Section(
        Group(
            key="growth",
            title="Growth",
            work="one emergency to everybody, envelopes ready: POST → last durable receipt, once for each size",
            figure=Figure.RATE,
            unit="messages/s",
            peer=names[min(_COMPARED, largest.size)],
            contestants=tuple(Contestant(name, "a new daemon on the grown store", _played) for name in names.values()),
            targets=targets,
            silent=(
                "Subscribers were written straight into SQLite while the daemon was stopped (population.py): enrolling "
                "is not measured here.",
                "One subscriber has one push subscription and all live in one zone.",
                "Memory is the daemon's own: two processes that derive envelopes, 25 MiB each, live as long as there are "
                "any to derive and a minute longer.",
            ),
        )
    )
    section.runs = [_run(one, names[one.size], idle) for one in grown]
    section.series = _curves(grown, idle)
    over = [f"{one.size:,}" for one in grown if not one.within(idle)]
    met = f"**not met** at {' and '.join(over)}" if over else "met at every size"
    section.lines = [
        f"Memory: the idle daemon without subscribers holds {_mib(idle.now):,.0f} MiB; with {largest.size:,} and "
        f"{_ENVELOPES} envelope each it never held more than {_mib(largest.above(idle)):,.0f} MiB above that "
        f"({largest.above(idle) / largest.size:,.0f} bytes a subscriber, fan-out included; allowed "
        f"{MOST_EACH} bytes each and {_mib(MOST_BESIDES):.0f} MiB: {met}).",
        f"From an empty magazine to a full one: {', '.join(f'{one.size:,} in {one.filling:.1f} s' for one in grown)}.",
    ]
    return section


def _run(one: Grown, name: str, idle: Memory) -> Run:
    figures = {
        "MiB above idle, ready": _mib(one.rested.now - idle.now),
        "MiB above idle, at most": _mib(one.above(idle)),
        "bytes each, at most": one.above(idle) / one.size,
    }
    return Run("growth", name, 1, one.size, one.road.seconds, one.road.cpu, figures, "")


def _curves(grown: Sequence[Grown], idle: Memory) -> list[Series]:
    x = tuple(float(one.size) for one in grown)
    allowed = tuple(_mib(MOST_EACH * one.size + MOST_BESIDES) for one in grown)
    return [
        Series(
            "Seconds of an alert to everybody",
            "recipients",
            "seconds",
            x,
            {
                "whole road": tuple(one.road.seconds for one in grown),
                "CPU of the daemon": tuple(one.road.cpu for one in grown),
            },
        ),
        Series(
            "A recipient's share of it (a level line is linear growth)",
            "recipients",
            "µs",
            x,
            {
                "whole road": tuple(one.road.seconds / one.size * 1e6 for one in grown),
                "CPU of the daemon": tuple(one.road.cpu / one.size * 1e6 for one in grown),
            },
        ),
        Series(
            "Memory above the idle daemon",
            "recipients",
            "MiB",
            x,
            {"at most": tuple(_mib(one.above(idle)) for one in grown), "allowed": allowed},
        ),
    ]


def _mib(size: float) -> float:
    return size / (1 << 20)


async def _played() -> Outcome:
    raise RuntimeError("every size is played once, in measure()")
