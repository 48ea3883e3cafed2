"""Where it is measured: stand-ins, daemon and driver, three processes on one machine; zones, citizens, alerts."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alertd.sandbox.config import channels_toml
from alertd.sandbox.description import Description
from alertd.sandbox.remote import RemoteSandbox
from tests.acceptance.place import BOT, MAIL, PUSH
from tests.acceptance.town import ROOT, Town, alert
from tests.bench.programs import end

CHANNELS = (PUSH, MAIL, BOT)
ELSEWHERE = "048017"  # Firenze: where the probes live
_CHUNK = 2_000
_START = 60.0
_STOP = 10.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """A probe at a stand-in: seconds of time.monotonic, and of time.time."""

    channel: str
    number: int
    at: float
    wall: float


@dataclass(frozen=True, slots=True)
class StandIns:
    remote: RemoteSandbox
    description: Description
    folder: Path

    def arrivals(self) -> list[Arrival]:
        """The probes so far; a line being written is left for the next time."""
        lines = (self.folder / "probes").read_text().split("\n")[:-1]
        return [Arrival(c, int(n), float(at), float(wall)) for c, n, at, wall in map(str.split, lines)]

    def channels(self, extra: Mapping[str, str]) -> str:
        """The `[channels.*]` of those named in `extra`, with these lines added."""
        tables = []
        for part in channels_toml(self.description).split("[channels.")[1:]:
            name = part.partition("]")[0]
            if name in extra:
                tables.append(f"[channels.{part.rstrip()}\n{extra[name]}\n")
        return "\n".join(tables)


@asynccontextmanager
async def stand_ins(folder: Path) -> AsyncIterator[StandIns]:
    """In a process of their own, which ends with the block."""
    folder.mkdir(parents=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.standins", str(folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START):
            line = await process.stdout.readline()
        assert line, "the stand-ins did not start"
        description = Description.from_json(line)
        async with RemoteSandbox(description.control_url) as remote:
            yield StandIns(remote, description, folder)
    finally:
        await end(process, _STOP)


async def enrol(town: Town, stand: StandIns, count: int, zone: str, *, start: int = 0) -> None:
    """`count` citizens on push, mail and Telegram, every third one English, the first of them number `start`."""
    rows: list[dict[str, object]] = []
    number = start
    async for subscription in stand.remote.subscriptions(count, start):
        rows.append(
            {
                "language": "en" if number % 3 == 2 else "it",
                "zones": [zone],
                "purposes": ["emergency", "service", "event"],
                "endpoints": [
                    {"channel": PUSH, "subscription": json.loads(subscription)},
                    {"channel": MAIL, "address": f"citizen{number}@example.org"},
                    {"channel": BOT, "address": str(1_000_000 + number)},
                ],
            }
        )
        number += 1
        if len(rows) == _CHUNK:
            await town.enrol(rows)
            rows.clear()
    if rows:
        await town.enrol(rows)


def emergency(headline: str = "Allerta", **changes: object) -> dict[str, Any]:
    return _worded(alert(**changes), headline=headline)


def newsletter() -> dict[str, Any]:
    """Of lower priority: to all of Montelupo Fiorentino."""
    return _worded(alert(purpose="service"), urgency="Unknown", severity="Minor", headline="Orari della biblioteca")


def _worded(message: dict[str, Any], **words: str) -> dict[str, Any]:
    for info in message["info"]:
        info.update(words)
    return message
