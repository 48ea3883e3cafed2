"""The public feeds and the CAP documents they lead to: who is in which, for how long, and what a second look costs."""

import asyncio
import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from lxml import etree
from starlette.requests import Request
from starlette.types import Message

from alertd.cap.writer import write
from alertd.domain.alert import (
    Alert,
    AlertState,
    Category,
    Certainty,
    Info,
    MsgType,
    Purpose,
    Reference,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.problems import Unavailable
from alertd.web.documents import Documents
from alertd.web.public.feeds.roll import LOOK_AGAIN
from alertd.web.public.representation import PIECE, Representation, respond, takes_gzip
from alertd.web.services import FeedTerms
from tests.support.citizens import Hall, make_hall
from tests.support.clock import ManualClock
from tests.support.notices import SERVICE, alert, info

ATOM = "{http://www.w3.org/2005/Atom}"
CAP_TYPE = "application/cap+xml"
SCHEMA = Path(__file__).parents[3] / "shared" / "standards" / "CAP-v1.2.xsd"
HOUR = timedelta(hours=1)
FEEDS = ("/feed.atom", "/feed.rss", "/feed-exercise.atom")


def real(alert_id: str = "a1", **more: object) -> Alert:
    return replace(alert(alert_id, status=Status.ACTUAL), **more)  # type: ignore[arg-type]


async def get(hall: Hall, path: str, **headers: str) -> httpx.Response:
    async with hall.client() as client:
        client.headers["accept-encoding"] = "identity"
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def titles(hall: Hall, path: str = "/feed.atom") -> list[str | None]:
    feed = etree.fromstring((await get(hall, path)).content)
    return [entry.findtext(f"{ATOM}title") for entry in feed.iter(f"{ATOM}entry")] or [
        item.findtext("title") for item in feed.iter("item")
    ]


def terms(feed: etree._Element, scheme: str) -> list[str | None]:
    return [c.get("term") for c in feed.iter(f"{ATOM}category") if c.get("scheme") == scheme]


# --- who is in which ---


@pytest.mark.parametrize(
    ("status", "mark"),
    [(Status.EXERCISE, "ESERCITAZIONE"), (Status.TEST, "TEST / PROVA"), (Status.SYSTEM, "TEST DI SISTEMA")],
)
async def test_drills_and_tests_are_in_a_feed_of_their_own_and_say_so(status: Status, mark: str) -> None:
    hall = make_hall()
    hall.board.put(real("r1"))
    hall.board.put(real("d1", status=status))
    for path in ("/", "/feed.atom", "/feed.rss"):
        text = (await get(hall, path)).text
        assert "d1" not in text
        assert "r1" in text
    drills = etree.fromstring((await get(hall, "/feed-exercise.atom")).content)
    (entry,) = drills.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}title") == f"{mark} - Allerta arancione per temporali"
    assert terms(drills, "alertd:status") == [status]
    assert "Esercitazioni e prove" in drills.findtext(f"{ATOM}title", "")
    (link,) = [a.get("href") for a in entry.findall(f"{ATOM}link")]
    document = await get(hall, urlsplit(link).path)
    assert f"<status>{status}</status>".encode() in document.content
    assert document.headers["content-disposition"] == f'inline; filename="{status.lower()}.xml"'
    assert "content-disposition" not in (await get(hall, "/cap/it-montelupo-r1.xml")).headers
    assert (await get(hall, "/alerts/d1")).status_code == 404


async def test_pages_lead_to_the_real_feeds_and_never_to_the_drills() -> None:
    hall = make_hall()
    hall.board.put(real())
    for path in ("/", "/alerts/a1", "/subscribe"):
        page = (await get(hall, path)).text
        assert 'type="application/atom+xml"' in page
        assert 'href="/feed.atom"' in page
        assert 'href="/feed.rss"' in page
        assert "exercise" not in page
    assert 'rel="alternate" type="application/cap+xml"' in (await get(hall, "/alerts/a1")).text


@pytest.mark.parametrize("msg_type", [MsgType.ACK, MsgType.ERROR])
async def test_answers_between_systems_have_no_document(msg_type: MsgType) -> None:
    hall = make_hall()
    hall.board.put(real(msg_type=msg_type, references=(Reference("s", "i", "t"),)))
    assert (await get(hall, "/cap/it-montelupo-a1.xml")).status_code == 404


