"""CAP documents that become drafts, and the Cancels that take them back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fake_house import fake_house
from tests.support.cap_post import Desk, document, name


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with fake_house(tmp_path) as house:
        await house.enrol("here")
        yield Desk(house)


async def test_a_status_of_draft_and_a_token_of_drafts_make_drafts(desk: Desk) -> None:
    code, answer = await desk.post(document(status="Draft"))
    assert (code, answer["state"]) == (202, "draft")
    drafter = await desk.grant("drafter", "alerts:draft")
    code, answer = await desk.post(document("R-2"), who=drafter)
    assert (code, answer["state"]) == (202, "draft")
    assert (await desk.post(document("R-2"), who=drafter))[1] == answer
    code, problem = await desk.post(document("R-2"))
    assert code == 409, "whoever may send must not read 202 of what is not sent"
    assert answer["id"] in problem["detail"]
    assert desk.told() == []


async def test_a_cancel_takes_a_draft_back_and_nobody_can_approve_it(desk: Desk) -> None:
    drafter, other = [await desk.grant(who, "alerts:draft") for who in ("drafter", "other")]
    cancel = document("R-2", "Cancel", references=[name("R-1")])
    assert (await desk.post(cancel, who=drafter))[0] == 403, "who may not send may not make others wait either"
    _, draft = await desk.post(document(), who=drafter)
    assert (await desk.post(cancel, who=other))[0] == 403
    code, wrong = await desk.post(document("R-2", "Cancel", references=[name("R-1")], status="Exercise"), who=drafter)
    assert (code, wrong["errors"][0]["loc"]) == (422, ["status"])
    code, answer = await desk.post(cancel, who=drafter)
    assert (code, answer["id"], answer["state"]) == (202, draft["id"], "rejected")
    assert await desk.post(cancel, who=drafter) == (code, answer)
    _, second = await desk.post(document("R-3"), who=drafter)
    code, answer = await desk.post(document("R-4", "Cancel", references=[name("R-3")]))
    assert (code, answer["id"], answer["state"]) == (202, second["id"], "rejected")
    assert desk.told() == []


async def test_a_cancel_that_is_refused_takes_no_draft_back(desk: Desk) -> None:
    drafter = await desk.grant("drafter", "alerts:draft")
    await desk.post(document("R-0"), who=drafter)
    ids = [(await desk.post(document(f"R-{n}"), who=drafter))[1]["id"] for n in (1, 2)]
    ids.append((await desk.post(document("R-3", status="Exercise"), who=drafter))[1]["id"])
    await desk.post(document("R-8"), who=drafter, Idempotency_Key="taken")
    both, unknown = [name("R-1"), name("R-3")], [name("R-1"), name("R-7")]
    for refused, code, more in (
        (document("R-9", "Cancel", references=both), 422, {}),
        (document("R-9", "Cancel", references=both[:1], scope="Private", more="<addresses>a</addresses>"), 422, {}),
        (document("R-9", "Cancel", references=both[:1]), 422, {"Idempotency_Key": "taken"}),
        (document("R-9", "Cancel", references=unknown), 403, {}),
    ):
        assert (await desk.post(refused, who=drafter, **more))[0] == code
        assert {(await desk.alert(one))["state"] for one in ids} == {"draft"}


async def test_a_cancel_of_a_draft_and_of_what_has_not_come_withholds_that_too(desk: Desk) -> None:
    drafter = await desk.grant("drafter", "alerts:draft")
    _, draft = await desk.post(document(), who=drafter)
    cancel = document("R-3", "Cancel", references=[name("R-1"), name("R-2")])
    code, answer = await desk.post(cancel)
    assert (code, answer["id"], answer["state"]) == (202, draft["id"], "rejected")
    assert (await desk.post(document("R-2")))[0] == 409
    assert desk.told() == []
