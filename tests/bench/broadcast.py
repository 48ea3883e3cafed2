"""POST of an alert → the first byte at a webhook; and → the last of a hundred webhooks. Against Alertmanager and Apprise.

alertd has the alert, its plan and its audit row on disk before the first byte leaves; Alertmanager and Apprise store
nothing. All post plain JSON over HTTP to the same receiver, whose clock is read at the first byte.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import NamedTuple

import aiohttp

from tests.acceptance.town import town
from tests.bench.alertmanager import alertmanager
from tests.bench.figures import quantile
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Skipped, Target, report_of, rounds
from tests.bench.receiver import Receiver, receiver
from tests.bench.road import keep_alive
from tests.bench.stage import emergency
from tests.bench.standins import mark

HOOKS = 100
_ALERTD, _ALERTMANAGER, _APPRISE = "alertd", "Alertmanager", "Apprise"
_GAP = 0.01  # seconds at most between one alert's arrival and the next alert
_WARM = 10
_APPRISE_PATIENCE = 120.0
_CHANNEL = """
[channels.hook-{place}]
adapter = "webhook"
url = "{url}"
secret = {{ file = "{secret}" }}
allow_private = ["127.0.0.0/8"]
"""


class Posted(NamedTuple):
    """When the POST was begun, seconds of time.monotonic, and how long its answer took."""

    began: float
    took: float


Post = Callable[[int, int], Awaitable[Posted]]  # (number, to how many webhooks)


async def measure(bench: Bench) -> list[Section]:
    singles, volleys = bench.pick(200, 50), bench.pick(20, 5)
    async with AsyncExitStack() as stack:
        there = await stack.enter_async_context(receiver())
        numbers = count()
        urls = [there.url(place) for place in range(HOOKS)]
        try:
            theirs = await stack.enter_async_context(_alertmanager(bench.folder / "alertmanager", urls))
        except Skipped as why:
            theirs = _missing(str(why))
        async with _alertd(bench.folder / "village", urls[:1]) as ours:
            first = await rounds(bench, _first(_Work(there, 1, numbers), ours, theirs, singles))
        async with _alertd(bench.folder / "town", urls) as ours:
            hundred = await rounds(bench, _hundred(_Work(there, HOOKS, numbers), ours, theirs, volleys))
        return [first, hundred]


def _first(work: "_Work", ours: Post, theirs: Post, singles: int) -> Group:
    return Group(
        key="first-webhook",
        title="The first webhook",
        work=f"{singles} alerts one after the other: POST → the first byte at one webhook",
        figure=Figure.SECONDS,
        unit="s (median)",
        peer=_ALERTMANAGER,
        contestants=(
            Contestant(_ALERTD, "accepted, planned and on disk before", lambda: work.play(ours, singles)),
            Contestant(
                _ALERTMANAGER,
                "group_wait 0s, group_by ['...']; stores nothing",
                lambda: work.play(theirs, singles),
                peer=True,
            ),
        ),
        targets=(Target(_ALERTD, _ALERTMANAGER, most=2.0),),
        silent=("One disk: where fsync is slow, alertd's first byte waits for it and Alertmanager's does not.",),
    )


def _hundred(work: "_Work", ours: Post, theirs: Post, volleys: int) -> Group:
    return Group(
        key="hundred-webhooks",
        title=f"{HOOKS} webhooks",
        work=f"one alert to {HOOKS} receivers: POST → the first byte at the last of them",
        figure=Figure.SECONDS,
        unit="s (median)",
        peer=_ALERTMANAGER,
        contestants=(
            Contestant(_ALERTD, f"{HOOKS} webhook channels, a receipt for each", lambda: work.play(ours, volleys)),
            Contestant(
                _ALERTMANAGER,
                f"{HOOKS} receivers by routes with `continue`; stores nothing",
                lambda: work.play(theirs, volleys),
                peer=True,
            ),
            Contestant(_APPRISE, f"notify() to {HOOKS} json:// targets", lambda: work.apprise(volleys), peer=True),
        ),
        targets=(Target(_ALERTD, _ALERTMANAGER, most=1.0), Target(_ALERTD, _APPRISE, most=1.0)),
        silent=("One receiver process plays all hundred, on the same cores as the senders.",),
    )


@dataclass(frozen=True, slots=True)
class _Work:
    """Alerts to so many webhooks. Numbers are never used twice: nothing late is taken for something early."""

    there: Receiver
    hooks: int
    numbers: Iterator[int]

    async def play(self, post: Post, times: int) -> Outcome:
        await self._volley(post, _WARM)
        return await self._volley(post, times)

    async def _volley(self, post: Post, times: int) -> Outcome:
        reached: list[float] = []
        answered: list[float] = []
        for _ in range(times):
            number = next(self.numbers)
            posted = await post(number, self.hooks)
            answered.append(posted.took)
            reached.append(await self._last(number) - posted.began)
            await asyncio.sleep(random.uniform(0, _GAP))
        return _outcome(reached, **{"POST answered ms": quantile(answered, 0.5) * 1000})

    async def _last(self, number: int) -> float:
        return max((await self.there.came(number, self.hooks)).values())

    async def apprise(self, times: int) -> Outcome:
        try:
            import apprise  # noqa: F401
        except ImportError:
            raise Skipped("Apprise is not installed: pip install apprise") from None
        numbers = [next(self.numbers) for _ in range(times + 1)]
        script = Path(__file__).parent / "peers" / "apprise_peer.py"
        job = {"urls": [self.there.url(place) for place in range(self.hooks)], "numbers": numbers, "gap": _GAP}
        told, _ = await report_of([sys.executable, script, json.dumps(job)], seconds=_APPRISE_PATIENCE)
        took = [await self._last(n) - told["began"][str(n)] for n in numbers]
        return _outcome(took[1:])


def _outcome(took: list[float], **more: float) -> Outcome:
    figures = {"p99 ms": quantile(took, 0.99) * 1000, "max ms": max(took) * 1000, **more}
    return Outcome(len(took), quantile(took, 0.5), figures=figures)


@asynccontextmanager
async def _alertd(folder: Path, urls: list[str]) -> AsyncIterator[Post]:
    folder.mkdir(parents=True)
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text("whsec_" + "c2VjcmV0" * 4)
    channels = "".join(_CHANNEL.format(place=place, url=url, secret=secret) for place, url in enumerate(urls))
    async with town(folder, channels) as here:
        await here.start()
        async with keep_alive(here) as session:

            async def post(number: int, _hooks: int) -> Posted:
                return await _posted(session, "/v1/alerts", emergency(f"Allerta {mark(number)}"), 202)

            yield post


@asynccontextmanager
async def _alertmanager(folder: Path, urls: list[str]) -> AsyncIterator[Post]:
    async with alertmanager(folder, urls) as there, aiohttp.ClientSession(there.url) as session:

        async def post(number: int, hooks: int) -> Posted:
            labels = {"alertname": "Allerta", "number": mark(number), "reach": "one" if hooks == 1 else "all"}
            alert = {"labels": labels, "annotations": {"summary": "Allerta arancione per temporali"}}
            return await _posted(session, "/api/v2/alerts", [alert], 200)

        yield post


def _missing(why: str) -> Post:
    async def post(_number: int, _hooks: int) -> Posted:
        raise Skipped(why)

    return post


async def _posted(session: aiohttp.ClientSession, path: str, message: object, status: int) -> Posted:
    body = json.dumps(message).encode()
    began = time.monotonic()
    async with session.post(path, data=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == status, await answer.text()
        await answer.read()
    return Posted(began, time.monotonic() - began)
