"""Sources among each other: whatever one does, the others go on, and the readiness board says which is dead."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from alertd.core.readiness import Readiness
from alertd.domain.problems import Conflict
from alertd.ingest import polling
from alertd.ingest.kinds import options_of
from alertd.ingest.readers.cap_feed import Index, entries
from alertd.ingest.source import Polled, SourceSpec
from alertd.ingest.supervisor import Supervisor
from tests.integration.fake_house import CHANNELS, fake_house, settings_of
from tests.support.desk_stand import DeskStand, spec, territory
from tests.support.feed_server import FeedServer, feed_server
from tests.unit.rules_stand import rule
from tests.unit.test_ingest_desk import document

EVERY = 60.0


def polled(name: str, url: str, reader: str = "cap", **options: Any) -> SourceSpec:
    config = options_of(reader).model_validate(options)
    way = Polled(url=url, allow_http=True, timeout=timedelta(seconds=1), max_bytes=1 << 20)
    return SourceSpec(name, reader, config, way, 300.0)


@asynccontextmanager
async def watched(stand: DeskStand, readiness: Readiness, *specs: SourceSpec) -> AsyncIterator[Supervisor]:
    sources = Supervisor(
        stand.desk,
        stand.clock,
        structlog.get_logger(),
        stand.gauges,
        territory=territory,
        chance=lambda: 0.0,
        readiness=readiness,
    )
    await sources.apply(specs)
    looking = asyncio.create_task(sources.run())
    try:
        yield sources
    finally:
        looking.cancel()
        await sources.close()


async def _until(true: Callable[[], object], within: float = 180.0) -> None:
    async with asyncio.timeout(within):
        while not true():
            await asyncio.sleep(0.01)


async def next_poll(stand: DeskStand, sources: int = 1) -> None:
    """Time goes on once every source, and the one who watches them, has ended its turn and sleeps."""
    await _until(lambda: stand.clock.sleeping > sources)
    await stand.clock.advance(EVERY)


def forwarding(source: str) -> DeskStand:
    return DeskStand(rule(match={"source": source}, template="forward"))


def _feed(server: FeedServer, *names: str) -> bytes:
    entries = "".join(
        f"<entry><id>{name}</id><updated>2026-11-21T10:0{i}:00Z</updated><title>t</title>"
        f'<link href="{server.url}/{name}.xml" type="application/cap+xml"/></entry>'
        for i, name in enumerate(names)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>f</title>{entries}</feed>'.encode()


async def test_dead_sources_are_named_within_two_polls_and_harm_nobody() -> None:
    stand, readiness = forwarding("good"), Readiness()
    await stand.start()
    async with feed_server() as server:
        server.hang("/hangs")
        server.document("/fails", b"", status=500)
        server.document("/page", b"<html>", kind="text/html")
        server.endless("/huge", declared=False)
        server.document("/garbage", b"\x00\x01 nonsense")
        server.document("/good", document("a", 0))
        names = ("hangs", "fails", "page", "huge", "garbage", "good")
        specs = [polled(name, f"{server.url}/{name}") for name in names]
        async with watched(stand, readiness, *specs) as sources:

            def tried(times: int) -> bool:
                return all(sum(path == f"/{name}" for path, _ in server.asked) >= times for name in names)

            await _until(lambda: tried(1) and all(s.detail or s.ready for s in sources.status()))
            await _until(lambda: sum(s.detail != "not heard yet" for s in sources.status()) == len(names))
            await next_poll(stand, len(names))
            await _until(lambda: tried(2) and sum(s.ready for s in sources.status()) == 1)
            said = {status.name: status for status in sources.status()}
            await stand.clock.advance(10)
    assert said["good"].ready
    assert "within 1 s" in said["hangs"].detail
    assert "500" in said["fails"].detail
    assert "HTML" in said["page"].detail
    assert "more than 1048576 bytes" in said["huge"].detail
    assert "cannot be read" in said["garbage"].detail
    assert readiness.state() == (True, "")
    assert readiness.concerns == ("5 of 6 sources are not heard",)
    assert [step[0] for step in stand.core.steps] == ["raise"]


async def test_a_feed_is_followed_once_and_not_off_its_host() -> None:
    stand = forwarding("regione")
    await stand.start()
    async with feed_server() as server, feed_server() as other:
        server.document("/feed", _feed(server, "a"), kind="application/atom+xml", etag='"0"')
        server.document("/a.xml", document("a", 0))
        server.document("/b.xml", document("b", 5, kind="Update", severity="Extreme", of=("a", 0)))
        followed = polled("regione", f"{server.url}/feed", "cap_feed")
        async with watched(stand, Readiness(), followed) as sources:
            await _until(lambda: len(stand.core.steps) == 1 and sources.status()[0].detail == "")
            server.document("/feed", _feed(server, "a", "b"), kind="application/atom+xml", etag='"1"')
            await next_poll(stand)
            await _until(lambda: len(stand.core.steps) == 2)
            await next_poll(stand)
            await _until(lambda: server.asked[-1] == ("/feed", '"1"'))
            moved = _feed(other, "a").replace(b"<id>a</id>", b"<id>elsewhere</id>")
            server.document("/feed", moved, kind="application/atom+xml", etag='"2"')
            await _until(lambda: sources.status()[0].ready)
            await next_poll(stand)
            await _until(lambda: "own host" in sources.status()[0].detail)
        assert [path for path, _ in server.asked].count("/a.xml") == 1
        assert other.asked == []
    assert [step[0] for step in stand.core.steps] == ["raise", "change"]


async def test_a_message_and_its_cancel_in_one_poll_raise_nothing() -> None:
    stand = forwarding("regione")
    await stand.start()
    async with feed_server() as server:
        server.document("/feed", _feed(server, "b", "a", "c"), kind="application/atom+xml")
        server.document("/a.xml", document("a", 0))
        server.document("/b.xml", document("b", 5, kind="Cancel", of=("a", 0)))
        server.document("/c.xml", document("c", 1))
        async with watched(stand, Readiness(), polled("regione", f"{server.url}/feed", "cap_feed")) as sources:
            await _until(lambda: sources.status()[0].detail == "")
    assert [step[0] for step in stand.core.steps] == ["raise"]


async def test_the_list_of_a_feed_is_read_off_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def watch(*given: Any) -> Index:
        threads.append(threading.current_thread())
        return entries(*given)

    monkeypatch.setattr(polling, "entries", watch)
    stand = forwarding("regione")
    await stand.start()
    async with feed_server() as server:
        server.document("/feed", _feed(server), kind="application/atom+xml")
        async with watched(stand, Readiness(), polled("regione", f"{server.url}/feed", "cap_feed")) as sources:
            await _until(lambda: sources.status()[0].detail == "")
    assert threads
    assert threading.main_thread() not in threads


async def test_documents_that_drip_hold_up_no_good_one_and_are_counted() -> None:
    stand = forwarding("regione")
    await stand.start()
    names = [f"d{i}" for i in range(9)]
    async with feed_server() as server:
        server.document("/feed", _feed(server, "good", *names), kind="application/atom+xml", etag='"1"')
        server.document("/good.xml", document("good", 0))
        for name in names:
            server.hang(f"/{name}.xml")
        async with watched(stand, Readiness(), polled("regione", f"{server.url}/feed", "cap_feed")) as sources:
            for _ in range(2):
                await _until(lambda: "documents" in sources.status()[0].detail)
                await next_poll(stand)
            await _until(lambda: len(stand.core.steps) == 1)
            await _until(lambda: "9 documents of its feed" in sources.status()[0].detail)
            assert not sources.status()[0].ready
        assert [path for path, _ in server.asked].count("/good.xml") == 1


@pytest.mark.parametrize("feed", [True, False])
async def test_rules_that_are_others_now_hear_what_was_said_before_them_and_old_ones_nothing_twice(feed: bool) -> None:
    stand = forwarding("regione")
    await stand.start()
    async with feed_server() as server:
        server.document("/feed", _feed(server, "a"), kind="application/atom+xml", etag='"0"')
        server.document("/a.xml", document("a", 0), etag='"a"')
        asked = (
            polled("regione", f"{server.url}/feed", "cap_feed") if feed else polled("regione", f"{server.url}/a.xml")
        )
        async with watched(stand, Readiness(), asked) as sources:
            await _until(lambda: len(stand.core.steps) == 1)
            await next_poll(stand)
            second = rule(match={"source": "regione"}, template="forward", name="seconda")
            stand.desk.apply([*stand.rules, second])
            await sources.apply([asked], anew=True)
            await _until(lambda: len(stand.core.steps) == 2)
            await next_poll(stand)
            assert [status.ready for status in sources.status()] == [True]
    assert [step[0] for step in stand.core.steps] == ["raise", "raise"]


async def test_silence_is_told_by_time_alone() -> None:
    stand, readiness = DeskStand(), Readiness()
    await stand.start()
    async with watched(stand, readiness, spec(stale_after=600.0, sensor="pesa-1")) as sources:
        await sources.push("pesa", b"1.0", {})
        assert sources.status()[0].ready
        await stand.clock.advance(700)
        status = sources.status()[0]
        assert not status.ready
        assert "silent for 700 s" in status.detail
        assert readiness.concerns == ("1 of 1 sources are not heard",)
        await sources.push("pesa", b"1.1", {})
        assert sources.status()[0].ready


async def test_nothing_is_posted_to_a_source_that_is_asked_or_listened_to() -> None:
    stand = DeskStand()
    await stand.start()
    asked = polled("regione", "http://127.0.0.1:9/feed", "cap_feed")
    async with watched(stand, Readiness(), asked, spec(sensor="pesa-1")) as sources:
        with pytest.raises(Conflict, match="'regione' is asked or listened to"):
            await sources.push("regione", document("a", 0), {})
        assert len((await sources.push("pesa", b"1.0", {})).signals) == 1


# --- over HTTP, in the whole house ---

RULES = """
[sources.pesa]
reader = "number"
sensor = "pesa-1"
unit = "m"
[sources.dighe]
reader = "webhook"
secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
[sources.dighe.fields]
key = {path = "$.id"}
[templates.piena]
category = ["Met"]
[templates.piena.text.it-IT]
event = "Piena"
[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {source = "pesa"}
reading = {above = 2.5}
"""


async def _post(town: Any, source: str, body: bytes, **headers: str) -> tuple[int, Any]:
    given = {"Authorization": f"Bearer {town.tokens['admin']}", **headers}
    answer = await town.client.post(f"/v1/ingest/{source}", content=body, headers=given)
    return answer.status_code, answer.json()


async def test_what_is_posted_is_read_judged_and_answered(tmp_path: Path) -> None:
    async with fake_house(tmp_path, CHANNELS + RULES) as town:
        await town.enrol("anna@example.org")
        assert await _post(town, "pesa", b"2.61") == (202, {"signals": 1, "violations": []})
        _, answer = await town.call("GET", "/v1/alerts")
        drafts = [alert["state"] for alert in answer["items"] if alert["created_by"] == "rule:piena"]
        assert drafts == ["draft"]
        code, answer = await _post(town, "pesa", b"high")
        assert (code, answer["errors"][0]["loc"]) == (422, ["body", "payload"])
        assert (await _post(town, "none", b"1"))[0] == 404
        assert (await _post(town, "pesa", b"1" * (2 << 20)))[0] == 413
        assert (await _post(town, "dighe", b'{"id": "x"}'))[0] == 403
        assert (await _post(town, "pesa", b"1", **{"Content-Encoding": "gzip"}))[0] == 415


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"{" * 100_000, b"[1e999]", b"NaN", b"<a/>", b"\x00" * 1000])
async def test_a_hostile_body_is_never_our_fault(body: bytes, tmp_path: Path) -> None:
    lines = "".join(
        f'[sources.{name}]\nreader = "{reader}"\n{more}\n'
        for name, reader, more in (
            ("n", "number", 'sensor = "s"'),
            ("s", "sensorthings", ""),
            ("a", "alertmanager", ""),
            ("c", "cap", ""),
            ("d", "dpc", 'zones = ["Tosc-A1"]'),
            ("m", "meteoalarm", 'zones = ["IT016"]'),
            ("i", "ingv", ""),
        )
    )
    async with fake_house(tmp_path, CHANNELS + lines) as town:
        for source in "nsacdmi":
            assert (await _post(town, source, body))[0] < 500


async def test_a_token_for_drills_feeds_no_rules(tmp_path: Path) -> None:
    async with fake_house(tmp_path, CHANNELS + RULES) as town:
        await town.enrol("anna@example.org")
        for name, modes, code in (("driller", {"Exercise"}, 403), ("gauge", {"Actual"}, 202)):
            secret = await town.house.access.create(name, frozenset({"ingest"}), frozenset(modes), actor="test")
            assert (await _post(town, "pesa", b"2.61", Authorization=f"Bearer {secret}"))[0] == code
            _, answer = await town.call("GET", "/v1/alerts")
            assert len(answer["items"]) == (0 if code == 403 else 1)


async def test_a_reload_changes_sources_and_rules(tmp_path: Path) -> None:
    async with fake_house(tmp_path, CHANNELS + RULES) as town:
        assert [status.name for status in town.house.sources.status()] == ["pesa", "dighe"]
        kept = town.house.sources._kept["pesa"]
        fresh = settings_of(tmp_path, CHANNELS + RULES.replace("above = 2.5", "above = 3.5").replace("dighe", "invasi"))
        town.house.desk.apply(fresh.ingest.rules)
        await town.house.sources.apply(fresh.ingest.sources.values())
        assert [status.name for status in town.house.sources.status()] == ["pesa", "invasi"]
        assert town.house.sources._kept["pesa"] is kept
        await town.enrol("anna@example.org")
        assert (await _post(town, "pesa", b"2.61"))[0] == 202
        _, answer = await town.call("GET", "/v1/alerts")
        assert answer["items"] == []
