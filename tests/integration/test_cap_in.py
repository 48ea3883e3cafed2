"""CAP documents posted to the real daemon: what is sent, what follows, what is only noted, and what is refused."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fake_house import MONTELUPO, alert, fake_house
from tests.support.cap_post import AT_SEA, GEOCODE, INSIDE, SENDER, Desk, document, info, name
from tests.unit.cap_samples import SAMPLES

ELSEWHERE = "048010"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with fake_house(tmp_path) as house:
        await house.enrol("here")
        await house.enrol("there", zones=(ELSEWHERE,))
        await house.enrol("drill", cohort="exercise")
        yield Desk(house)


# --- Alert ---


async def test_a_document_is_sent_under_our_name_and_found_by_its_own(desk: Desk) -> None:
    code, answer = await desk.post(document(), content_type="application/xml; charset=utf-8")
    assert code == 202
    assert answer.keys() == {
        "id",
        "identifier",
        "sender",
        "sent",
        "state",
        "channels",
        "links",
        "violations",
        "signature",
    }
    assert answer["sender"] == "prova@comune.example.it"
    assert answer["violations"] == []
    await desk.house.settled(answer["id"])
    assert desk.told() == ["here"]
    found = await desk.alert(answer["id"])
    assert found["info"][0]["area"][0]["zones"] == [MONTELUPO]
    assert found["info"][0]["area"][0]["area_desc"] == "qui"
    assert found["purpose"] == "emergency"
    [row] = [row for row in await desk.audited("alert.accept") if row["subject"] == answer["id"]]
    origin = row["details"]["origin"]
    assert (origin["sender"], origin["identifier"]) == (SENDER, "R-1")


async def test_the_same_document_again_is_answered_as_it_was_and_sent_once(desk: Desk) -> None:
    first = await desk.post(document())
    again = await desk.post(document())
    respelt = document().replace(b"\n", b"\n  ").replace(b'encoding="UTF-8"', b"encoding='utf-8'")
    other_hand = await desk.grant("regione", "alerts:send")
    assert first == again == await desk.post(respelt, who=other_hand, content_type="text/xml")
    await desk.house.settled(first[1]["id"])
    assert desk.told() == ["here"]
    assert await desk.everything() == [first[1]["id"]]


async def test_another_document_of_the_same_name_is_refused(desk: Desk) -> None:
    first = await desk.sent(document())
    code, problem = await desk.post(document(infos=info(headline="Allerta rossa")))
    assert code == 409
    assert name("R-1") in problem["detail"]
    assert first in problem["detail"]
    assert await desk.everything() == [first]


async def test_a_name_is_one_however_its_moment_is_spelt(desk: Desk) -> None:
    first = await desk.sent(document())
    respelt = document().replace(b"06:00:00+01:00", b"05:00:00-00:00")
    assert (await desk.post(respelt))[0] == 409
    await desk.sent(document("R-2", "Cancel", references=[f"{SENDER},R-1,2026-11-22T05:00:00-00:00"]))
    assert (await desk.alert(first))["state"] == "cancelled"


async def test_many_posts_of_one_document_at_once_are_one_alert(desk: Desk) -> None:
    answers = await asyncio.gather(*(desk.post(document()) for _ in range(20)))
    assert {code for code, _ in answers} <= {202, 409}
    [alert_id] = {answer["id"] for code, answer in answers if code == 202}
    await desk.house.settled(alert_id)
    assert desk.told() == ["here"]
    assert await desk.everything() == [alert_id]


async def test_what_we_published_ourselves_is_not_taken_again(desk: Desk) -> None:
    ours = await desk.house.send()
    answer = await desk.house.client.get(
        f"/v1/alerts/{ours}/cap", headers={"Authorization": f"Bearer {desk.house.tokens['admin']}"}
    )
    code, problem = await desk.post(answer.content)
    assert code == 409
    assert ours in problem["detail"]


async def test_a_document_of_ours_read_by_another_town_reaches_the_zone_it_named(tmp_path: Path, desk: Desk) -> None:
    ours = await desk.house.send()
    token = desk.house.tokens["admin"]
    answer = await desk.house.client.get(f"/v1/alerts/{ours}/cap", headers={"Authorization": f"Bearer {token}"})
    (tmp_path / "neighbour").mkdir()
    async with fake_house(tmp_path / "neighbour") as house:
        await house.enrol("here")
        neighbour = Desk(house)
        body = answer.content.replace(b"prova@comune", b"altra@comune")
        assert (await neighbour.alert(await neighbour.sent(body)))["info"][0]["area"][0]["zones"] == [MONTELUPO]


async def test_a_key_holds_for_documents_too(desk: Desk) -> None:
    first = await desk.post(document(), idempotency_key="k-1")
    assert await desk.post(document(), idempotency_key="k-1") == first
    code, problem = await desk.post(document("R-2"), idempotency_key="k-1")
    assert (code, problem["errors"][0]["loc"]) == (422, ["header", "Idempotency-Key"])


async def test_the_purpose_is_read_from_its_code(desk: Desk) -> None:
    found = await desk.alert(await desk.sent(document(more="<code>alertd:purpose=service</code>")))
    assert (found["purpose"], found["code"]) == ("service", [])


# --- who, and how real ---


async def test_an_exercise_never_reaches_the_public(desk: Desk) -> None:
    for number, status in enumerate(("Exercise", "Test", "System")):
        await desk.sent(document(f"R-{number}", status=status))
    assert desk.told() == ["drill"] * 3
    assert desk.told("square") == []


async def test_scopes_and_modes_hold(desk: Desk) -> None:
    first = await desk.sent(document())
    reader = await desk.grant("reader", "alerts:read")
    driller = await desk.grant("driller", "alerts:send", modes=frozenset({"Exercise"}))
    drafter = await desk.grant("drafter", "alerts:draft")
    assert (await desk.post(document("R-2"), who=reader))[0] == 403
    assert (await desk.post(document("R-2"), who=driller))[0] == 403
    for msg_type in ("Update", "Cancel"):
        body = document("R-2", msg_type, references=[name("R-1")])
        assert (await desk.post(body, who=driller))[0] == 403
        assert (await desk.post(body, who=drafter))[0] == 403
    assert await desk.everything() == [first]


@pytest.mark.parametrize(("scope", "more"), [("Restricted", "<restriction>uffici</restriction>"), ("Private", "")])
async def test_a_narrower_scope_is_refused(desk: Desk, scope: str, more: str) -> None:
    first = await desk.sent(document())
    more = more or "<addresses>a@example.it</addresses>"
    for msg_type in ("Alert", "Update", "Cancel"):
        body = document("R-2", msg_type, scope=scope, more=more, references=[name("R-1")])
        code, problem = await desk.post(body)
        assert code == 422
        assert ["scope"] in [error["loc"] for error in problem["errors"]]
    assert (await desk.alert(first))["followed_by"] is None


# --- where ---


@pytest.mark.parametrize(
    ("where", "zones"),
    [
        (INSIDE, [MONTELUPO]),
        ("<circle>43.73,11.02 0.1</circle>", [MONTELUPO]),
        (GEOCODE.format(MONTELUPO) + GEOCODE.format("999999"), [MONTELUPO]),
        (INSIDE + GEOCODE.format(ELSEWHERE), [ELSEWHERE, MONTELUPO]),
        (GEOCODE.format(MONTELUPO).replace("ISTAT", "urn:istat:comune"), [MONTELUPO]),
    ],
)
async def test_areas_select_configured_zones(desk: Desk, where: str, zones: list[str]) -> None:
    found = await desk.alert(await desk.sent(document(infos=info(where))))
    assert sorted(found["info"][0]["area"][0]["zones"]) == zones


@pytest.mark.parametrize(
    "where",
    [
        AT_SEA,
        GEOCODE.format("999999"),
        GEOCODE.format("Montelupo Fiorentino"),
        GEOCODE.format(MONTELUPO).replace("ISTAT", "FIPS6"),
        "",
        "</area><area><areaDesc>vuota</areaDesc>",
    ],
)
async def test_an_area_that_selects_nothing_is_refused_and_not_widened(desk: Desk, where: str) -> None:
    code, problem = await desk.post(document(infos=info(where)))
    assert code == 422
    assert problem["errors"][0]["loc"][:3] == ["info", 0, "area"]
    assert await desk.everything() == []


async def test_one_area_outside_refuses_the_whole_as_in_json(desk: Desk) -> None:
    both = info(f"{INSIDE}</area><area><areaDesc>mare</areaDesc>{AT_SEA}")
    code, problem = await desk.post(document(infos=both))
    assert (code, problem["errors"][0]["loc"]) == (422, ["info", 0, "area", 1])


# --- Update, Cancel ---


async def test_a_chain_of_updates_and_its_cancel(desk: Desk) -> None:
    first = await desk.sent(document())
    second = await desk.sent(document("R-2", "Update", minute=1, references=[name("R-1")]))
    third = await desk.sent(document("R-3", "Update", minute=2, references=[name("R-1"), name("R-2", 1)]))
    last = await desk.sent(document("R-4", "Cancel", minute=3, references=[name("R-3", 2)]))
    states = [(await desk.alert(alert_id))["state"] for alert_id in (first, second, third)]
    assert states == ["superseded", "superseded", "cancelled"]
    found = await desk.alert(last)
    followed = await desk.alert(third)
    assert found["references"] == [",".join(followed[key] for key in ("sender", "identifier", "sent"))]
    assert desk.told() == ["here"] * 4


async def test_a_cancel_without_info_goes_to_its_originals_audience_alone(desk: Desk) -> None:
    first = await desk.sent(document())
    await desk.house.enrol("late")
    last = await desk.sent(document("R-2", "Cancel", minute=1, references=[name("R-1")], more="<note>falso</note>"))
    found = await desk.alert(last)
    assert found["msg_type"] == "Cancel"
    assert found["note"] == "falso"
    assert found["info"][0]["headline"] == "Allerta arancione"
    assert (await desk.alert(first))["followed_by"] == last
    assert desk.told() == ["here", "here"]


@pytest.mark.parametrize(
    "words",
    [
        info(AT_SEA),
        info(rest="<expires>2020-01-01T00:00:00+01:00</expires>"),
        info("<polygon>43.7,11.0 43.8</polygon>"),
        info(""),
    ],
)
async def test_no_fault_in_its_words_keeps_a_false_alarm_alive(desk: Desk, words: str) -> None:
    first = await desk.sent(document())
    code, answer = await desk.post(document("R-2", "Cancel", references=[name("R-1")], infos=words))
    assert code == 202
    assert answer["violations"]
    assert (await desk.alert(first))["state"] == "cancelled"
    assert (await desk.alert(answer["id"]))["info"][0]["area"][0]["zones"] == [MONTELUPO]


async def test_a_cancel_of_several_takes_all_of_them_back(desk: Desk) -> None:
    one = await desk.sent(document())
    two = await desk.sent(document("R-2", infos=info(GEOCODE.format(ELSEWHERE))))
    last = await desk.sent(document("R-3", "Cancel", references=[name("R-1"), name("unknown"), name("R-2")]))
    for alert_id in (one, two):
        found = await desk.alert(alert_id)
        assert (found["state"], found["followed_by"]) == ("cancelled", last)
    assert len((await desk.alert(last))["references"]) == 2
    assert sorted(filter(None, desk.told())) == ["here", "here", "there", "there"]


async def test_an_update_that_joins_two_alerts_reaches_everybody_once(desk: Desk) -> None:
    one = await desk.sent(document(infos=info(INSIDE)))
    two = await desk.sent(document("R-2", infos=info(INSIDE + GEOCODE.format(ELSEWHERE))))
    before = len(desk.told())
    joined = await desk.sent(document("R-3", "Update", references=[name("R-1"), name("R-2")]))
    assert sorted(filter(None, desk.told()[before:])) == ["here", "there"]
    for alert_id in (one, two):
        assert (await desk.alert(alert_id))["followed_by"] == joined


@pytest.mark.parametrize("msg_type", ["Update", "Cancel", "Ack", "Error"])
async def test_of_what_was_never_seen_nothing_is_sent(desk: Desk, msg_type: str) -> None:
    code, problem = await desk.post(document("R-2", msg_type, references=[name("R-1")]))
    assert code == 404
    assert name("R-1") in problem["detail"]
    code, problem = await desk.post(document("R-3", msg_type))
    assert (code, problem["errors"][0]["loc"]) == (422, ["references"])
    assert await desk.everything() == []
    assert desk.told() == []


async def test_out_of_order_nothing_older_goes_out_after_what_is_newer(desk: Desk) -> None:
    first = await desk.sent(document())
    third = await desk.sent(document("R-3", "Update", minute=2, references=[name("R-1"), name("R-2", 1)]))
    for late in (
        document("R-2", "Update", minute=1, references=[name("R-1")]),
        document("R-4", "Cancel", minute=3, references=[name("R-1")]),
    ):
        code, problem = await desk.post(late)
        assert code == 409
        assert name("R-1") in problem["detail"]
        assert third in problem["detail"]
    assert await desk.everything() == [third, first]
    await desk.sent(document("R-5", "Cancel", minute=4, references=[name("R-3", 2)]))
    code, problem = await desk.post(document("R-6", "Update", minute=5, references=[name("R-5", 4)]))
    assert (code, "Cancel" in problem["detail"]) == (409, True)


async def test_an_update_or_a_cancel_again_is_answered_as_it_was(desk: Desk) -> None:
    await desk.sent(document())
    for identifier, msg_type, earlier in (("R-2", "Update", "R-1"), ("R-3", "Cancel", "R-2")):
        body = document(identifier, msg_type, references=[name(earlier)])
        first = await desk.post(body)
        assert first[0] == 202
        assert await desk.post(body) == first
        await desk.house.settled(first[1]["id"])
    assert desk.told() == ["here"] * 3


async def test_many_posts_of_one_cancel_at_once_are_one_cancel(desk: Desk) -> None:
    await desk.sent(document())
    body = document("R-2", "Cancel", references=[name("R-1")])
    answers = await asyncio.gather(*(desk.post(body) for _ in range(20)))
    assert {code for code, _ in answers} <= {202, 409}
    [alert_id] = {answer["id"] for code, answer in answers if code == 202}
    await desk.house.settled(alert_id)
    assert desk.told() == ["here", "here"]


async def test_two_different_followers_at_once_are_one_follower(desk: Desk) -> None:
    await desk.sent(document())
    bodies = [document(f"U-{number}", "Update", references=[name("R-1")]) for number in range(8)]
    answers = await asyncio.gather(*map(desk.post, bodies))
    assert sorted(code for code, _ in answers) == [202, *[409] * 7]


async def test_an_exercise_does_not_end_what_is_real_nor_the_other_way_round(desk: Desk) -> None:
    real = await desk.sent(document())
    drill = await desk.sent(document("R-2", status="Exercise"))
    for status, earlier in (("Exercise", "R-1"), ("Actual", "R-2")):
        for msg_type in ("Update", "Cancel"):
            code, problem = await desk.post(document("R-3", msg_type, status=status, references=[name(earlier)]))
            assert (code, problem["errors"][0]["loc"]) == (422, ["status"])
    for alert_id in (real, drill):
        assert (await desk.alert(alert_id))["followed_by"] is None
    await desk.sent(document("R-4", "Cancel", status="Exercise", references=[name("R-1"), name("R-2")]))
    assert (await desk.alert(real))["followed_by"] is None
    assert (await desk.alert(drill))["state"] == "cancelled"


async def test_alerts_of_our_own_are_followed_by_documents_and_those_of_documents_by_json(desk: Desk) -> None:
    ours = await desk.alert(await desk.house.send())
    await desk.house.settled(ours["id"])
    reference = f"{ours['sender']},{ours['identifier']},{ours['sent']}"
    update = await desk.sent(document("R-1", "Update", references=[reference]))
    assert (await desk.alert(ours["id"]))["followed_by"] == update
    code, answer = await desk.house.call("POST", f"/v1/alerts/{update}/cancel")
    assert code == 202
    code, problem = await desk.post(document("R-2", "Update", references=[name("R-1")]))
    assert code == 409
    assert answer["id"] in problem["detail"]


async def test_alerts_of_different_purposes_are_not_followed_together(desk: Desk) -> None:
    await desk.sent(document())
    await desk.sent(document("R-2", more="<code>alertd:purpose=service</code>"))
    code, _ = await desk.post(document("R-3", "Cancel", references=[name("R-1"), name("R-2")]))
    assert code == 409


# --- Ack, Error ---


@pytest.mark.parametrize("msg_type", ["Ack", "Error"])
async def test_news_of_an_alert_is_noted_and_changes_nothing(desk: Desk, msg_type: str) -> None:
    alert_id = await desk.sent(document())
    before = await desk.alert(alert_id)
    note = "<addresses>prova@comune.example.it</addresses><note>ricevuto alle 6</note>"
    body = document("A-1", msg_type, minute=1, scope="Private", more=note, references=[name("R-1")])
    first = await desk.post(body)
    assert first[0] == 202
    assert (first[1]["id"], first[1]["channels"]) == (alert_id, [])
    assert await desk.post(body) == first
    [row] = await desk.audited(f"alert.{msg_type.lower()}")
    assert row["subject"] == alert_id
    assert row["details"]["note"] == "ricevuto alle 6"
    assert row["details"]["about"] == [alert_id]
    assert (await desk.post(body.replace(b"alle 6", b"alle 7")))[0] == 409
    assert await desk.alert(alert_id) == before
    assert await desk.everything() == [alert_id]
    assert desk.told() == ["here"]


async def test_nothing_follows_an_ack(desk: Desk) -> None:
    alert_id = await desk.sent(document())
    await desk.post(document("A-1", "Ack", references=[name("R-1")]))
    code, _ = await desk.post(document("R-2", "Cancel", references=[name("A-1")]))
    assert code == 404
    assert (await desk.alert(alert_id))["followed_by"] is None


async def test_a_key_holds_for_an_ack(desk: Desk) -> None:
    await desk.sent(document())
    body = document("A-1", "Ack", references=[name("R-1")])
    assert (await desk.post(body, idempotency_key="k-1"))[0] == 202
    code, problem = await desk.post(document("R-2"), idempotency_key="k-1")
    assert (code, problem["errors"][0]["loc"]) == (422, ["header", "Idempotency-Key"])


# --- what is read and what is refused ---


async def test_what_is_not_fatal_is_told_and_audited(desk: Desk) -> None:
    odd = document().replace(b"<urgency>Expected</urgency>", b"").replace(b"06:00:00+01:00", b"05:00:00Z")
    code, answer = await desk.post(odd)
    assert code == 202
    assert {tuple(one["loc"]) for one in answer["violations"]} >= {("body", "line 5")}
    [row] = await desk.audited("alert.accept")
    assert [[where, said] for where, said in row["details"]["origin"]["violations"]] == [
        [one["loc"][1], one["msg"]] for one in answer["violations"]
    ]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"{}", "XML"),
        (b"<alert>", "well-formed"),
        (b"<html><body>502</body></html>", "no CAP alert"),
        (document(status="Vero"), "Vero"),
        (document(infos=info("<polygon>43.7,11.0 43.8</polygon>")), "polygon"),
        (b"<set>" + document().split(b"\n", 1)[1] * 2 + b"</set>", "exactly one"),
        (b'<!DOCTYPE a [<!ENTITY e "eee">]><alert>&e;</alert>', "DOCTYPE"),
        (b"<a>" * 5000 + b"</a>" * 5000, ""),
        (b"<a/>" * 50_000, ""),
        (document().replace(b"qui", b"\x00"), "NUL"),
        (document().replace(b"qui", b"\xff\xfe"), "well-formed"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_line(desk: Desk, data: bytes, words: str) -> None:
    code, problem = await desk.post(data)
    assert code == 422
    assert problem["errors"][0]["loc"][0] == "body"
    assert words in problem["errors"][0]["msg"]
    assert await desk.everything() == []


async def test_lines_are_named(desk: Desk) -> None:
    _, problem = await desk.post(document(status="Vero"))
    assert problem["errors"][0]["loc"] == ["body", "line 6"]


async def test_one_alert_in_an_envelope_is_that_alert(desk: Desk) -> None:
    inner = document().split(b"\n", 1)[1]
    envelope = (
        b'<EDXLDistribution xmlns="urn:oasis:names:tc:emergency:EDXL:DE:1.0">'
        b"<distributionStatus>Actual</distributionStatus><contentObject><xmlContent><embeddedXMLContent>"
        + inner
        + b"</embeddedXMLContent></xmlContent></contentObject></EDXLDistribution>"
    )
    alert_id = await desk.sent(envelope)
    assert (await desk.post(document()))[1]["id"] == alert_id


@pytest.mark.parametrize(
    ("encoding", "declared", "charset"),
    [
        ("iso-8859-1", "ISO-8859-1", ""),
        ("iso-8859-1", "UTF-8", "; charset=ISO-8859-1"),
        ("utf-16", "UTF-16", ""),
        ("utf-8-sig", "UTF-8", "; charset=iso-8859-1"),
        ("windows-1252", "windows-1252", '; charset="windows-1252"'),
    ],
)
async def test_the_encoding_is_found_where_it_is_said(desk: Desk, encoding: str, declared: str, charset: str) -> None:
    text = document(infos=info(headline="È già piena")).decode().replace("UTF-8", declared)
    alert_id = await desk.sent(text.encode(encoding), content_type=f"text/xml{charset}")
    assert (await desk.alert(alert_id))["info"][0]["headline"] == "È già piena"


@pytest.mark.parametrize(
    ("content_type", "headers", "code"),
    [
        ("text/xml; charset=utf-7", {}, 415),
        ("text/xml; charset=unicode_escape", {}, 415),
        ("text/xml; charset=utf-16", {}, 422),
        (f"text/xml; charset={'(' * 1_000}", {}, 415),
        ("application/cap+xml", {"content_encoding": "gzip"}, 415),
        ("application/atom+xml", {}, 415),
    ],
)
async def test_what_is_sent_otherwise_is_told_how(
    desk: Desk, content_type: str, headers: dict[str, str], code: int
) -> None:
    assert (await desk.post(document(), content_type=content_type, **headers))[0] == code


async def test_a_body_too_large_is_413(desk: Desk) -> None:
    assert (await desk.post(document() + b" " * (1 << 20)))[0] == 413


async def test_a_thousand_spoilt_documents_are_answered_and_break_nothing(desk: Desk) -> None:
    await desk.sent(document())
    chance = random.Random(2026)
    followers = [document(f"U-{n}", kind, references=[name("R-1")]) for n, kind in enumerate(("Update", "Cancel"))]
    wholes = [document("R-2"), document("A-1", "Ack", references=[name("R-1")]), *followers]
    seen = {(await desk.post(_spoilt(chance.choice(wholes), chance)))[0] for _ in range(1000)}
    assert seen <= {202, 404, 409, 422}
    assert 422 in seen


def _spoilt(data: bytes, chance: random.Random) -> bytes:
    """A piece cut out, doubled, or replaced by what breaks parsers."""
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 80)]
    odd = (
        b"",
        piece * 2,
        b"<",
        b"&",
        b"\x00",
        b"\xff",
        b"]]>",
        b"&#0;",
        b"<info>",
        b"</info>",
        b"\xe2\x80\xae",
        b"9" * 400,
    )
    return data.replace(piece, chance.choice(odd), 1)


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"the shared samples are not at {SAMPLES}")
async def test_every_shared_sample_is_answered(desk: Desk) -> None:
    for file in sorted(file for file in SAMPLES.rglob("*") if file.is_file()):
        code, answer = await desk.post(file.read_bytes())
        assert code == (413 if file.stat().st_size > 1 << 20 else 422) or (code == 404 and "references" in answer, file)
    assert await desk.everything() == []


async def test_a_preview_of_a_document(desk: Desk) -> None:
    token = {"Authorization": f"Bearer {desk.house.tokens['admin']}", "Content-Type": "application/cap+xml"}
    shown = await desk.house.client.post("/v1/previews", content=document(), headers=token)
    assert shown.status_code == 200
    assert shown.json()["zones"] == ["Montelupo Fiorentino"]
    [people] = [channel for channel in shown.json()["channels"] if channel["channel"] == "people"]
    assert people["audience"] == 1
    refused = await desk.house.client.post("/v1/previews", content=document("R-2", "Cancel"), headers=token)
    assert refused.status_code == 422
    assert await desk.everything() == []


async def test_what_json_refuses_is_refused_of_documents(desk: Desk) -> None:
    late = info(rest="<expires>2020-01-01T00:00:00+01:00</expires>")
    code, problem = await desk.post(document(infos=late))
    assert (code, problem["errors"][0]["loc"]) == (422, ["info", 0, "expires"])
    code, problem = await desk.post(document(infos=info(headline="ESERCITAZIONE: temporali")))
    assert (code, problem["errors"][0]["loc"]) == (422, ["info", 0, "headline"])
    code, _ = await desk.house.call("POST", "/v1/alerts", alert("Actual"))
    assert code == 202
