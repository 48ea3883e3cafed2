"""An Update of what is still a draft: the old words can be approved no more, the new ones wait in their place."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fake_house import fake_house
from tests.support.cap_post import Desk, document, info, name

NEWER = document("U1", "Update", minute=1, references=[name("A")], infos=info(headline="Allerta rossa"))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with fake_house(tmp_path) as house:
        await house.enrol("here")
        desk = Desk(house)
        await desk.grant("peer", "alerts:draft")
        await desk.grant("other", "alerts:draft")
        await desk.grant("officer", "alerts:approve")
        yield desk


async def drafted(desk: Desk, identifier: str = "A", **more: str) -> str:
    code, answer = await desk.post(document(identifier), who="peer", **more)
    assert (code, answer["state"]) == (202, "draft")
    return str(answer["id"])


async def approve(desk: Desk, alert_id: str) -> int:
    return (await desk.house.call("POST", f"/v1/alerts/{alert_id}/approve", who="officer"))[0]


async def stands(desk: Desk, alert_id: str) -> tuple[str, str]:
    found = await desk.alert(alert_id)
    return found["state"], found["info"][0]["headline"]


async def test_its_author_words_it_anew_and_the_old_words_can_be_approved_no_more(desk: Desk) -> None:
    old = await drafted(desk)
    code, answer = await desk.post(NEWER, who="peer")
    assert (code, answer["state"]) == (202, "draft")
    assert f"{old} never went out: this is a draft in its place" in str(answer["violations"])
    assert await desk.post(NEWER, who="peer") == (code, answer)
    assert [await stands(desk, one) for one in (old, answer["id"])] == [
        ("rejected", "Allerta arancione"),
        ("draft", "Allerta rossa"),
    ]
    assert (await desk.alert(old))["followed_by"] == answer["id"]
    new = await desk.alert(answer["id"])
    assert (new["msg_type"], new["references"]) == ("Alert", []), "what it follows was never published"
    assert await approve(desk, old) == 409
    assert desk.told() == []
    assert await approve(desk, answer["id"]) == 200
    await desk.house.settled(answer["id"])
    assert desk.told() == ["here"]
    [row] = await desk.audited("alert.withdraw")
    assert (row["subject"], row["details"]["reason"]) == (old, f"superseded by {answer['id']}")
    accepted = {row["subject"]: row["details"] for row in await desk.audited("alert.accept")}
    assert accepted[answer["id"]]["origin"]["identifier"] == "U1"


async def test_whoever_may_send_does_not_send_it_so_and_is_told(desk: Desk) -> None:
    old = await drafted(desk)
    code, problem = await desk.post(NEWER)
    assert code == 409
    [new] = [one for one in await desk.everything() if one != old]
    assert f"here as alert {new}, which is draft: decide on that one" in problem["detail"]
    assert (await desk.post(NEWER))[1]["detail"] == problem["detail"]
    assert await stands(desk, new) == ("draft", "Allerta rossa")
    assert (await desk.alert(old))["decided_by"] == "bootstrap"
    assert len(await desk.audited("alert.reject")) == 1
    assert desk.told() == []
    assert await approve(desk, new) == 200
    await desk.house.settled(new)
    assert desk.told() == ["here"]


async def test_nobody_words_anew_what_another_drafted_without_the_scope_to_send(desk: Desk) -> None:
    old = await drafted(desk)
    assert (await desk.post(NEWER, who="other"))[0] == 403
    unknown = document("U1", "Update", minute=1, references=[name("X")])
    assert (await desk.post(unknown, who="peer"))[0] == 403
    assert await stands(desk, old) == ("draft", "Allerta arancione")
    assert await desk.everything() == [old]


async def test_all_names_of_the_matter_lead_to_what_stands(desk: Desk) -> None:
    await drafted(desk)
    await desk.post(NEWER, who="peer")
    again = document("U2", "Update", minute=2, references=[name("A")], infos=info(headline="Allerta viola"))
    code, third = await desk.post(again, who="peer")
    assert (code, await stands(desk, third["id"])) == (202, ("draft", "Allerta viola"))
    assert [(await desk.alert(one))["state"] for one in await desk.everything()] == ["draft", "rejected", "rejected"]
    code, answer = await desk.post(document("C", "Cancel", minute=3, references=[name("A")]), who="peer")
    assert (code, answer["id"], answer["state"]) == (202, third["id"], "rejected")


async def test_once_it_is_approved_an_update_follows_it(desk: Desk) -> None:
    await drafted(desk)
    _, answer = await desk.post(NEWER, who="peer")
    assert await approve(desk, answer["id"]) == 200
    await desk.house.settled(answer["id"])
    later = await desk.sent(document("U2", "Update", minute=2, references=[name("A"), name("U1", 1)]))
    assert (await desk.alert(answer["id"]))["followed_by"] == later
    assert desk.told() == ["here", "here"]


async def test_one_that_is_refused_leaves_the_draft_as_it_is(desk: Desk) -> None:
    old = await drafted(desk)
    await drafted(desk, "B", Idempotency_Key="taken")
    references = [name("A")]
    for refused, code, more in (
        (document("U1", "Update", references=references, status="Exercise"), 422, {}),
        (document("U1", "Update", references=references, infos=info("")), 422, {}),
        (document("U1", "Update", references=references, scope="Private", more="<addresses>a</addresses>"), 422, {}),
        (document("U1", "Update", references=references), 422, {"Idempotency_Key": "taken"}),
    ):
        assert (await desk.post(refused, who="peer", **more))[0] == code
        assert (await desk.alert(old))["state"] == "draft"
    assert len(await desk.everything()) == 2


async def test_of_several_drafts_it_takes_the_place_of_all(desk: Desk) -> None:
    both = [await drafted(desk, one) for one in ("A", "B")]
    code, answer = await desk.post(document("U1", "Update", references=[name("A"), name("B")]), who="peer")
    assert (code, answer["state"]) == (202, "draft")
    assert {(await desk.alert(one))["followed_by"] for one in both} == {answer["id"]}


async def test_what_an_officer_rejected_is_not_brought_back(desk: Desk) -> None:
    old = await drafted(desk)
    await desk.house.call("POST", f"/v1/alerts/{old}/reject", {"reason": "no"}, who="officer")
    assert (await desk.post(NEWER))[0] == 409
    assert (await desk.post(NEWER, who="peer"))[0] == 403
    assert await desk.everything() == [old]


async def test_an_update_of_it_that_came_first_speaks_and_a_cancel_keeps_it_out(desk: Desk) -> None:
    latest = document("U2", "Update", minute=2, references=[name("U1", 1)], infos=info(headline="Allerta viola"))
    assert (await desk.post(latest))[0] == 404
    await drafted(desk)
    code, answer = await desk.post(NEWER, who="peer")
    assert (code, await stands(desk, answer["id"])) == (202, ("draft", "Allerta viola"))
    cancelled = await drafted(desk, "B")
    assert (await desk.post(document("C", "Cancel", minute=3, references=[name("V1", 1)])))[0] == 404
    code, problem = await desk.post(document("V1", "Update", minute=1, references=[name("B")]), who="peer")
    assert (code, f"reject {cancelled}" in problem["detail"]) == (409, True)


@pytest.mark.parametrize("decision", ["approve", "reject"])
async def test_a_decision_at_the_same_time_comes_before_it_or_after(desk: Desk, decision: str) -> None:
    for number in range(6):
        old = await drafted(desk, f"R-{number}")
        update = document(f"V-{number}", "Update", minute=1, references=[name(f"R-{number}")])
        body = {"reason": "no"} if decision == "reject" else None
        (decided, _), (code, _) = await asyncio.gather(
            desk.house.call("POST", f"/v1/alerts/{old}/{decision}", body, who="officer"),
            desk.post(update, who="peer"),
        )
        state = (await desk.alert(old))["state"]
        if decided == 200:
            assert code == 403, "it went out, or an officer rejected it: only who may send may follow it"
            assert state != "draft"
        else:
            assert (decided, code, state) == (409, 202, "rejected")


async def test_of_a_draft_that_was_rejected_it_is_said_that_nothing_is_sent(desk: Desk) -> None:
    old = await drafted(desk)
    await desk.house.call("POST", f"/v1/alerts/{old}/reject", {"reason": "falso allarme"}, who="officer")
    code, problem = await desk.post(document("A"))
    assert code == 409
    assert f"here as alert {old}, which is rejected: nothing of it is sent" in problem["detail"]
