"""CAP documents that come in another order than they were written: what is remembered, and what is then sent, once."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from alertd.domain.times import micros
from alertd.storage.purge import drop_early
from tests.integration.fake_house import fake_house
from tests.integration.store_stand import NOW, sql
from tests.support.cap_post import GEOCODE, SENDER, Desk, document, info, name

ELSEWHERE = "048010"
A = document("A")
U1 = document("U1", "Update", minute=1, references=[name("A")], infos=info(headline="prima correzione"))
U2 = document("U2", "Update", minute=2, references=[name("U1", 1)], infos=info(headline="seconda correzione"))
CANCEL_A = document("C", "Cancel", minute=3, references=[name("A")])
CANCEL_U1 = document("C", "Cancel", minute=3, references=[name("U1", 1)])
CANCEL_U2 = document("C", "Cancel", minute=3, references=[name("U2", 2)])


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with fake_house(tmp_path) as house:
        await house.enrol("here")
        await house.enrol("there", zones=(ELSEWHERE,))
        await house.enrol("drill", cohort="exercise")
        yield Desk(house)


async def codes(desk: Desk, *bodies: bytes) -> list[int]:
    return [(await desk.post(body))[0] for body in bodies]


async def headlines(desk: Desk) -> list[tuple[str, str]]:
    """What became an alert of ours, oldest first: its msgType and what it says."""
    found = [await desk.alert(alert_id) for alert_id in reversed(await desk.everything())]
    return [(one["msg_type"], one["info"][0]["headline"]) for one in found]


# --- a Cancel first ---


async def test_what_was_cancelled_before_it_came_is_not_sent(desk: Desk) -> None:
    code, first = await desk.post(CANCEL_A)
    assert code == 404
    assert name("A") in first["detail"]
    assert "remembered" in first["detail"]
    code, problem = await desk.post(A)
    assert code == 409
    assert name("C", 3) in problem["detail"]
    code, again = await desk.post(CANCEL_A)
    assert (code, again["detail"]) == (404, first["detail"])
    assert (await desk.post(A))[1]["detail"] == problem["detail"]
    assert await desk.everything() == []
    assert desk.told() == desk.told("square") == []
    [row] = await desk.audited("alert.early")
    assert row["details"]["unheard"] == [name("A")]
    [row] = await desk.audited("alert.withheld")
    assert (row["subject"], name("C", 3) in row["details"]["why"]) == (name("A"), True)


async def test_a_moment_may_be_spelt_otherwise(desk: Desk) -> None:
    await desk.post(document("C", "Cancel", minute=3, references=[f"{SENDER},A,2026-11-22T05:00:00-00:00"]))
    assert await codes(desk, A) == [409]


async def test_of_another_name_nothing_is_taken_back(desk: Desk) -> None:
    await desk.post(CANCEL_A)
    await desk.sent(document("A", minute=9))
    await desk.sent(document("A", sender="altro@regione.example.it"))
    await desk.sent(document("B"))
    assert len(desk.told()) == 3
    assert await codes(desk, A) == [409]


@pytest.mark.parametrize(("real", "drill"), [("Actual", "Exercise"), ("Exercise", "Actual"), ("Test", "Exercise")])
async def test_what_is_of_another_status_is_not_touched(desk: Desk, real: str, drill: str) -> None:
    for n, msg_type in enumerate(("Cancel", "Update")):
        assert await codes(desk, document(f"X-{n}", msg_type, status=drill, references=[name("A")])) == [404]
    found = await desk.alert(await desk.sent(document("A", status=real)))
    assert found["info"][0]["headline"] == "Allerta arancione"
    assert found["followed_by"] is None


@pytest.mark.parametrize("status", ["Exercise", "Test", "Draft"])
async def test_a_drill_is_cancelled_before_it_comes_as_well(desk: Desk, status: str) -> None:
    cancel = document("C", "Cancel", status=status, references=[name("A")])
    assert await codes(desk, cancel, document("A", status=status)) == [404, 409]
    assert await desk.everything() == []


async def test_a_cancel_of_what_is_known_and_of_what_is_not_waits_for_that(desk: Desk) -> None:
    first = await desk.sent(A)
    both = await desk.sent(document("C", "Cancel", references=[name("A"), name("B")]))
    code, problem = await desk.post(document("B"))
    assert (code, both in problem["detail"]) == (409, True)
    assert await desk.everything() == [both, first]


async def test_a_cancel_that_could_not_be_taken_is_not_remembered(desk: Desk) -> None:
    narrow = document("C", "Cancel", scope="Private", more="<addresses>a@b.it</addresses>", references=[name("A")])
    assert await codes(desk, narrow) == [422]
    await desk.sent(A)
    assert desk.told() == ["here"]


# --- an Update first ---


async def test_what_was_updated_before_it_came_says_the_newer_once(desk: Desk) -> None:
    code, problem = await desk.post(U1)
    assert (code, "remembered" in problem["detail"]) == (404, True)
    code, answer = await desk.post(A)
    assert code == 202
    assert any(name("U1", 1) in violation["msg"] for violation in answer["violations"])
    await desk.house.settled(answer["id"])
    assert await headlines(desk) == [("Alert", "prima correzione")]
    assert desk.told() == ["here"]
    assert await desk.post(A) == await desk.post(U1) == (202, answer)
    found = await desk.alert(answer["id"])
    assert found["references"] == []
    await desk.sent(CANCEL_U1)
    assert (await desk.alert(answer["id"]))["state"] == "cancelled"
    assert desk.told() == ["here", "here"]


async def test_of_two_updates_the_one_sent_last_is_told(desk: Desk) -> None:
    other = document("V", "Update", minute=5, references=[name("A")], infos=info(headline="ultima"))
    assert await codes(desk, other, U1) == [404, 404]
    await desk.sent(A)
    assert await headlines(desk) == [("Alert", "ultima")]


async def test_an_update_reaches_whom_it_names_and_keeps_its_originals_purpose(desk: Desk) -> None:
    moved = document(
        "U1", "Update", minute=1, references=[name("A")], infos=info(GEOCODE.format(ELSEWHERE), headline="più a sud")
    )
    await desk.post(moved)
    found = await desk.alert(await desk.sent(document("A", more="<code>alertd:purpose=service</code>")))
    assert found["purpose"] == "service"
    assert desk.told() == ["there"]


async def test_an_update_that_follows_what_went_out_and_what_comes_late(desk: Desk) -> None:
    first = await desk.sent(A)
    joined = await desk.sent(document("U", "Update", minute=1, references=[name("A"), name("B")]))
    code, problem = await desk.post(document("B"))
    assert (code, joined in problem["detail"]) == (409, True)
    assert await desk.everything() == [joined, first]


async def test_another_document_under_the_name_of_one_that_waits_is_refused(desk: Desk) -> None:
    await desk.post(U1)
    code, problem = await desk.post(U1.replace(b"prima", b"altra"))
    assert (code, "waits" in problem["detail"]) == (409, True)


async def test_an_update_that_nobody_would_get_holds_back_what_it_replaces(tmp_path: Path) -> None:
    """Nothing older is sent for it, and the one who asks reads why."""
    async with fake_house(tmp_path, '[channels.people]\nadapter = "fake"\n') as house:
        await house.enrol("here")
        desk = Desk(house)
        moved = document("U1", "Update", minute=1, references=[name("A")], infos=info(GEOCODE.format(ELSEWHERE)))
        assert await codes(desk, moved) == [404]
        code, problem = await desk.post(A)
        assert code == 409
        assert name("U1", 1) in problem["detail"]
        assert "nobody would get this" in problem["detail"]
        await house.enrol("there", zones=(ELSEWHERE,))
        await desk.sent(A)
        assert desk.told() == ["there"]


async def test_an_update_that_reaches_nowhere_does_not_wait(desk: Desk) -> None:
    nowhere = document("U1", "Update", minute=1, references=[name("A")], infos=info(GEOCODE.format("999999")))
    assert await codes(desk, nowhere) == [422]
    await desk.sent(A)
    assert await headlines(desk) == [("Alert", "Allerta arancione")]


# --- chains ---


async def test_an_update_heard_before_the_one_it_follows_goes_out_in_its_place(desk: Desk) -> None:
    first = await desk.sent(A)
    assert await codes(desk, U2) == [404]
    second = await desk.sent(U1)
    assert await headlines(desk) == [("Alert", "Allerta arancione"), ("Update", "seconda correzione")]
    assert (await desk.alert(first))["followed_by"] == second
    assert desk.told() == ["here", "here"]


async def test_a_cancel_of_an_update_that_comes_late_takes_back_what_that_follows(desk: Desk) -> None:
    first = await desk.sent(A)
    assert await codes(desk, CANCEL_U1) == [404]
    last = await desk.sent(U1)
    found = await desk.alert(first)
    assert (found["state"], found["followed_by"]) == ("cancelled", last)
    assert (await desk.alert(last))["msg_type"] == "Cancel"
    assert await desk.post(CANCEL_U1) == await desk.post(U1)


@pytest.mark.parametrize("last", [CANCEL_A, CANCEL_U1, CANCEL_U2], ids=["of-A", "of-U1", "of-U2"])
async def test_after_a_chain_and_its_cancel_in_any_order_nothing_new_is_ever_sent(desk: Desk, last: bytes) -> None:
    """Of each order: what was sent first is an Alert, nothing is said twice, and a repeat of all changes nothing."""
    chance = random.Random(2026)
    for number, order in enumerate(chance.sample(list(itertools.permutations((A, U1, U2, last))), 8)):
        mine = [body.replace(SENDER.encode(), f"c{number}@example.it".encode()) for body in order]
        before = len(await desk.everything())
        await codes(desk, *mine)
        made = (await headlines(desk))[before:]
        assert [kind for kind, _ in made][:1] in ([], ["Alert"])
        assert len(set(made)) == len(made)
        assert [kind for kind, _ in made].count("Alert") <= 1
        if last is CANCEL_U2:
            assert not made or made[-1][0] == "Cancel"
        await codes(desk, *mine)
        assert (await headlines(desk))[before:] == made


async def test_the_three_of_a_chain_heard_backwards_are_the_last_alone(desk: Desk) -> None:
    assert await codes(desk, U2, U1, A) == [404, 404, 202]
    assert await headlines(desk) == [("Alert", "seconda correzione")]
    assert await codes(desk, CANCEL_U1) == [202]


async def test_a_chain_cancelled_backwards_sends_nothing(desk: Desk) -> None:
    assert await codes(desk, CANCEL_U2, U2, U1, A) == [404, 404, 404, 409]
    assert await desk.everything() == []


# --- at once, after a restart, of whom, how many ---


async def test_at_the_same_moment_it_is_one_order_or_the_other(desk: Desk) -> None:
    for number in range(10):
        pair = [body.replace(SENDER.encode(), f"c{number}@example.it".encode()) for body in (A, CANCEL_A)]
        before = len(await desk.everything())
        (alert, _), (cancel, _) = await asyncio.gather(*map(desk.post, pair))
        made = (await headlines(desk))[before:]
        if made:
            assert (alert, cancel, [kind for kind, _ in made]) == (202, 202, ["Alert", "Cancel"])
        else:
            assert (alert, cancel) == (409, 404)


async def test_it_is_remembered_over_a_restart(tmp_path: Path) -> None:
    async with fake_house(tmp_path) as house:
        await house.enrol("here")
        assert await codes(Desk(house), CANCEL_A) == [404]
    async with fake_house(tmp_path) as house:
        again = Desk(house)
        assert await codes(again, A) == [409]
        assert again.told() == []


async def test_what_was_posted_with_a_token_that_was_revoked_decides_nothing(desk: Desk) -> None:
    stolen = await desk.grant("stolen", "alerts:send")
    assert (await desk.post(CANCEL_A, who=stolen))[0] == 404
    await desk.house.house.store.revoke_token("stolen", actor="test", at=NOW)
    await desk.sent(A)
    assert desk.told() == ["here"]
    await desk.sent(CANCEL_A)
    assert [kind for kind, _ in await headlines(desk)] == ["Alert", "Cancel"]


async def test_a_revoked_token_leaves_nothing_behind(desk: Desk, tmp_path: Path) -> None:
    """Neither what its name, given again, would bring back, nor the names of messages that others post."""
    stolen = await desk.grant("stolen", "alerts:send")
    assert (await desk.post(CANCEL_A, who=stolen))[0] == 404
    assert (await desk.post(document("B", "Cancel", references=[name("X")]), who=stolen))[0] == 404
    await desk.house.house.store.revoke_token("stolen", actor="test", at=NOW)
    await desk.grant("stolen", "alerts:send")
    for one in (A, document("B")):
        await desk.sent(one)
    for table in ("peer_message WHERE alert_seq IS NULL", "peer_reference"):
        assert sql(tmp_path / "state", f"SELECT count(*) FROM {table}") == [(0,)]
    assert (await desk.audited("token.revoke"))[0]["details"] == {"forgotten": 2}


async def test_one_message_in_two_spellings_at_once_is_sent_once(desk: Desk) -> None:
    for number in range(5):
        one = A.replace(SENDER.encode(), f"c{number}@example.it".encode())
        other = one.replace(b"06:00:00+01:00", b"05:00:00-00:00")
        assert sorted(await codes_at_once(desk, one, other)) == [202, 409]
    assert len(await desk.everything()) == 5


async def codes_at_once(desk: Desk, *bodies: bytes) -> list[int]:
    return [code for code, _ in await asyncio.gather(*map(desk.post, bodies))]


async def test_what_waited_in_vain_takes_with_it_what_it_follows(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, for its number is given again."""
    monkeypatch.setattr("alertd.storage.purge.CHUNK", 1)
    await desk.post(document("C", "Cancel", references=[name("A"), name("B"), name("X")]))
    before = micros(NOW + timedelta(days=36_500))
    await desk.house.house.store._db.write(partial(drop_early, before=before))
    for table in ("peer_message", "peer_reference"):
        assert sql(tmp_path / "state", f"SELECT count(*) FROM {table}") == [(0,)]


