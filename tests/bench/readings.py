"""Ten thousand readings a second over a real MQTT broker, and what that costs whoever posts an alert meanwhile.

A publisher and the broker in processes of their own, QoS 1 all the way; the daemon judges every reading by a rule with
hysteresis. The very last reading crosses its threshold: the draft it becomes shows that all before it were judged.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import aiohttp

from tests.acceptance.town import ROOT, Town, town
from tests.bench.figures import quantile
from tests.bench.measure import Bench, Contestant, Figure, Group, Meter, Outcome, Section, Target, resident, rounds
from tests.bench.receiver import receiver
from tests.bench.road import keep_alive, pid_of
from tests.bench.stage import emergency
from tests.support.broker import amqtt_broker, mosquitto, mosquitto_program

IDLE, BUSY = "idle", "while readings come"
RATE, SENSORS = 10_000, 500
_GAP = 0.05
"""Seconds between one POST and the next."""
_WARM = 20
_PATIENCE = 120.0
_STILL = 3.0
_BROKER = ("allow_anonymous true", "max_inflight_messages 1000", "max_queued_messages 1000000")
"""So that it drops nothing, however slow whoever listens is; by itself it keeps 1,000 messages and drops the rest."""
_TOWN = """
[channels.hook]
adapter = "webhook"
url = "{hook}"
secret = {{ file = "{secret}" }}
allow_private = ["127.0.0.0/8"]

[sources.gauges]
reader = "json_path"
url = "mqtt://127.0.0.1:{port}"
topics = ["stations/+/level"]
value = "$.level"
id = "$.id"
device = "$.station"
time = "$.at"
unit = "m"

[templates.flood]
category = ["Met"]
[templates.flood.text.it-IT]
event = "Piena"
headline = "Piena: {{sensor}} a {{value}} {{unit}}"