@pytest.mark.parametrize(
    "path", ["/cap/nothing.xml", "/cap/.xml", "/cap/a%2Fb.xml", "/cap/%00.xml", "/cap/" + "x" * 5000 + ".xml"]
)
async def test_an_unknown_document_is_the_same_page_as_any_other(path: str) -> None:
    hall = make_hall()
    answer, other = await get(hall, path), await get(hall, "/alerts/nothing")
    assert answer.status_code == other.status_code == 404
    assert answer.content == other.content
    assert answer.headers["cache-control"] == "no-store"


async def test_identifiers_are_opaque_and_travel_percent_encoded() -> None:
    hall = make_hall()
    odd = "urn:oid:2.49/è?1#x%20;y.xml"
    hall.board.put(real(identifier=odd))
    feed = etree.fromstring((await get(hall, "/feed.rss")).content)
    link = feed.findtext("channel/item/link")
    assert link is not None
    assert link.isascii()
    async with hall.client() as client:
        document = etree.fromstring((await client.get(link)).content)
    assert document.findtext("{*}identifier") == odd


async def test_purposes_can_be_read_apart() -> None:
    hall = make_hall()
    for purpose in Purpose:
        hall.board.put(real(purpose.value, purpose=purpose))
    assert len(await titles(hall)) == 3
    for purpose in Purpose:
        for path in ("/feed.atom", "/feed.rss"):
            text = (await get(hall, f"{path}?purpose={purpose}")).text
            assert f"it-montelupo-{purpose}.xml" in text
            assert text.count("it-montelupo") == 1
            assert f"{path}?purpose={purpose}" in text
    assert (await get(hall, "/feed.atom?purpose=war")).status_code == 404


# --- for how long ---


