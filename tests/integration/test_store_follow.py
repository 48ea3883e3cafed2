"""Update and Cancel: what was queued stops, what flies is waited for, and who may have had it hears of it."""

from pathlib import Path

from alertd.domain.alert import AlertState, MsgType
from alertd.domain.delivery import Event, Reason, State
from alertd.ports.stores.intake import Target
from alertd.storage import Store
from tests.integration.store_stand import (
    ALL_BLOCKS,
    HOOK,
    NOW,
    PUSH,
    SECOND,
    a_subscriber,
    check_whole,
    claimed,
    enrolled,
    following,
    new,
    opened,
    outcomes,
    plan_all,
    rows_of,
    sent,
    sql,
    state_of,
    states,
)


async def _swept(store: Store) -> int:
    return await store.supersede(NOW, limit=1_000)


async def test_a_cancel_goes_to_those_who_may_have_had_it_and_to_nobody_else(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 10)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        got = await claimed(store, limit=3)
        await store.settle(outcomes(got, Event.ACCEPT))
        refused = await claimed(store, limit=1)
        await store.settle(outcomes(refused, Event.FAIL, Reason.BAD_REQUEST))
        unclear = await claimed(store, limit=1)
        await store.settle(outcomes(unclear, Event.RETRY, Reason.TIMEOUT, exposed=True))
        cancel = following(first.alert, MsgType.CANCEL, PUSH)
        await store.accept(cancel)
        assert await store.claim("push", 0, limit=99, now=NOW + 60 * SECOND, lease=60) is None
        assert await _swept(store) == 6
        assert await plan_all(store) == 4
        told = await claimed(store)
        reached = {row.endpoint_id for row in (*rows_of(got), *rows_of(unclear))}
        assert {row.endpoint_id for row in rows_of(told)} == reached
        refs = {row.endpoint_id: f"ref-{row.delivery_id}" for row in rows_of(got)}
        assert {row.endpoint_id: row.thread for row in rows_of(told) if row.thread} == refs
        assert {row.blocks for row in rows_of(told)} == {ALL_BLOCKS}
        await store.settle(outcomes(told, Event.ACCEPT))
        assert await states(store, first.alert.id) == {State.ACCEPTED: 3, State.FAILED: 1, State.SUPERSEDED: 6}
        original = await store.get_alert(first.alert.id)
        assert (original.state, original.followed_by) == (AlertState.CANCELLED, cancel.alert.id)
        assert original.settled_at is not None
        assert await state_of(store, cancel.alert) is AlertState.COMPLETE
        check_whole(tmp_path)


async def test_a_cancel_waits_for_what_is_in_flight_and_then_reaches_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 6)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        early = await claimed(store, limit=2)
        flying = await claimed(store, limit=4)
        await store.settle(outcomes(early, Event.ACCEPT))
        cancel = following(first.alert, MsgType.CANCEL, PUSH)
        await store.accept(cancel)
        job = await store.next_plan()
        assert job is not None
        assert await plan_all(store, window=2) == 2, "who has it for certain is told at once"
        assert (await store.plan_page(job, window=2, now=NOW)).waiting
        ids = [row.delivery_id for row in rows_of(flying)]
        await store.settle(outcomes(flying, Event.ACCEPT, ids=ids[:1]))
        assert await plan_all(store, window=2) == 1, "it does not wait for the slowest"
        await store.settle(outcomes(flying, Event.FAIL, Reason.BAD_REQUEST, ids=ids[1:2]))
        await store.settle(outcomes(flying, Event.RETRY, Reason.BROKEN, ids=ids[2:3], exposed=True))
        assert await store.recover(NOW + 61 * SECOND) == 1
        assert await plan_all(store, window=2) == 2
        assert await _swept(store) == 2
        assert await sent(store) == 5
        assert await state_of(store, cancel.alert) is AlertState.COMPLETE
        check_whole(tmp_path)


