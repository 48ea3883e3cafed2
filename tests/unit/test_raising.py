"""What rules may do with alerts: in their own name, on evidence, once, and never more than was allowed."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alertd.core.raising import Raised
from alertd.domain.alert import AlertState, MsgType, Status
from alertd.domain.problems import Conflict, Forbidden, Invalid, NotFound
from alertd.domain.texts import LIMITS
from tests.integration.store_stand import sql
from tests.unit.officers_stand import OFFICER, Desk, a_staffed_desk, river

SENDER = replace(OFFICER, name="carla", scopes=frozenset({"alerts:send"}))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_staffed_desk(tmp_path) as desk:
        yield desk


async def change(desk: Desk, alert_id: str, key: str, **changes: Any) -> Raised:
    terms = {"rule": "fiume", "unattended": False, "evidence": ["gauge arno-1: 3.90 m"], "key": key}
    return await desk.raising.change(alert_id, worse(), **{**terms, **changes})


async def all_clear(desk: Desk, alert_id: str, key: str, **changes: Any) -> Raised:
    terms = {"rule": "fiume", "unattended": False, "evidence": ["gauge arno-1: 2.10 m"], "key": key, "reason": "under"}
    return await desk.raising.all_clear(alert_id, worse(), **{**terms, **changes})


def worse() -> Any:
    return river(info=(replace(river().info[0], headline="L'Arno esonda"),))


# --- raising ---


async def test_evidence_is_in_the_note_and_in_the_audit_log(desk: Desk) -> None:
    raised = await desk.draft(evidence=["gauge arno-1: 3.41 m > 3.00 m", "for 10 minutes\x00"])
    stored = await desk.store.get_alert(raised.id)
    assert stored.alert.note == "gauge arno-1: 3.41 m > 3.00 m\nfor 10 minutes"
    assert stored.created_by == "rule:fiume"
    (details,) = sql(desk.folder, "SELECT details FROM audit WHERE subject = ?", raised.id)[0]
    assert json.loads(details)["evidence"] == ["gauge arno-1: 3.41 m > 3.00 m", "for 10 minutes"]


async def test_evidence_is_bounded_and_there_must_be_some(desk: Desk) -> None:
    raised = await desk.draft(evidence=["x" * 10_000] * 100)
    note = (await desk.store.get_alert(raised.id)).alert.note or ""
    assert len(note) <= LIMITS["note"]
    for evidence in ([], ["", "\x00"]):
        with pytest.raises(Invalid, match="evidence"):
            await desk.draft("k2", evidence=evidence)


async def test_a_key_raises_once_whatever_is_said_with_it(desk: Desk) -> None:
    first = await desk.draft()
    again = await desk.raising.raise_alert(worse(), rule="fiume", unattended=False, evidence=["later"], key="k1")
    assert again == first
    desk.restart()
    assert await desk.draft() == first
    assert (await desk.draft(rule="other")).id != first.id
    await desk.approvals.approve(first.id, token=OFFICER)
    assert await desk.draft() == Raised(first.id, AlertState.PENDING)


async def test_unattended_goes_out_and_nothing_else_does(desk: Desk) -> None:
    assert (await desk.draft("k1")).state is AlertState.DRAFT
    assert (await desk.draft("k2", unattended=True)).state is not AlertState.DRAFT


@pytest.mark.parametrize(
    "changes",
    [{"status": Status.DRAFT}, {"info": ()}, {"channels": ("nowhere",)}],
    ids=["never to be approved", "says nothing", "no such channel"],
)
async def test_what_does_not_fit_is_refused_and_nothing_is_stored(desk: Desk, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        await desk.raising.raise_alert(river(**changes), rule="fiume", unattended=True, evidence=["e"], key="k")
    assert await desk.store.list_alerts(limit=10) == []


async def test_an_alert_for_nobody_is_refused_and_officers_are_nobody(desk: Desk) -> None:
    empty = replace(river().info[0].area[0], zones=("048014",))
    with pytest.raises(Invalid, match="nobody would get this"):
        await desk.raising.raise_alert(
            river(info=(replace(river().info[0], area=(empty,)),), channels=("push",)),
            rule="fiume",
            unattended=True,
            evidence=["e"],
            key="k",
        )


# --- change ---


async def test_a_waiting_draft_is_replaced_in_one_transaction(desk: Desk) -> None:
    old = await desk.draft()
    new = await change(desk, old.id, "k2")
    before, after = await desk.store.get_alert(old.id), await desk.store.get_alert(new.id)
    assert (before.state, before.decided_by) == (AlertState.REJECTED, "rule:fiume")
    assert before.reject_reason == f"superseded by {new.id}"
    assert (after.state, after.alert.msg_type, after.alert.references) == (AlertState.DRAFT, MsgType.ALERT, ())
    assert await change(desk, old.id, "k2") == new
    with pytest.raises(Conflict):
        await desk.approvals.approve(old.id, token=OFFICER)


async def test_what_was_sent_gets_an_update_that_is_a_draft_unless_unattended(desk: Desk) -> None:
    raised = await desk.draft()
    await desk.approvals.approve(raised.id, token=OFFICER)
    await desk.carry()
    drafted = await change(desk, raised.id, "k2")
    await desk.carry()
    assert drafted.state is AlertState.DRAFT
    assert (await desk.store.get_alert(raised.id)).state is AlertState.COMPLETE
    assert raised.id not in desk.fit.revoked
    assert await desk.told(drafted.id) == []
    again = await change(desk, drafted.id, "k3", unattended=True)
    update = await desk.store.get_alert(again.id)
    assert (update.alert.msg_type, update.ancestors) == (MsgType.UPDATE, (raised.id,))
    assert (await desk.store.get_alert(drafted.id)).state is AlertState.REJECTED
    assert (await desk.store.get_alert(raised.id)).state is AlertState.SUPERSEDED
    await desk.carry()
    assert ("push", "citizen") in await desk.told(again.id)


async def test_an_approved_update_ends_its_original_and_revokes_it_at_once(desk: Desk) -> None:
    raised = await desk.draft(unattended=True)
    await desk.carry()
    drafted = await change(desk, raised.id, "k2")
    await desk.approvals.approve(drafted.id, token=OFFICER)
    assert raised.id in desk.fit.revoked
    assert (await desk.store.get_alert(raised.id)).followed_by == drafted.id
    await desk.carry()
    assert ("push", "citizen") in await desk.told(drafted.id)


async def test_a_decision_that_fails_revokes_nothing(desk: Desk) -> None:
    raised = await desk.draft(unattended=True)
    await desk.carry()
    drafted = await change(desk, raised.id, "k2")
    with pytest.raises(Forbidden):
        await desk.approvals.approve(drafted.id, token=replace(OFFICER, name="rule:fiume"))
    assert raised.id not in desk.fit.revoked


async def test_a_rejected_draft_is_followed_by_a_new_one_that_waits_again(desk: Desk) -> None:
    raised = await desk.draft()
    await desk.approvals.reject(raised.id, token=OFFICER, reason="no")
    new = await change(desk, raised.id, "k2")
    assert (new.id != raised.id, new.state) == (True, AlertState.DRAFT)


async def test_a_draft_approved_while_it_is_changed_is_updated_instead(desk: Desk) -> None:
    raised = await desk.draft()
    original = desk.intake.submit

    async def overtaken(*arguments: Any, **terms: Any) -> bytes:
        await desk.approvals.approve(raised.id, token=OFFICER)
        return await original(*arguments, **terms)

    desk.intake.submit = overtaken  # type: ignore[method-assign]
    new = await change(desk, raised.id, "k2")
    stored = await desk.store.get_alert(new.id)
    assert (stored.state, stored.alert.msg_type, stored.ancestors) == (
        AlertState.DRAFT,
        MsgType.UPDATE,
        (raised.id,),
    )


# --- all-clear ---


async def test_the_end_withdraws_a_waiting_draft_and_tells_the_officers(desk: Desk) -> None:
    raised = await desk.draft()
    await desk.round()
    assert await all_clear(desk, raised.id, "k2") == Raised(raised.id, AlertState.REJECTED)
    assert await all_clear(desk, raised.id, "k2") == Raised(raised.id, AlertState.REJECTED)
    await desk.round()
    last = (await desk.pages())[-1]
    assert (last.alert.info[0].headline or "").startswith("BOZZA RITIRATA da rule:fiume")
    assert len(await desk.store.list_alerts(limit=10)) == 3


async def test_the_end_of_what_was_sent_is_an_update(desk: Desk) -> None:
    raised = await desk.draft(unattended=True)
    await desk.carry()
    ended = await all_clear(desk, raised.id, "k2", unattended=True)
    assert await all_clear(desk, raised.id, "k2", unattended=True) == ended
    await desk.carry()
    assert ("push", "citizen") in await desk.told(ended.id)
    assert len(await desk.store.list_alerts(limit=10)) == 2


async def test_the_end_of_a_drafted_update_withdraws_it_and_ends_what_was_sent(desk: Desk) -> None:
    raised = await desk.draft(unattended=True)
    await desk.carry()
    drafted = await change(desk, raised.id, "k2")
    ended = await all_clear(desk, drafted.id, "k3", unattended=True)
    assert (await desk.store.get_alert(drafted.id)).state is AlertState.REJECTED
    assert (await desk.store.get_alert(ended.id)).ancestors == (raised.id,)


async def test_what_a_person_cancelled_or_took_over_is_left_alone(desk: Desk) -> None:
    raised = await desk.draft(unattended=True)
    await desk.carry()
    terms: dict[str, Any] = {"token": SENDER, "idempotency": None, "encode": lambda accepted: accepted.id.encode()}
    await desk.intake.cancel(raised.id, note=None, info=(), **terms)
    assert await all_clear(desk, raised.id, "k2", unattended=True) == Raised(raised.id, AlertState.CANCELLED)
    other = await desk.draft("k3", unattended=True)
    await desk.carry()
    await desk.intake.update(other.id, worse(), **terms)
    with pytest.raises(Conflict, match="carla has taken over"):
        await all_clear(desk, other.id, "k4", unattended=True)


async def test_a_rule_touches_nothing_that_is_not_its_own(desk: Desk) -> None:
    raised = await desk.draft()
    for step in (change, all_clear):
        with pytest.raises(Forbidden):
            await step(desk, raised.id, "k2", rule="other")
        with pytest.raises(NotFound):
            await step(desk, "nowhere", "k3")
    assert (await desk.store.get_alert(raised.id)).state is AlertState.DRAFT


# --- the store's own walls ---


async def test_only_its_author_withdraws_a_draft_and_only_while_it_is_one(desk: Desk) -> None:
    raised = await desk.draft()
    terms: dict[str, Any] = {"at": desk.clock.now(), "reason": "r"}
    with pytest.raises(Forbidden):
        await desk.store.withdraw(raised.id, actor="anna", **terms)
    with pytest.raises(NotFound):
        await desk.store.withdraw("nowhere", actor="rule:fiume", **terms)
    await desk.store.withdraw(raised.id, actor="rule:fiume", **terms)
    with pytest.raises(Conflict):
        await desk.store.withdraw(raised.id, actor="rule:fiume", **terms)


async def test_a_page_can_be_neither_updated_nor_cancelled(desk: Desk) -> None:
    await desk.draft()
    await desk.round()
    (page,) = await desk.pages()
    terms: dict[str, Any] = {"token": SENDER, "idempotency": None, "encode": lambda accepted: accepted.id.encode()}
    with pytest.raises(Conflict, match="page to the officers"):
        await desk.intake.cancel(page.alert.id, note=None, info=(), **terms)
    with pytest.raises(Conflict, match="page to the officers"):
        await desk.intake.update(page.alert.id, river(status=Status.SYSTEM), **terms)


# --- what is real and what is not ---


@pytest.mark.parametrize("sent", [False, True], ids=["a draft", "sent"])
async def test_an_exercise_neither_changes_nor_ends_what_is_real(desk: Desk, sent: bool) -> None:
    raised = await desk.draft(unattended=sent)
    before = await desk.store.get_alert(raised.id)
    mock = replace(worse(), status=Status.EXERCISE)
    terms: dict[str, Any] = {"rule": "fiume", "unattended": sent, "evidence": ["e"]}
    with pytest.raises(Conflict, match="is Actual and what is said now is Exercise"):
        await desk.raising.change(raised.id, mock, key="k2", **terms)
    with pytest.raises(Conflict, match="is Actual and what is said now is Exercise"):
        await desk.raising.all_clear(raised.id, mock, key="k3", reason="over", **terms)
    after = await desk.store.get_alert(raised.id)
    assert (after.followed_by, after.decided_by) == (None, before.decided_by)
    assert [stored.alert.id for stored in await desk.store.list_alerts(limit=10)] == [raised.id]