[[rules]]
name = "flood"
template = "flood"
zones = ["048028"]
match = {{source = "gauges"}}
reading = {{above = 2.5, clear = 2.0, range = [0, 10]}}
"""
_JUDGED = re.compile(r'^alertd_source_payloads_total\{outcome="(\w+)",source="gauges"\} (\S+)', re.MULTILINE)


async def measure(bench: Bench) -> list[Section]:
    seconds = bench.pick(60, 5)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(receiver())
        broker, port, name = await _broker(stack, bench.folder)
        here = await stack.enter_async_context(_town(bench.folder, there.url(0), port))
        session = await stack.enter_async_context(keep_alive(here))
        work = _Work(here, session, port, broker, seconds)
        await work.heard()
        return [await _section(bench, work, name)]


async def _section(bench: Bench, work: "_Work", broker: str) -> Section:
    asked = f"a POST every {_GAP * 1000:.0f} ms"
    return await rounds(
        bench,
        Group(
            key="readings",
            title=f"Accepting while {RATE:,} readings a second come over MQTT",
            work=f"POST → 202 (durable), p99; alone, and for {work.seconds} s of {SENSORS} gauges over {broker}",
            figure=Figure.SECONDS,
            unit="s at p99",
            peer=IDLE,
            contestants=(
                Contestant(IDLE, asked, work.idle),
                Contestant(BUSY, f"{asked}; every reading QoS 1, read as JSON, judged, then acknowledged", work.busy),
            ),
            targets=(Target(BUSY, IDLE, most=6),),
            silent=("Publisher, broker, daemon and whoever asks share the same cores: a part of the wait is theirs.",),
        ),
    )


@dataclass(slots=True)
class _Work:
    here: Town
    session: aiohttp.ClientSession
    port: int
    broker: int | None
    seconds: int
    _judged: int = field(default=0, init=False)

    async def heard(self) -> None:
        """Readings arrive, and the way of an alert is warm."""
        async with asyncio.timeout(_PATIENCE):
            while not await self._payloads():
                await self._publish(SENSORS, SENSORS, RATE)
        await asyncio.gather(*(self._post() for _ in range(3)))
        for _ in range(_WARM):
            await self._post()

    async def idle(self) -> Outcome:
        return _outcome(await self._probes(asyncio.create_task(asyncio.sleep(min(self.seconds, 30)))))

    async def busy(self) -> Outcome:
        count, before = RATE * self.seconds, await self._payloads()
        drafts, pid = await self._drafts(), pid_of(self.here)
        small = resident(pid)
        with Meter(pid) as daemon, Meter(*([self.broker] if self.broker else [])) as broker:
            publishing = asyncio.create_task(self._publish(count, SENSORS, RATE))
            began = time.monotonic()
            took = await self._probes(publishing)
            published = time.monotonic() - began
            behind = before + count - await self._payloads()
            judged = await self._through(before, count) - before
            seconds = time.monotonic() - began
        async with asyncio.timeout(_PATIENCE):
            while judged == count and await self._drafts() == drafts:  # the last reading makes one
                await asyncio.sleep(0.05)
        return _outcome(
            took,
            **{
                "published/s": count / published,
                "judged/s": judged / seconds,
                "behind at the end": behind,
                "dropped by the broker": count - judged,
                "daemon cores": daemon.cpu / daemon.seconds,
                "µs a reading": daemon.cpu / count * 1e6,
                "broker cores": broker.cpu / broker.seconds,
                "MiB more": (resident(pid) - small) / (1 << 20),
            },
        )

    async def _through(self, before: int, count: int) -> int:
        """How many were judged since ever, once all were; or once none more came for a while, for then the broker had
        no room for the rest."""
        had, since = -1, time.monotonic()
        while had < before + count and time.monotonic() - since < _STILL:
            now = await self._payloads()
            if now != had:
                had, since = now, time.monotonic()
            await asyncio.sleep(0.05)
        return had

    async def _probes(self, until: "asyncio.Task[object]") -> list[float]:
        took: list[float] = []
        due = time.monotonic()
        while not until.done():
            took.append(await self._post())
            due = max(due + _GAP, time.monotonic())
            await asyncio.sleep(due - time.monotonic())
        await until
        return took

    async def _post(self) -> float:
        began = time.perf_counter()
        async with self.session.post("/v1/alerts", json=emergency()) as answer:
            told = await answer.read()
            assert answer.status == 202, (answer.status, told)
        return time.perf_counter() - began

    async def _payloads(self) -> int:
        """Those judged; an unreadable one would be a fault of this benchmark."""
        async with self.session.get("/metrics") as answer:
            text = await answer.text()
        found = {outcome: float(value) for outcome, value in _JUDGED.findall(text)}
        assert not found.get("bad"), found
        assert 'finding="doubted"' not in text, "readings were not believed"
        return int(found.get("good", 0))

    async def _drafts(self) -> int:
        """What the rule raised or said of it since."""
        rows = await asyncio.to_thread(self.here.sql, "SELECT count(*) FROM alert WHERE created_by = 'rule:flood'")
        return int(rows[0][0])

    async def _publish(self, count: int, sensors: int, rate: int) -> None:
        argv = [sys.executable, "-m", "tests.bench.gauges", *map(str, (self.port, sensors, count, rate))]
        process = await asyncio.create_subprocess_exec(*argv, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
        try:
            said, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        assert json.loads(said)["count"] == count


async def _broker(stack: AsyncExitStack, folder: Path) -> tuple[int | None, int, str]:
    if mosquitto_program() is None:
        return None, await stack.enter_async_context(amqtt_broker()), "amqtt in this process (no mosquitto here)"
    broker = await stack.enter_async_context(mosquitto(folder, *_BROKER))
    return broker.pid, broker.port, "Debian's mosquitto"


@asynccontextmanager
async def _town(folder: Path, hook: str, port: int) -> AsyncIterator[Town]:
    secret = folder / "secret"
    secret.write_text("a secret of the benchmark")
    secret.chmod(0o600)
    async with town(folder / "town", _TOWN.format(hook=hook, secret=secret, port=port)) as here:
        await here.start()
        yield here


def _outcome(took: list[float], **more: float) -> Outcome:
    figures = {"p50 ms": quantile(took, 0.5) * 1000, "max ms": max(took) * 1000, **more}
    return Outcome(len(took), quantile(took, 0.99), figures=figures)
