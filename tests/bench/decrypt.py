"""Not how fast but how well: every push decrypts, each with a key of its own, and others can read them too.

Two alerts one right after the other to everybody, so that the second finds the magazine half empty: envelopes ready,
envelopes being derived and ordinary encryption all take part. The sandbox opens every single message; a sample is
opened again by http_ece, and a smaller town's are opened by npm web-push-testing alone.
"""

import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.webpush import vapid
from adapters.webpush.config import WebPushConfig
from alertd.sandbox.keyring import Keyring
from alertd.sandbox.opener import Opener
from alertd.sandbox.sandbox import Options
from tests.acceptance.place import PUSH, place
from tests.acceptance.town import Town, town
from tests.bench.measure import SKIPPED, Bench, Figure, Group, Section, Skipped
from tests.bench.population import found, settle_in, subscriptions
from tests.bench.pushtown import Day
from tests.bench.readers import Browsers, browsers, read_by_http_ece
from tests.bench.road import keep_alive, travel
from tests.bench.sinks import authority
from tests.bench.stage import emergency

_SALT, _KEY = slice(0, 16), slice(21, 86)  # RFC 8188, section 2.1, with RFC 8291's keyid
_SAMPLE = 200
_HEADLINES = ("Allerta arancione", "Allerta rossa")
_PATIENCE = 180.0
_CHANNEL = """
[channels.push]
adapter = "webpush"
contact = "mailto:bench@comune.example.it"
allow_hosts = ["127.0.0.1:{port}"]
allow_private = ["127.0.0.0/8"]
ca_file = "{ca_file}"
"""


@dataclass(frozen=True, slots=True)
class _Opened:
    """A push as the sandbox got it, and what it read in it."""

    number: int
    body: bytes
    text: bytes


async def measure(bench: Bench) -> list[Section]:
    people = bench.pick(10_000, 1_000)
    section = Section(
        Group(
            key="decrypt",
            title="Every push can be read, and no envelope is used twice",
            work=f"two alerts right after each other to {people:,} browsers, and to {_SAMPLE} of npm web-push-testing",
            figure=Figure.RATE,
            unit="",
            peer="",
            contestants=(),
            silent=("Reading is the stand-in's work and much slower than sending: no rate is told here.",),
        )
    )
    bench.tell(f"decrypt: {people:,} browsers of the sandbox")
    section.lines += await _by_the_sandbox(bench.folder / "sandbox-town", people)
    bench.tell("decrypt: browsers of web-push-testing")
    try:
        section.lines += await _by_web_push_testing(bench.folder / "node-town")
    except Skipped as why:
        section.skipped["npm web-push-testing"] = str(why)
        bench.tell(f"{SKIPPED} decrypt: {why}")
    return [section]


async def _by_the_sandbox(folder: Path, people: int) -> list[str]:
    async with place(folder, only=(PUSH,)) as (here, sandbox):
        opened = _note(sandbox.push._opener)
        await _settle(here, list(subscriptions(sandbox.push.origin, people)))
        await _two_alerts(here, people)
        sums = sandbox.push.stats()
    messages = 2 * people
    salts, keys = {one.body[_SALT] for one in opened}, {one.body[_KEY] for one in opened}
    assert sums["messages"] == len(opened) == messages, f"{sums['messages']:,} of {messages:,} were read: {sums}"
    assert sums["recipients"] == people, sums
    assert sums["reused_envelopes"] == 0, sums
    assert len(salts) == len(keys) == messages, f"{len(salts):,} salts and {len(keys):,} keys for {messages:,} messages"
    _read_again(opened)
    over = f", {sums['over_h2']:,} of them over HTTP/2" if "over_h2" in sums else ""
    return [
        f"The sandbox decrypted all {messages:,} messages{over}, with {len(keys):,} different server keys and "
        f"{len(salts):,} different salts; envelopes used twice: {sums['reused_envelopes']}.",
        f"http_ece read a sample of {_SAMPLE} of them alike.",
    ]


def _read_again(opened: list[_Opened]) -> None:
    keyring = Keyring(Options().seed)
    for one in random.sample(opened, _SAMPLE):
        assert read_by_http_ece(keyring.keys(one.number), one.body) == one.text


async def _by_web_push_testing(folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    trust = authority(folder)
    async with browsers(folder / "browsers", trust) as there:
        async with _node_town(folder, there, str(trust.ca_file)) as (here, names):
            await _two_alerts(here, len(names))
        for name in names:
            titles = [json.loads(message)["title"] for message in await there.read(name)]
            assert len(titles) == len(_HEADLINES), titles
            for headline, title in zip(_HEADLINES, titles, strict=True):
                assert headline in title, titles
        protocols = await there.protocols()
    return [
        f"npm web-push-testing decrypted all {sum(protocols.values())} messages to its {len(names)} browsers and verified "
        f"their VAPID tokens; they came over HTTP {' and '.join(protocols)}."
    ]


@asynccontextmanager
async def _node_town(folder: Path, there: Browsers, ca_file: str) -> AsyncIterator[tuple[Town, list[str]]]:
    """Browsers of web-push-testing, which subscribe with the daemon's own key as a real one would."""
    async with town(folder, _CHANNEL.format(port=there.port, ca_file=ca_file)) as here:
        await found(here)
        (file,) = here.state.rglob(vapid.FILE)
        key = vapid.public_key(vapid.load_or_make(file.parent))
        subscribed = [await there.subscribe(key) for _ in range(_SAMPLE)]
        await _settle(here, [address for _, address in subscribed])
        yield here, [name for name, _ in subscribed]


async def _settle(here: Town, addresses: list[str]) -> None:
    if not here.state.exists():
        await found(here)
    settle_in(here.state, PUSH, addresses)
    await here.start()
    if "envelopes" in WebPushConfig.model_fields:
        async with keep_alive(here) as session:
            await Day(here, session).full()


async def _two_alerts(here: Town, people: int) -> None:
    for headline in _HEADLINES:
        await travel(here, emergency(headline), PUSH, people, within=_PATIENCE)


def _note(opener: Opener) -> list[_Opened]:
    opened: list[_Opened] = []
    open_ = opener.open

    async def noted(number: int, body: bytes) -> bytes:
        text = await open_(number, body)
        opened.append(_Opened(number, body, text))
        return text

    opener.open = noted
    return opened