async def test_a_draft_is_made_of_the_newer_words(desk: Desk) -> None:
    drafter = await desk.grant("drafter", "alerts:draft")
    await desk.post(U1)
    code, answer = await desk.post(A, who=drafter)
    assert (code, answer["state"]) == (202, "draft")
    assert (await desk.alert(answer["id"]))["info"][0]["headline"] == "prima correzione"
    assert await codes(desk, U1) == [409], "whoever may send must not read 202 of what is not sent"


async def test_what_another_system_posts_is_bounded(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertd.storage.early.MOST", 3)
    other = await desk.grant("other", "alerts:send")
    assert (await desk.post(CANCEL_A, who=other))[0] == 404
    for number in range(5):
        await desk.post(document(f"C-{number}", "Cancel", references=[name(f"A-{number}")]))
    assert await codes(desk, document("A-4"), document("A-1"), A) == [409, 202, 409]
    assert sql(tmp_path / "state", "SELECT count(*) FROM peer_message WHERE alert_seq IS NULL") == [(4,)]
    assert sql(tmp_path / "state", "SELECT count(*) FROM peer_reference") == [(4,)]


# --- where it comes from ---


async def test_the_public_can_trace_where_it_comes_from(desk: Desk) -> None:
    first = await desk.alert(await desk.sent(A))
    second = await desk.alert(
        await desk.sent(document("U1", "Update", more="<source>sala operativa</source>", references=[name("A")]))
    )
    last = await desk.alert(await desk.sent(document("C", "Cancel", references=[name("U1")])))
    assert (first["source"], second["source"], last["source"]) == (SENDER, "sala operativa", SENDER)
    traces = [
        [pair["value"] for pair in one["info"][0]["parameter"] if pair["value_name"] == "alertd:origin"]
        for one in (first, second, last)
    ]
    assert traces == [[name("A")], [name("U1")], [name("U1"), name("C")]]
    document_ = (await desk.house.client.get(f"/cap/{first['identifier']}.xml")).text
    assert f"<source>{SENDER}</source>" in document_
    assert f"<valueName>alertd:origin</valueName><value>{name('A')}</value>" in document_
    ours = await desk.alert(await desk.house.send())
    assert ours["source"] is None
    assert ours["info"][0]["parameter"] == []


async def test_the_words_of_another_are_traced_to_it(desk: Desk) -> None:
    await desk.post(U1)
    found = await desk.alert(await desk.sent(A))
    assert found["info"][0]["parameter"] == [{"value_name": "alertd:origin", "value": name("U1", 1)}]
