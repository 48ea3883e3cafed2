"""A town with many browsers: enrolled once, then a fresh copy of its store and a new daemon for each play."""

import asyncio
import json
import re
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Any

import aiohttp

from adapters.webpush.config import WebPushConfig
from alertd.sandbox.keyring import Keyring
from tests.acceptance.place import PUSH
from tests.acceptance.town import MONTELUPO, Town, town
from tests.bench.measure import Skipped
from tests.bench.road import Travelled, keep_alive, quiet, travel
from tests.bench.sinks import Authority
from tests.bench.stage import ELSEWHERE, emergency

SAMPLE_ZONE = "048001"  # Bagno a Ripoli: the few whose pushes are read back
SAMPLE = 500
ENVELOPE_BYTES = 103
"""What RFC 8291 adds to the text: a header of 86 bytes (RFC 8188 with a P-256 key), one delimiter, a tag of 16."""
_SEED = b"benchmark"
_CHUNK = 5_000
_FULL = 400.0
_GAUGE = re.compile(r'^alertd_channel_gauge\{[^}]*name="(envelopes_\w+)"[^}]*\} (\S+)', re.MULTILINE)


class Day:
    """One daemon on a fresh copy of the town's store."""

    def __init__(self, here: Town, session: aiohttp.ClientSession) -> None:
        self.here = here
        self.session = session

    async def full(self) -> float:
        """Wait until every envelope is ready and nothing is done any more; how many seconds the first took."""
        began = time.perf_counter()
        async with asyncio.timeout(_FULL):
            while True:
                while not await self._is_full():
                    await asyncio.sleep(0.2)
                took = time.perf_counter() - began
                await quiet(self.here, seconds=0.5)
                if await self._is_full():  # a gauge may say so before the daemon has counted whom it serves
                    return took

    async def fan_out(self, zone: str, expect: int, *, within: float) -> Travelled:
        """An emergency to `zone`: its POST → the last of its `expect` receipts, every one of them accepted."""
        return await travel(self.here, emergency(area=[{"zone": zone}]), PUSH, expect, within=within)

    async def post(self, alert: dict[str, Any]) -> str:
        async with self.session.post("/v1/alerts", json=alert) as answer:
            told = await answer.json()
            assert answer.status == 202, (answer.status, told)
            return told["id"]

    async def _is_full(self) -> bool:
        async with self.session.get("/metrics") as answer:
            gauges = {name: float(value) for name, value in _GAUGE.findall(await answer.text())}
        return gauges.get("envelopes_ready_share") == 1 and gauges.get("envelopes_seconds_to_full") == 0


class PushTown:
    """`size` browsers in Montelupo, SAMPLE in Bagno a Ripoli, one in Firenze, all of them at the sink on `port`."""

    def __init__(self, here: Town, size: int, port: int, trust: Authority) -> None:
        self.size = size
        self.port = port
        self._here = here
        self._trust = trust
        self._pristine = here.folder / "pristine"

    def subscriptions(self, count: int) -> Iterator[dict[str, Any]]:
        """The first so many, as browsers give them."""
        for number, (point, auth) in enumerate(Keyring(_SEED).public_sides(0, count)):
            yield {"endpoint": f"https://127.0.0.1:{self.port}/push/{number}", "keys": {"p256dh": point, "auth": auth}}

    async def settle_in(self) -> float:
        """Enrol everybody; browsers enrolled a second."""
        self._configure({})
        await self._here.start()
        began = time.perf_counter()
        zones = chain(repeat(MONTELUPO, self.size), repeat(SAMPLE_ZONE, SAMPLE), (ELSEWHERE,))
        everybody = zip(self.subscriptions(self.size + SAMPLE + 1), zones, strict=True)
        while rows := [_citizen(*one) for one in islice(everybody, _CHUNK)]:
            await self._here.enrol(rows)
        took = time.perf_counter() - began
        await self._here.stop()
        self._here.state.rename(self._pristine)
        return (self.size + SAMPLE + 1) / took

    @asynccontextmanager
    async def day(self, **settings: object) -> AsyncIterator[Day]:
        """A daemon whose push channel has these settings. Skipped where the channel does not know one of them."""
        self._configure(settings)
        await asyncio.to_thread(shutil.copytree, self._pristine, self._here.state)
        try:
            await self._here.start()
            async with keep_alive(self._here) as session:
                yield Day(self._here, session)
        finally:
            await self._here.kill()
            await asyncio.to_thread(shutil.rmtree, self._here.state)

    def _configure(self, settings: dict[str, object]) -> None:
        unknown = settings.keys() - WebPushConfig.model_fields.keys()
        if unknown:
            raise Skipped(f"this version's Web Push channel has no {', '.join(sorted(unknown))}")
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        self._here.configure(
            f"""
[channels.{PUSH}]
adapter = "webpush"
contact = "mailto:bench@comune.example.it"
allow_hosts = ["127.0.0.1:{self.port}"]
allow_private = ["127.0.0.0/8"]
ca_file = "{self._trust.ca_file}"
"""
            + "\n".join(lines)
        )


def _citizen(subscription: dict[str, Any], zone: str) -> dict[str, object]:
    return {
        "language": "it",
        "zones": [zone],
        "purposes": ["emergency", "service"],
        "endpoints": [{"channel": PUSH, "subscription": subscription}],
    }


@asynccontextmanager
async def push_town(folder: Path, size: int, port: int, trust: Authority) -> AsyncIterator[PushTown]:
    """Not settled yet. Its daemon ends with the block."""
    async with town(folder, "") as here:
        yield PushTown(here, size, port, trust)