async def test_a_cancel_does_not_overtake_a_second_attempt_in_flight(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        first = new(PUSH, HOOK)
        await store.accept(first)
        await plan_all(store)
        for channel in ("push", "hook"):
            await store.settle(outcomes(await claimed(store, channel), Event.RETRY, Reason.TIMEOUT, exposed=True))
        again = [await claimed(store, name, limit=2, now=NOW + 10 * SECOND) for name in ("push", "hook")]
        await store.accept(following(first.alert, MsgType.CANCEL, PUSH, HOOK))
        assert await plan_all(store) == 1, "exposed by the first attempt, but the second is out"
        for claim in again:
            await store.settle(outcomes(claim, Event.ACCEPT))
        assert await plan_all(store) == 3
        threads = [row.thread for row in rows_of(await claimed(store))]
        assert sorted(filter(None, threads)) == sorted(f"ref-{row.delivery_id}" for row in rows_of(again[0]))
        check_whole(tmp_path)


async def test_a_cancel_does_not_overtake_the_update_in_flight_to_who_had_the_original(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        await sent(store)
        update = following(first.alert, MsgType.UPDATE, PUSH)
        await store.accept(update)
        await plan_all(store)
        flying = await claimed(store, limit=1)
        await store.accept(following(update.alert, MsgType.CANCEL, PUSH, older=(first.alert.id,)))
        assert await plan_all(store) == 1
        await store.settle(outcomes(flying, Event.ACCEPT))
        assert await plan_all(store) == 1
        assert {row.thread for row in rows_of(await claimed(store))} >= {f"ref-{rows_of(flying)[0].delivery_id}"}


async def test_an_update_goes_to_those_who_had_it_and_to_its_own_audience(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("a", zones=("A",)), a_subscriber("b", zones=("B",))], actor="import")
        first = new(PUSH, targets=(Target("A", 1, 3),))
        await store.accept(first)
        await plan_all(store)
        await sent(store)
        update = following(first.alert, MsgType.UPDATE, PUSH, targets=(Target("B", 2, 3),))
        await store.accept(update)
        assert await plan_all(store) == 2
        got = {
            row.address.rpartition("/")[2]: (row.blocks, row.thread is not None)
            for row in rows_of(await claimed(store))
        }
        assert got == {"a": (ALL_BLOCKS, True), "b": (2, False)}
        assert await state_of(store, first.alert) is AlertState.SUPERSEDED


async def test_the_latest_that_arrived_is_the_thread(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        originals = await claimed(store)
        await store.settle(outcomes(originals, Event.ACCEPT))
        update = following(first.alert, MsgType.UPDATE, PUSH)
        await store.accept(update)
        await plan_all(store)
        updates = await claimed(store)
        one, other = rows_of(updates)
        await store.settle(outcomes(updates, Event.ACCEPT, ids=[one.delivery_id]))
        await store.settle(outcomes(updates, Event.FAIL, Reason.TIMEOUT, ids=[other.delivery_id], exposed=True))
        cancel = following(update.alert, MsgType.CANCEL, PUSH, older=(first.alert.id,))
        await store.accept(cancel)
        assert await plan_all(store) == 2
        threads = {row.endpoint_id: row.thread for row in rows_of(await claimed(store))}
        assert threads == {one.endpoint_id: f"ref-{one.delivery_id}", other.endpoint_id: other.thread}
        assert (await store.get_alert(cancel.alert.id)).ancestors == (update.alert.id, first.alert.id)


async def test_gone_and_unsubscribed_are_not_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("a"), a_subscriber("b"), a_subscriber("c")], actor="import")
        first, second = new(PUSH), new(PUSH)
        for one in (first, second):
            await store.accept(one)
        await plan_all(store)
        await store.settle(outcomes(await claimed(store), Event.ACCEPT))
        claim = await claimed(store)
        await store.settle(outcomes(claim, Event.RETIRE, Reason.UNSUBSCRIBED, ids=[rows_of(claim)[0].delivery_id]))
        await store.delete_subscriber(rows_of(claim)[1].address.rpartition("/")[2], actor="officer")
        await store.accept(following(first.alert, MsgType.CANCEL, PUSH))
        assert await plan_all(store) == 1


async def test_a_post_is_followed_by_a_post_only_if_it_may_be_out(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        for out in (True, False):
            first = new(HOOK)
            await store.accept(first)
            await plan_all(store)
            claim = await claimed(store, "hook")
            event, reason = (Event.DELIVER, None) if out else (Event.FAIL, Reason.BAD_REQUEST)
            await store.settle(outcomes(claim, event, reason))
            cancel = following(first.alert, MsgType.CANCEL, HOOK)
            await store.accept(cancel)
            assert await plan_all(store) == (1 if out else 0)
            if out:
                (row,) = rows_of(await claimed(store, "hook"))
                assert row.thread == f"ref-{rows_of(claim)[0].delivery_id}"


async def test_an_update_is_posted_also_where_the_original_never_was(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = new(HOOK)
        await store.accept(first)
        await store.accept(following(first.alert, MsgType.UPDATE, HOOK))
        assert await plan_all(store) == 1


async def test_a_cancel_before_anything_was_planned_reaches_nobody_and_is_complete(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        first = new(PUSH)
        await store.accept(first)
        cancel = following(first.alert, MsgType.CANCEL, PUSH)
        await store.accept(cancel)
        assert await plan_all(store) == 0
        assert await state_of(store, cancel.alert) is AlertState.COMPLETE
        original = await store.get_alert(first.alert.id)
        assert (original.state, original.settled_at) == (AlertState.CANCELLED, NOW)


async def test_superseding_is_done_in_bounded_steps(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 10)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        await store.accept(following(first.alert, MsgType.CANCEL, PUSH))
        assert [await store.supersede(NOW, limit=4) for _ in range(4)] == [4, 4, 2, 0]
        assert (await store.get_alert(first.alert.id)).settled_at == NOW
        check_whole(tmp_path)


async def test_what_is_planned_behind_the_cursor_is_found_without_looking_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 6)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        flying = await claimed(store, limit=2)
        await store.settle(outcomes(await claimed(store), Event.ACCEPT))
        await store.accept(following(first.alert, MsgType.UPDATE, PUSH))
        await plan_all(store)
        early = await claimed(store)
        assert len(early.delivery_ids) == 4
        await store.settle(outcomes(early, Event.ACCEPT))
        passed = sql(tmp_path, "SELECT max(fresh) FROM plan")
        await store.settle(outcomes(flying, Event.ACCEPT))
        await plan_all(store)
        assert sql(tmp_path, "SELECT max(fresh) FROM plan") == passed, "those sent already would be looked at again"
        assert sql(tmp_path, "SELECT DISTINCT due_at FROM delivery WHERE state = 'queued'") == [(1,)]
        late = await claimed(store)
        assert {row.endpoint_id for row in rows_of(late)} == {row.endpoint_id for row in rows_of(flying)}
        await store.settle(outcomes(late, Event.ACCEPT))
        check_whole(tmp_path)
