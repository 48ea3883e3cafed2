"""Accepting alerts while 100,000 pushes go out as fast as they can, against accepting them alone."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

from tests.acceptance.town import MONTELUPO, free_port
from tests.bench import sinks
from tests.bench.figures import quantile
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Target, rounds
from tests.bench.pushtown import Day, PushTown, push_town
from tests.bench.sinks import Nginx
from tests.bench.stage import ELSEWHERE, emergency

IDLE, BUSY = "idle", "while the pushes go out"
_PROBES = 300
_WARM = 20
_IDLE_GAP, _GAP = 0.02, 0.004
"""Seconds at most between one probe and the next; idle long enough for the daemon to be through with the last one."""
_WITHIN = 120.0
_FEWEST = 10

_Sink = Callable[[], AbstractAsyncContextManager[Nginx]]


async def measure(bench: Bench) -> list[Section]:
    trust = sinks.authority(bench.folder)
    async with push_town(bench.folder / "town", bench.pick(100_000, 10_000), free_port(), trust) as here:
        await here.settle_in()
        sink = partial(sinks.nginx, bench.folder / "sink", trust, port=here.port, keepalive=sinks.PATIENT)
        return [await _section(bench, here, sink)]


async def _section(bench: Bench, here: PushTown, sink: _Sink) -> Section:
    play = partial(_play, here, sink)
    return await rounds(
        bench,
        Group(
            key="calm",
            title="Accepting during a fan-out",
            work=f"POST → 202 (durable) of an emergency to one, p99 of many; alone and while {here.size:,} pushes go out",
            figure=Figure.SECONDS,
            unit="s at p99",
            peer=IDLE,
            contestants=(
                Contestant(IDLE, f"{_PROBES} probes, one after the other", partial(play, busy=False)),
                Contestant(BUSY, "probes for as long as the fan-out lasts, envelopes ready", partial(play, busy=True)),
            ),
            targets=(Target(BUSY, IDLE, most=6),),
            silent=("Sink, daemon and whoever asks share the same cores: a part of the wait is theirs.",),
        ),
    )


async def _play(here: PushTown, sink: _Sink, *, busy: bool) -> Outcome:
    async with sink(), here.day(envelopes=1) as day:
        await day.full()
        await _probes(day, _WARM)
        if not busy:
            return _outcome(await _probes(day, _PROBES))
        fan_out = asyncio.create_task(day.fan_out(MONTELUPO, here.size, within=_WITHIN))
        took = await _probes(day, None, fan_out)
        done = await fan_out
        assert len(took) >= _FEWEST, f"the fan-out was over after {len(took)} probes"
        return _outcome(took, **{"pushes/s meanwhile": here.size / done.seconds})


async def _probes(day: Day, count: int | None, until: "asyncio.Task[object] | None" = None) -> list[float]:
    """One after the other, so many or until that is done; seconds each took."""
    took: list[float] = []
    while len(took) != count and not (until and until.done()):
        began = time.perf_counter()
        await day.post(emergency(area=[{"zone": ELSEWHERE}]))
        took.append(time.perf_counter() - began)
        await asyncio.sleep(random.uniform(0, _GAP) if until else random.uniform(_GAP, _IDLE_GAP))
    return took


def _outcome(took: list[float], **more: float) -> Outcome:
    figures = {"p50 ms": quantile(took, 0.5) * 1000, "max ms": max(took) * 1000, **more}
    return Outcome(len(took), quantile(took, 0.99), figures=figures)