async def test_what_ends_is_marked_then_leaves() -> None:
    hall = make_hall(clock=(clock := ManualClock(datetime.now(UTC))), feeds=FeedTerms(past=timedelta(days=2)))
    hall.board.put(real("a1"), deadline=clock.now() + HOUR)
    hall.board.put(real("a2"), deadline=clock.now() + 2 * HOUR)
    before = await get(hall, "/feed.atom")
    assert terms(etree.fromstring(before.content), "alertd:standing") == ["current", "current"]
    await clock.advance(3600)
    after = await get(hall, "/feed.atom", if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert terms(etree.fromstring(after.content), "alertd:standing") == ["current", "past"]
    assert (await titles(hall, "/feed.rss"))[1] == "Terminato: Allerta arancione per temporali"
    ids = [e.text for e in etree.fromstring(after.content).iter(f"{ATOM}id")]
    assert ids == [e.text for e in etree.fromstring(before.content).iter(f"{ATOM}id")]
    await clock.advance(2 * 86_400)
    assert len(await titles(hall)) == 1
    await clock.advance(3600)
    assert await titles(hall) == []


async def test_without_a_past_what_ends_leaves_at_once() -> None:
    hall = make_hall(clock=(clock := ManualClock(datetime.now(UTC))), feeds=FeedTerms(past=timedelta(0)))
    hall.board.put(real(), deadline=clock.now() + HOUR)
    await clock.advance(3599)
    assert len(await titles(hall)) == 1
    await clock.advance(1)
    assert await titles(hall) == []


async def test_the_past_is_cut_where_there_is_much_and_what_holds_never() -> None:
    hall = make_hall(feeds=FeedTerms(limit=4))
    for number in range(3):
        hall.board.put(real(f"old{number}"), AlertState.EXPIRED, deadline=hall.clock.now() - HOUR)
    for number in range(3):
        hall.board.put(real(f"new{number}"))
    text = (await get(hall, "/feed.atom")).text
    assert [name for name in ("old0", "old1", "old2", "new0", "new1", "new2") if f"it-montelupo-{name}" in text] == [
        "old2", "new0", "new1", "new2",
    ]  # fmt: skip
    crowded = make_hall(feeds=FeedTerms(limit=0))
    for number in range(3):
        crowded.board.put(real(f"new{number}"))
    assert len(await titles(crowded)) == 3


async def test_a_chain_is_listed_by_its_last_message_until_nobody_can_hold_an_earlier_one() -> None:
    hall = make_hall(clock=(clock := ManualClock(datetime.now(UTC))), feeds=FeedTerms(past=timedelta(0)))
    hall.board.put(real("a1"), AlertState.SUPERSEDED, followed_by="a2", deadline=clock.now() + 6 * HOUR)
    hall.board.put(real("a2", msg_type=MsgType.UPDATE), ancestors=("a1",), deadline=clock.now() + HOUR)
    assert await titles(hall) == ["Allerta arancione per temporali"]
    await clock.advance(3600)
    assert await titles(hall) == ["Terminato: Allerta arancione per temporali"], "a1 is still held by somebody"
    await clock.advance(5 * 3600)
    assert await titles(hall) == []


async def test_a_cancel_is_listed_until_its_original_would_have_ended() -> None:
    hall = make_hall(clock=(clock := ManualClock(datetime.now(UTC))), feeds=FeedTerms(past=timedelta(0)))
    hall.board.put(real("a1"), AlertState.CANCELLED, followed_by="a2", deadline=clock.now() + 72 * HOUR)
    cancel = real(
        "a2", msg_type=MsgType.CANCEL, references=(Reference("s", "it-montelupo-a1", "x"),), note="Falso allarme."
    )
    hall.board.put(cancel, ancestors=("a1",), deadline=clock.now() + 24 * HOUR)
    await clock.advance(72 * 3600 - 1)
    feed = (await get(hall, "/feed.atom")).text
    assert "Revoca: Allerta arancione" in feed
    assert "Restare lontani" not in feed
    assert "it-montelupo-a1" not in feed
    await clock.advance(1)
    assert await titles(hall) == []


async def test_a_clock_set_back_is_noticed() -> None:
    class Hand(ManualClock):
        back = timedelta(0)

        def now(self) -> datetime:
            return super().now() - self.back

    clock = Hand(datetime.now(UTC))
    hall = make_hall(clock=clock, feeds=FeedTerms(past=timedelta(0)))
    hall.board.put(real(), deadline=clock.now() + HOUR)
    await clock.advance(3700)
    assert await titles(hall) == []
    clock.back = timedelta(hours=2)
    assert len(await titles(hall)) == 1


# --- what a second look costs ---


async def test_an_entry_is_rendered_once_and_a_crowd_costs_one_list() -> None:
    hall = make_hall()
    hall.board.put(real("a1"))
    async with hall.client() as client:
        answers = await asyncio.gather(*(client.get("/feed.atom") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    assert hall.board.reads == 2
    hall.board.put(real("a2"))
    seen: list[int] = []
    contents = hall.board.contents

    async def watched(seqs: list[int]) -> dict[int, Alert]:
        seen.extend(seqs)
        return await contents(seqs)

    hall.board.contents = watched  # type: ignore[method-assign,assignment]
    assert len(await titles(hall)) == 2
    assert seen == [2]
    reads = hall.board.reads
    await titles(hall)
    assert hall.board.reads == reads
    await hall.clock.advance(LOOK_AGAIN)
    await titles(hall)
    assert hall.board.reads == reads + 1
    assert seen == [2]


@pytest.mark.parametrize("path", FEEDS)
async def test_an_unchanged_feed_is_304(path: str) -> None:
    hall = make_hall()
    hall.board.put(real())
    first = await get(hall, path)
    again = await get(hall, path, if_none_match=f'"x", W/{first.headers["etag"]}')
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["cache-control"] == first.headers["cache-control"] == "public, max-age=15"
    assert "last-modified" not in first.headers, "another could still be made in this second"
    await hall.clock.advance(2)
    later = await get(hall, path)
    modified = later.headers["last-modified"]
    assert later.headers["etag"] == first.headers["etag"]
    assert (await get(hall, path, if_modified_since=modified)).status_code == 304
    assert (await get(hall, path, if_modified_since=modified, if_none_match='"x"')).status_code == 200
    assert (await get(hall, path, if_modified_since="Sun, 01 Jan 2040 00:00:00 GMT")).status_code == 200


@pytest.mark.parametrize("path", [*FEEDS, "/cap/it-montelupo-a1.xml"])
async def test_each_coding_has_its_own_strong_tag(path: str) -> None:
    hall = make_hall()
    hall.board.put(real())
    plain = await get(hall, path)
    async with hall.client() as client:
        packed = await client.get(path, headers={"accept-encoding": "br;q=1, gzip;q=0.5"})
        async with client.stream("GET", path, headers={"accept-encoding": "gzip"}) as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
    assert gzip.decompress(raw) == plain.content == packed.content
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"
    assert plain.headers["etag"] != packed.headers["etag"]
    assert not packed.headers["etag"].startswith("W/")
    cross = await get(hall, path, if_none_match=packed.headers["etag"])
    assert cross.status_code == 200
    assert (await get(hall, path, if_none_match=packed.headers["etag"], accept_encoding="gzip")).status_code == 304


async def test_the_last_feed_is_served_while_the_store_cannot_be_read() -> None:
    hall = make_hall()
    hall.board.put(real())
    await titles(hall)
    await get(hall, "/cap/it-montelupo-a1.xml")
    hall.board.broken = Unavailable("disk")
    await hall.clock.advance(60)
    assert len(await titles(hall)) == 1
    assert (await get(hall, "/cap/it-montelupo-a1.xml")).status_code == 200
    assert (await get(hall, "/feed-exercise.atom")).status_code == 503
    hall.board.broken = None
    assert (await get(hall, "/feed-exercise.atom")).status_code == 200


# --- documents ---


async def test_a_document_is_the_same_for_ever() -> None:
    hall = make_hall(clock=(clock := ManualClock(datetime.now(UTC))))
    hall.board.put(real(), deadline=clock.now() + HOUR)
    first = await get(hall, "/cap/it-montelupo-a1.xml")
    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["last-modified"] == "Sat, 21 Nov 2026 10:00:00 GMT"
    hall.board.alerts[0] = replace(hall.board.alerts[0], state=AlertState.CANCELLED, followed_by="a2")
    await clock.advance(400 * 86_400)
    assert (await get(hall, "/cap/it-montelupo-a1.xml")).content == first.content
    elsewhere = make_hall(clock=clock)
    elsewhere.board.put(hall.board.alerts[0].alert)
    again = await get(elsewhere, "/cap/it-montelupo-a1.xml")
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert (await get(elsewhere, "/cap/it-montelupo-a1.xml", if_none_match=first.headers["etag"])).status_code == 304


def test_no_release_changes_the_bytes_of_a_published_document() -> None:
    """If this fails, documents that readers keep as immutable have changed: undo it, or keep the bytes in the store."""
    spoken = Info(
        "it-IT", (Category.MET,), "Temporali", Urgency.EXPECTED, Severity.SEVERE, Certainty.LIKELY,
        expires=datetime(2026, 11, 21, 23, 59, tzinfo=UTC), headline="Piove & tira vento <forte>",
    )  # fmt: skip
    one = Alert(
        "id", "it-1", "pc@comune.example.it", "2026-11-21T11:00:00+01:00", Status.ACTUAL, MsgType.ALERT, Scope.PUBLIC,
        Purpose.SERVICE, (spoken,),
    )  # fmt: skip
    wanted = (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>it-1</identifier>'
        "<sender>pc@comune.example.it</sender><sent>2026-11-21T11:00:00+01:00</sent><status>Actual</status>"
        "<msgType>Alert</msgType><scope>Public</scope><code>alertd:purpose=service</code><info>"
        "<language>it-IT</language><category>Met</category><event>Temporali</event><urgency>Expected</urgency>"
        "<severity>Severe</severity><certainty>Likely</certainty><expires>2026-11-21T23:59:00-00:00</expires>"
        "<headline>Piove &amp; tira vento &lt;forte&gt;</headline></info></alert>"
    )
    assert Documents().of(one).decode() == wanted
    assert Documents(lambda document: document + b"<!-- sealed -->").of(one) == write(one) + b"<!-- sealed -->"


async def test_documents_fit_the_schema() -> None:
    if not SCHEMA.exists():
        pytest.skip(f"{SCHEMA} is not here")
    schema = etree.XMLSchema(etree.parse(SCHEMA))
    hall = make_hall()
    hall.board.put(real(info=(info(), info("en-GB"))))
    hall.board.put(real("d1", status=Status.EXERCISE))
    for name in ("a1", "d1"):
        schema.assertValid(etree.fromstring((await get(hall, f"/cap/it-montelupo-{name}.xml")).content))


# --- the words of a feed ---


async def test_feeds_say_what_their_standards_ask_for() -> None:
    hall = make_hall()
    hall.board.put(
        real(info=(info(sender_name="Protezione Civile", category=(Category.MET, Category.GEO)), info("en-GB")))
    )
    atom = etree.fromstring((await get(hall, "/feed.atom")).content)
    own = {link.get("rel"): link.get("href") for link in atom.findall(f"{ATOM}link")}
    assert own == {"self": f"{SERVICE.public_url}/feed.atom", "alternate": f"{SERVICE.public_url}/"}
    (entry,) = atom.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == "Protezione Civile"
    assert atom.findtext(f"{ATOM}author/{ATOM}email") == SERVICE.sender
    assert entry.findtext(f"{ATOM}id", "").startswith("urn:uuid:")
    assert terms(atom, "urn:oasis:names:tc:emergency:cap:1.2:category") == ["Met", "Geo"]
    assert terms(atom, "alertd:purpose") == ["emergency"]
    assert datetime.fromisoformat(atom.findtext(f"{ATOM}updated", "")) <= datetime.now(UTC)
    assert entry.get("{http://www.w3.org/XML/1998/namespace}lang") == "it-IT"
    rss = etree.fromstring((await get(hall, "/feed.rss")).content)
    own_link = rss.find(f"channel/{ATOM}link")
    assert own_link is not None
    assert (own_link.get("rel"), own_link.get("href")) == ("self", f"{SERVICE.public_url}/feed.rss")
    assert rss.findtext("channel/item/pubDate") == "Sat, 21 Nov 2026 11:00:00 +0100"
    guid = rss.find("channel/item/guid")
    assert guid is not None
    assert (guid.get("isPermaLink"), guid.text) == ("false", entry.findtext(f"{ATOM}id"))


async def test_without_a_public_address_links_begin_with_the_readers_own() -> None:
    hall = make_hall(replace(SERVICE, public_url=""))
    hall.board.put(real())
    links = {}
    for host in ("alerts.lan:8470", "[::1]:8470", 'x"><script>', "a b"):
        feed = etree.fromstring((await get(hall, "/feed.atom", host=host)).content)
        links[host] = feed.xpath("string(//*[local-name()='entry']/*[local-name()='link']/@href)")
    assert links == {
        "alerts.lan:8470": "https://alerts.lan:8470/cap/it-montelupo-a1.xml",
        "[::1]:8470": "https://[::1]:8470/cap/it-montelupo-a1.xml",
        'x"><script>': "/cap/it-montelupo-a1.xml",
        "a b": "/cap/it-montelupo-a1.xml",
    }


async def test_no_text_becomes_markup_or_an_address_of_ours() -> None:
    hall = make_hall()
    evil = "\0</entry><script>]]>&amp;\x01\ud800 \x00/x"
    hall.board.put(real(info=(info(headline=evil, event=evil, description=evil, sender_name=evil),), note=evil))
    for path in ("/feed.atom", "/feed.rss"):
        content = (await get(hall, path)).content
        assert etree.fromstring(content).xpath("count(//*[local-name()='script'])") == 0
        assert b"&lt;/entry&gt;&lt;script&gt;" in content
        assert content.count(SERVICE.public_url.encode() + b"</") == 0


async def test_a_reload_speaks_at_once() -> None:
    names = [SERVICE]
    hall = make_hall()
    object.__setattr__(hall.services, "service", lambda: names[-1])
    hall.board.put(real())
    before = await get(hall, "/feed.atom")
    names.append(replace(SERVICE, name="Comune di Empoli", public_url="https://empoli.example"))
    after = await get(hall, "/feed.atom", if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert "https://empoli.example/cap/" in after.text
    assert "Montelupo Fiorentino</name>" not in after.text


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", False), ("gzip", True), ("GZIP", True), ("x-gzip", True), ("identity", False), ("br, deflate", False),
        ("*", True), ("*;q=0", False), ("gzip;q=0", False), ("gzip;q=0, *", False), ("deflate, gzip;q=0.1", True),
        ("gzip;q=x", False), ("gzip; q=0.000", False), ("gzip;level=9", False), (";;,,q=", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(header: str, wanted: bool) -> None:
    assert takes_gzip(header) is wanted


async def test_what_is_large_is_sent_piece_by_piece_and_whole() -> None:
    body = bytes(range(256)) * (PIECE // 128)
    request = Request({"type": "http", "method": "GET", "path": "/feed.atom", "headers": []})
    now = datetime.now(UTC)
    for size in (0, PIECE, PIECE + 1, len(body)):
        sent: list[Message] = []

        async def send(message: Message, sent: list[Message] = sent) -> None:
            sent.append(message)

        shown = Representation.of(body[:size], "text/plain")
        await respond(request, shown, cache_control="no-cache", now=now)(request.scope, request.receive, send)
        head, *rest = sent
        assert dict(head["headers"])[b"content-length"] == str(size).encode()
        assert b"".join(message["body"] for message in rest) == body[:size]
        assert all(len(message["body"]) <= PIECE for message in rest)
        assert [message.get("more_body", False) for message in rest] == [True] * (len(rest) - 1) + [False]
