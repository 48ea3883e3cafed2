"""The citizens' pages: what is shown, what never is, who may post, and that a crowd is cheap."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from lxml import etree, html

from alertd.core.citizens.links import Wish
from alertd.core.citizens.subscriber_form import form_of
from alertd.domain.alert import AlertState, Area, MsgType, Pair, Purpose, Reference, Scope, Status
from alertd.domain.problems import Unavailable
from alertd.domain.subscriber import EndpointState
from alertd.web.public import language, words
from tests.support.citizens import PUSH, Hall, make_hall
from tests.support.notices import SERVICE, alert, info

ATOM = "{http://www.w3.org/2005/Atom}"
CAP_TYPE = "application/cap+xml"
REAL = {"status": Status.ACTUAL}
FORM = {
    "email": "Anna@EXAMPLE.org",
    "language": "it-IT",
    "zones": ["048028"],
    "purposes": ["emergency"],
    "min_severity": "Minor",
}


def real(alert_id: str = "a1", **more: object):
    return replace(alert(alert_id, status=Status.ACTUAL), **more)  # type: ignore[arg-type]


async def get(hall: Hall, path: str, **headers: str):
    async with hall.client(**headers) as client:
        return await client.get(path)


async def post(hall: Hall, path: str, data: object = None, **headers: str):
    async with hall.client(**headers) as client:
        return await client.post(path, data=data)  # type: ignore[arg-type]


def links_of(text: str) -> list[str]:
    return [a.get("href") for a in html.fromstring(text).iter("a")]


# --- what is shown ---


async def test_current_alert_says_who_what_where_until_and_what_to_do() -> None:
    hall = make_hall()
    hall.board.put(real())
    page = await get(hall, "/alerts/a1")
    assert page.status_code == 200
    for said in (
        SERVICE.name,
        "Allerta arancione",
        "Montelupo Fiorentino",
        "Valido fino a",
        "Restare lontani",
        "Grave",
    ):
        assert said in page.text
    assert "/cap/it-montelupo-a1.xml" in links_of(page.text)
    home = await get(hall, "/")
    current, past = home.text.split('id="past"')
    assert "Allerta arancione" in current
    assert "Nessun avviso passato" in past


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ({"status": Status.DRAFT}, AlertState.ACTIVE),
        ({"status": Status.EXERCISE}, AlertState.DRAFT),
        ({"status": Status.EXERCISE, "scope": Scope.RESTRICTED}, AlertState.ACTIVE),
        ({"scope": Scope.PRIVATE}, AlertState.ACTIVE),
        ({"scope": Scope.RESTRICTED}, AlertState.ACTIVE),
        ({}, AlertState.DRAFT),
        ({}, AlertState.REJECTED),
    ],
)
async def test_what_is_not_for_the_public_is_nowhere(change: dict[str, object], state: AlertState) -> None:
    hall = make_hall()
    hall.board.put(real(**change), state)
    for path in ("/", "/feed.atom", "/feed.rss", "/feed-exercise.atom"):
        page = await get(hall, path)
        assert page.status_code == 200
        assert "Allerta" not in page.text
        assert "it-montelupo-a1" not in page.text
    for path in ("/alerts/a1", "/cap/it-montelupo-a1.xml"):
        hidden, missing = await get(hall, path), await get(hall, path.replace("a1", "zz"))
        assert hidden.status_code == missing.status_code == 404
        assert hidden.content == missing.content


async def test_cancelled_says_so_and_links_to_what_follows() -> None:
    hall = make_hall()
    hall.board.put(real("a1"), AlertState.CANCELLED, followed_by="a2")
    cancel = real(
        "a2", msg_type=MsgType.CANCEL, references=(Reference("s", "it-montelupo-a1", "x"),), note="Falso allarme."
    )
    hall.board.put(cancel, ancestors=("a1",))
    old = await get(hall, "/alerts/a1")
    assert "è stato revocato" in old.text
    assert "/alerts/a2" in links_of(old.text)
    new = await get(hall, "/alerts/a2")
    assert "revoca un avviso precedente" in new.text
    assert "Falso allarme." in new.text
    assert "Restare lontani" not in new.text, "a Cancel must not repeat what to do"
    assert "Valido fino a" not in old.text
    assert "/alerts/a1" in links_of(new.text)
    home = html.fromstring((await get(hall, "/")).text)
    assert "Nessun avviso in corso" in home.text_content()
    (card,) = home.find_class("card")
    assert "Revocato" in card.text_content()
    feed = (await get(hall, "/feed.atom")).text
    assert "it-montelupo-a1" not in feed
    assert "Revoca: Allerta arancione" in feed


async def test_updated_links_to_the_update_and_only_that_is_current() -> None:
    hall = make_hall()
    hall.board.put(real("a1"), AlertState.SUPERSEDED, followed_by="a2")
    hall.board.put(real("a2", msg_type=MsgType.UPDATE), ancestors=("a1",))
    assert "è stato aggiornato" in (await get(hall, "/alerts/a1")).text
    assert "ne aggiorna uno precedente" in (await get(hall, "/alerts/a2")).text
    feed = etree.fromstring((await get(hall, "/feed.atom")).content)
    assert [e.findtext(f"{ATOM}title") for e in feed.iter(f"{ATOM}entry")] == ["Allerta arancione per temporali"]
    assert "it-montelupo-a2" in etree.tostring(feed).decode()


@pytest.mark.parametrize("state", [AlertState.EXPIRED, AlertState.COMPLETE])
async def test_expired_is_past_by_state_or_by_the_clock(state: AlertState) -> None:
    hall = make_hall()
    hall.board.put(real(), state, deadline=datetime.now(UTC) - timedelta(minutes=1))
    assert "è terminato" in (await get(hall, "/alerts/a1")).text
    current, past = (await get(hall, "/")).text.split('id="past"')
    assert "Nessun avviso in corso" in current
    assert "Allerta arancione" in past
    for path in ("/feed.atom", "/feed.rss"):
        assert "Terminato: Allerta arancione" in (await get(hall, path)).text


async def test_emergencies_come_first() -> None:
    hall = make_hall()
    hall.board.put(real("a1"))
    hall.board.put(real("a2", purpose=Purpose.SERVICE))
    home = html.fromstring((await get(hall, "/")).text)
    assert [card.find("h3/a").get("href") for card in home.find_class("card")] == ["/alerts/a1", "/alerts/a2"]


async def test_older_alerts_are_reached_page_by_page() -> None:
    hall = make_hall()
    for number in range(70):
        hall.board.put(real(f"a{number}"), AlertState.EXPIRED)
    seen, path = [], "/"
    while path:
        page = (await get(hall, path)).text
        seen += [link for link in links_of(page) if link.startswith("/alerts/")]
        path = next((link for link in links_of(page) if "before=" in link), "")
    assert len(seen) == len(set(seen)) == 70


async def test_each_reader_gets_his_language() -> None:
    hall = make_hall()
    hall.board.put(real(info=(info(), info("en-GB", headline="Orange warning"), info("de-DE", headline="Warnung"))))
    english = await get(hall, "/alerts/a1", **{"accept-language": "de;q=0.9, en-GB;q=0.8, it;q=0.1"})
    assert '<html lang="en">' in english.text
    assert "Orange warning" in english.text
    assert "Accept-Language" in english.headers["vary"]
    italian = await get(hall, "/alerts/a1?lang=it", **{"accept-language": "en"})
    assert '<html lang="it">' in italian.text
    assert "Allerta arancione" in italian.text
    only = make_hall()
    only.board.put(real())
    marked = html.fromstring((await get(only, "/alerts/a1?lang=en")).text)
    assert marked.find(".//h1").get("lang") == "it-IT"


async def test_nothing_an_alert_says_becomes_markup_or_a_script_link() -> None:
    hall = make_hall()
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    spiked = info(
        headline=evil,
        event=evil,
        description=evil,
        instruction=evil,
        contact=evil,
        web="javascript:alert(1)",
        area=(Area(evil),),
    )
    hall.board.put(real("a1", info=(spiked,), note=evil))
    for path in ("/", "/alerts/a1"):
        page = await get(hall, path)
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "javascript:" not in page.text
    for path in ("/feed.atom", "/feed.rss", "/cap/it-montelupo-a1.xml"):
        assert etree.fromstring((await get(hall, path)).content) is not None


# --- feeds and CAP ---


async def test_feeds_lead_to_cap_documents() -> None:
    hall = make_hall()
    hall.board.put(real(info=(info(parameter=(Pair("colore", "arancione"),)), info("en-GB"))))
    atom = etree.fromstring((await get(hall, "/feed.atom")).content)
    (entry,) = atom.findall(f"{ATOM}entry")
    assert entry.findtext(f"{ATOM}updated") == "2026-11-21T11:00:00+01:00"
    assert entry.find(f"{ATOM}link").get("type") == CAP_TYPE
    cap_link = next(link.get("href") for link in entry.findall(f"{ATOM}link") if link.get("type") == CAP_TYPE)
    rss = etree.fromstring((await get(hall, "/feed.rss")).content)
    assert rss.findtext("channel/item/link") == cap_link
    assert rss.findtext("channel/item/guid") == entry.findtext(f"{ATOM}id")
    document = await get(hall, urlsplit(cap_link).path)
    assert document.headers["content-type"] == CAP_TYPE
    assert b"<identifier>it-montelupo-a1</identifier>" in document.content


async def test_an_empty_feed_is_a_feed() -> None:
    atom = await get(make_hall(), "/feed.atom")
    assert atom.headers["content-type"] == "application/atom+xml"
    assert etree.fromstring(atom.content).findtext(f"{ATOM}updated") == "1970-01-01T00:00:00+00:00"


# --- a crowd is cheap ---


async def test_a_crowd_costs_one_rendering_and_304s() -> None:
    hall = make_hall()
    hall.board.put(real())
    async with hall.client() as client:
        pages = await asyncio.gather(*(client.get("/") for _ in range(50)))
        assert {page.status_code for page in pages} == {200}
        assert hall.board.reads == 2
        again = await client.get("/", headers={"If-None-Match": pages[0].headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert "max-age" in again.headers["cache-control"]
        hall.board.put(real("a2"))
        await hall.clock.advance(1.1)
        assert "/alerts/a2" in (await client.get("/")).text


async def test_the_last_page_is_shown_while_the_store_cannot_be_read() -> None:
    hall = make_hall()
    hall.board.put(real())
    await get(hall, "/")
    hall.board.broken = Unavailable("disk")
    await hall.clock.advance(60)
    assert "Allerta" in (await get(hall, "/")).text
    lost = await get(hall, "/alerts/a1")
    assert lost.status_code == 503
    assert lost.headers["retry-after"] == "5"


async def test_head_is_answered() -> None:
    async with make_hall().client() as client:
        for path in (
            "/",
            "/subscribe",
            "/feed.atom",
            "/sw.js",
            "/app.js",
            "/style.css",
            "/icon.svg",
            "/manifest.webmanifest",
        ):
            assert (await client.head(path)).status_code == 200, path


# --- every answer's headers ---


@pytest.mark.parametrize(
    "path", ["/", "/alerts/none", "/subscribe", "/unsubscribe/x", "/confirm/x", "/feed.atom", "/sw.js"]
)
async def test_headers(path: str) -> None:
    answer = await get(make_hall(), path)
    csp = answer.headers["content-security-policy"]
    assert csp.startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in csp
    assert "frame-ancestors 'none'" in csp
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "strict-transport-security" in answer.headers
    plain = await get(make_hall(replace(SERVICE, public_url="http://127.0.0.1:8470")), path)
    assert "strict-transport-security" not in plain.headers


async def test_pages_are_well_made() -> None:
    hall = make_hall()
    hall.board.put(real())
    token = hall.links.unsubscribe_token(1)
    for path in ("/", "/alerts/a1", "/subscribe", f"/unsubscribe/{token}", "/alerts/none"):
        page = html.fromstring((await get(hall, path)).text)
        assert page.get("lang") == "it"
        assert len(page.findall(".//h1")) == len(page.findall(".//main")) == 1
        assert page.find(".//a").get("href") == "#content"
        ids = page.xpath("//@id")
        assert len(ids) == len(set(ids))
        for field in page.xpath("//input | //select"):
            labelled = field.getparent().tag == "label" or page.xpath(f"//label[@for='{field.get('id')}']")
            assert labelled, etree.tostring(field)
        assert not page.xpath("//@style | //@onclick | //script[not(@src)] | //style")
        away = [u for u in page.xpath("//@src | //link/@href") if not u.startswith("/")]
        assert not away


# --- subscribing by mail ---


async def test_subscribing_by_mail_takes_two_steps_and_stores_nothing_before() -> None:
    hall = make_hall()
    answer = await post(hall, "/subscribe", FORM)
    assert answer.status_code == 202
    assert not hall.people.held
    ((channel, notice, address),) = hall.post.sent
    assert (channel, address) == ("mail", "Anna@example.org")
    assert notice.title.startswith(SERVICE.name)
    path = urlsplit(notice.url).path
    assert notice.url in notice.text
    shown = await get(hall, path)
    assert "A…@example.org" in shown.text
    assert "Montelupo Fiorentino" in shown.text
    assert not hall.people.held, "a mail scanner follows links"
    assert "Iscrizione confermata" in (await post(hall, path)).text
    (stored,) = hall.people.held.values()
    assert stored.endpoints[0].state is EndpointState.ACTIVE
    assert stored.consent.source == "web"
    assert stored.consent.confirmed_at is not None
    await hall.clock.advance(48 * 3600)
    assert (await post(hall, path)).status_code == 404


async def test_the_answer_is_the_same_for_known_and_unknown() -> None:
    hall = make_hall()
    first = await post(hall, "/subscribe", FORM)
    await post(hall, urlsplit(hall.post.sent[0][1].url).path)
    known = await post(hall, "/subscribe", FORM)
    other = await post(hall, "/subscribe", FORM | {"email": "new@example.org"})
    assert first.content == known.content == other.content
    assert len(hall.post.sent) == 2, "one mail in ten minutes for each address"
    await hall.clock.advance(601)
    await post(hall, "/subscribe", FORM | {"email": "Anna@example.ORG"})
    assert len(hall.post.sent) == 3


async def test_a_stranger_changes_nothing_of_a_known_address() -> None:
    hall = make_hall()
    await hall.services.subscribers.enrol(
        form_of(Wish("mail", "anna@example.org", "it", ("*",), ("emergency",), "Minor")), source="web"
    )
    before = dict(hall.people.held)
    await post(hall, "/subscribe", FORM | {"email": "anna@example.org", "zones": ["048001"], "min_severity": "Extreme"})
    assert hall.people.held == before


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"email": "anna"}, "#email"),
        ({"email": ""}, "#email"),
        ({"zones": []}, "#zones"),
        ({"zones": ["999999"]}, "#zones"),
        ({"purposes": []}, "#purposes"),
        ({"language": "%%"}, "#language"),
        ({"min_severity": "?"}, "#language"),
    ],
)
async def test_a_wrong_form_comes_back_as_it_was(change: dict[str, object], fault: str) -> None:
    hall = make_hall()
    answer = await post(hall, "/subscribe", FORM | change)
    assert answer.status_code == 422
    page = html.fromstring(answer.text)
    assert fault in [a.get("href") for a in page.find_class("faults")[0].iter("a")]
    assert page.get_element_by_id("email").get("value") == (FORM | change)["email"]
    assert not hall.post.sent


async def test_a_failed_mail_is_not_told_to_strangers() -> None:
    from alertd.domain.delivery import Reason, Retry

    hall = make_hall()
    good = await post(hall, "/subscribe", FORM)
    hall.post.verdict = Retry(Reason.CONNECT)
    bad = await post(hall, "/subscribe", FORM | {"email": "x@example.org"})
    assert (bad.status_code, bad.content) == (good.status_code, good.content)


async def test_without_a_public_url_or_channels_nothing_is_promised() -> None:
    hall = make_hall(replace(SERVICE, public_url=""))
    page = (await get(hall, "/subscribe")).text
    assert 'id="email"' not in page
    assert 'id="push"' in page
    assert (await post(hall, "/subscribe", FORM)).status_code == 404
    hall.post.adapters.clear()
    assert "Qui non è attiva alcuna iscrizione" in (await get(hall, "/subscribe")).text


# --- web push, and leaving ---


def push(**change: object) -> dict[str, object]:
    return {
        "subscription": PUSH,
        "language": "it-IT",
        "zones": ["*"],
        "purposes": ["emergency"],
        "min_severity": "Minor",
    } | change


async def test_push_subscribes_and_unsubscribes() -> None:
    hall = make_hall()
    async with hall.client(**{"sec-fetch-site": "same-origin"}) as client:
        made = await client.post("/subscribe", json=push())
        assert made.status_code == 201
        (stored,) = hall.people.held.values()
        assert stored.preference.zones == ("*",)
        leave = made.json()["unsubscribe"]
        assert (await client.post("/subscribe", json=push())).json() == made.json()
        shown = await client.get(leave)
        assert "<button" in shown.text
        assert hall.people.held
        first, second = await client.post(leave), await client.post(leave)
        assert not hall.people.held
        assert (first.status_code, first.content) == (second.status_code, second.content)


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {},
        push(subscription=None),
        push(subscription={"endpoint": 1}),
        push(zones="*"),
        push(zones=["?"]),
        push(language=None),
    ],
)
async def test_bad_push_is_a_problem(body: object) -> None:
    hall = make_hall()
    async with hall.client() as client:
        answer = await client.post("/subscribe", json=body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert not hall.people.held


@pytest.mark.parametrize("cohort", ["exercise", "officers"])
async def test_push_never_joins_another_cohort_or_other_channels(cohort: str) -> None:
    hall = make_hall()
    extra = {
        "cohort": cohort,
        "endpoints": [{"channel": "mail", "address": "v@example.org"}],
        "consent": None,
        "id": "x",
    }
    async with hall.client() as client:
        assert (await client.post("/subscribe", json=push(**extra))).status_code == 201
    (stored,) = hall.people.held.values()
    assert stored.cohort == "public"
    assert [e.channel for e in stored.endpoints] == ["push"]


async def test_one_click_comes_from_anywhere_a_form_only_from_here() -> None:
    hall = make_hall()
    foreign = {"origin": "https://mail.example.com", "sec-fetch-site": "cross-site"}
    await hall.services.subscribers.enrol(
        form_of(Wish("mail", "anna@example.org", "it", ("*",), ("emergency",), "Minor")), source="web"
    )
    path = f"/unsubscribe/{hall.links.unsubscribe_token(1)}"
    assert (await post(hall, path, {"x": "y"}, **foreign)).status_code == 403
    assert hall.people.held
    assert (await post(hall, path, {"List-Unsubscribe": "One-Click"}, **foreign)).status_code == 200
    assert not hall.people.held


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 202),
        ({"sec-fetch-site": "same-origin"}, 202),
        ({"sec-fetch-site": "none"}, 202),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://allerta.comune.example.it"}, 202),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
async def test_forms_are_taken_from_our_own_pages(headers: dict[str, str], status: int) -> None:
    assert (await post(make_hall(), "/subscribe", FORM, **headers)).status_code == status


async def test_unknown_links_are_one_neutral_page() -> None:
    hall = make_hall()
    pages = [
        await get(hall, p) for p in ("/confirm/x", "/confirm/AAAA", "/unsubscribe/x", f"/unsubscribe/{'A' * 5000}")
    ]
    pages += [await post(hall, p) for p in ("/confirm/x", "/unsubscribe/x")]
    assert {p.status_code for p in pages} == {404}
    assert len({p.content for p in pages}) == 1


# --- limits ---


async def test_too_many_posts_are_slowed_by_client_address() -> None:
    hall = make_hall()
    async with hall.client() as client:
        answers = [await client.post("/subscribe", data=FORM) for _ in range(21)]
        assert [a.status_code for a in answers[-2:]] == [202, 429]
        assert answers[-1].headers["retry-after"] == "3"
        assert "Riprova" in answers[-1].text
        forged = await client.post("/subscribe", data=FORM, headers={"x-forwarded-for": "203.0.113.9"})
        assert forged.status_code == 429
        await hall.clock.advance(3)
        assert (await client.post("/subscribe", data=FORM)).status_code == 202


async def test_behind_our_proxy_the_last_forwarded_address_counts() -> None:
    hall = make_hall(trust_forwarded=True)
    async with hall.client() as client:
        for number in range(30):
            forged = {"x-forwarded-for": f"10.0.0.{number}, 203.0.113.9"}
            last = await client.post("/subscribe", data=FORM, headers=forged)
        assert last.status_code == 429
        other = await client.post("/subscribe", data=FORM, headers={"x-forwarded-for": "203.0.113.9, 203.0.113.10"})
        assert other.status_code == 202


async def test_confirmation_mails_have_a_bound_for_all_together() -> None:
    hall = make_hall(trust_forwarded=True)
    statuses = []
    async with hall.client() as client:
        for n in range(65):
            headers = {"x-forwarded-for": f"203.0.113.{n}"}
            statuses.append(
                (
                    await client.post("/subscribe", data=FORM | {"email": f"c{n}@example.org"}, headers=headers)
                ).status_code
            )
    assert statuses.count(429) == 5
    assert len(hall.post.sent) == 60


@pytest.mark.parametrize("content", [b"x" * 20_000, b"zones=1&" * 1_500])
async def test_bodies_are_bounded(content: bytes) -> None:
    async with make_hall().client(**{"content-type": "application/x-www-form-urlencoded"}) as client:
        assert (await client.post("/subscribe", content=content)).status_code in {400, 413}


# --- words ---


def test_every_word_is_there_in_both_languages() -> None:
    italian, english = words.table("it"), words.table("en")
    assert italian.keys() == english.keys()
    assert all(italian.values())
    assert all(english.values())


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("", "it"),
        ("en", "en"),
        ("fr, de;q=0.5", "it"),
        ("it;q=0.3,en-GB;q=0.8", "en"),
        ("en;q=0,it", "it"),
        ("*", "it"),
        (";;q=,en;q=x", "it"),
    ],
)
def test_language(header: str, wanted: str) -> None:
    assert language.accepted(header) == wanted


def test_style_has_enough_contrast() -> None:
    css = dict(re.findall(r"--(\w+): (#[0-9a-f]{3,6})", (words_folder() / "static" / "style.css").read_text()))
    for ink in ("ink", "quiet", "link", "line"):
        assert contrast(css[ink], css["soft"]) >= 4.5, ink
    assert contrast("#ffffff", css["head"]) >= 4.5


def words_folder():
    from pathlib import Path

    return Path(words.__file__).parent


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
