"""Two alerts of a rule that turned out to be about one matter are followed together."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alertd.core.raising import Raised
from alertd.domain.alert import AlertState, MsgType
from alertd.ports.stores.intake import StoredAlert
from tests.unit.officers_stand import OFFICER, Desk, a_staffed_desk
from tests.unit.test_raising import all_clear, change


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_staffed_desk(tmp_path) as desk:
        yield desk


async def two(desk: Desk, *unattended: bool) -> list[Raised]:
    raised = [await desk.draft(f"k{number}", unattended=sends) for number, sends in enumerate(unattended)]
    await desk.carry()
    return raised


async def stored(desk: Desk, *raised: Raised) -> list[StoredAlert]:
    return [await desk.store.get_alert(one.id) for one in raised]


def named(alert: StoredAlert) -> set[str]:
    return {reference.identifier for reference in alert.alert.references}


async def test_one_update_replaces_both_and_is_told_once(desk: Desk) -> None:
    first, last = await two(desk, True, True)
    update = await change(desk, last.id, "k9", unattended=True, also=(first.id,))
    assert await change(desk, last.id, "k9", unattended=True, also=(first.id,)) == update
    await desk.carry()
    one, other, both = await stored(desk, first, last, update)
    assert (one.followed_by, other.followed_by) == (update.id, update.id)
    assert named(both) == {one.alert.identifier, other.alert.identifier}
    assert (await desk.told(update.id)).count(("push", "citizen")) == 1


async def test_of_what_was_sent_and_what_waits_one_update_is_left(desk: Desk) -> None:
    sent, draft = await two(desk, True, False)
    update = await change(desk, draft.id, "k9", unattended=True, also=(sent.id,))
    one, other, both = await stored(desk, sent, draft, update)
    assert (one.state, other.state) == (AlertState.SUPERSEDED, AlertState.REJECTED)
    assert (both.alert.msg_type, named(both)) == (MsgType.UPDATE, {one.alert.identifier})


async def test_of_two_drafts_one_is_left(desk: Desk) -> None:
    first, last = await two(desk, False, False)
    drafted = await change(desk, last.id, "k9", also=(first.id,))
    one, other, new = await stored(desk, first, last, drafted)
    assert (one.state, other.state, new.state) == (AlertState.REJECTED, AlertState.REJECTED, AlertState.DRAFT)
    assert one.reject_reason == f"of one matter with {last.id}"


async def test_one_all_clear_ends_both(desk: Desk) -> None:
    first, last = await two(desk, True, True)
    over = await all_clear(desk, last.id, "k9", unattended=True, also=(first.id,))
    one, other, ended = await stored(desk, first, last, over)
    assert (one.followed_by, other.followed_by) == (over.id, over.id)
    assert named(ended) == {one.alert.identifier, other.alert.identifier}


async def test_what_an_officer_ended_or_took_over_is_left_to_him(desk: Desk) -> None:
    first, last = await two(desk, False, True)
    await desk.approvals.reject(first.id, token=OFFICER, reason="no")
    update = await change(desk, last.id, "k9", unattended=True, also=(first.id, "no-such-alert"))
    rejected, _, both = await stored(desk, first, last, update)
    assert rejected.state is AlertState.REJECTED
    assert named(both) == {(await desk.store.get_alert(last.id)).alert.identifier}
