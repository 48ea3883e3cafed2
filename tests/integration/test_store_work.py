"""The road from endpoints to receipts: planned, claimed, settled, fenced, recovered; the sums always right."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from alertd.domain.alert import AlertState, MsgType, Purpose, Severity
from alertd.domain.delivery import Event, Reason, State
from alertd.domain.subscriber import Cohort, Endpoint, EndpointState
from alertd.ports.stores.intake import Target
from alertd.storage.types import clean
from tests.integration.store_stand import (
    ALL_BLOCKS,
    CHAT,
    EPOCH,
    EVERYONE,
    HOOK,
    HOUR,
    MAIL,
    NOW,
    PUSH,
    SECOND,
    a_subscriber,
    an_alert,
    check_whole,
    claimed,
    enrolled,
    following,
    mail,
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


async def test_an_alert_goes_to_those_it_selects_and_is_complete(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 5, zones=("048028",))
        await enrolled(store, 3, zones=("048014",))
        await enrolled(store, 2, zones=("*",))
        await enrolled(store, 4, zones=("048028",), cohort=Cohort.EXERCISE)
        await enrolled(store, 4, zones=("048028",), purposes=(Purpose.EVENT,))
        await enrolled(store, 4, zones=("048028",), min_severity=Severity.EXTREME)
        first = new(PUSH, targets=(Target("048028", 1, 3),))
        await store.accept(first)
        assert await state_of(store, first.alert) is AlertState.PENDING
        assert await plan_all(store) == 7, "the zone's five, and the two who asked for the whole territory"
        assert await state_of(store, first.alert) is AlertState.ACTIVE
        assert await sent(store) == 7
        stored = await store.get_alert(first.alert.id)
        assert (stored.state, stored.settled_at) == (AlertState.COMPLETE, NOW + 2 * SECOND)
        assert await states(store, first.alert.id) == {State.ACCEPTED: 7}
        check_whole(tmp_path)


@pytest.mark.parametrize("window", [1, 1_000], ids=["endpoint by endpoint", "by zone"])
async def test_blocks_are_the_union_over_a_subscribers_zones(tmp_path: Path, window: int) -> None:
    async with opened(tmp_path) as store:
        people = {
            "one": a_subscriber("one", zones=("A",)),
            "both": a_subscriber("both", zones=("A", "B")),
            "mild": a_subscriber("mild", zones=("A", "B"), min_severity=Severity.EXTREME),
            "all": a_subscriber("all", zones=("*",)),
            "none": a_subscriber("none", zones=("C",)),
            "drill": a_subscriber("drill", zones=("A",), cohort=Cohort.EXERCISE),
            "news": a_subscriber("news", zones=("A",), purposes=(Purpose.SERVICE,)),
            "gone": a_subscriber(
                "gone", Endpoint("push", "https://push.example.net/gone", state=EndpointState.GONE), zones=("A",)
            ),
            "mail": a_subscriber("mail", mail("mail"), zones=("A",)),
        }
        await store.enrol(list(people.values()), actor="import")
        targets = (Target("A", 1, 3), Target("A", 2, 4), Target("B", 2, 4), Target("B", 4, 1), Target("C", 8, 0))
        await store.accept(new(PUSH, targets=targets))
        await plan_all(store, window=window)
        got = {row.address.rpartition("/")[2]: row.blocks for row in rows_of(await claimed(store))}
        assert got == {"one": 3, "both": 7, "mild": 2, "all": 7}


async def test_planning_goes_window_by_window_and_leaves_out_who_comes_later(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 10)
        first = new(PUSH)
        await store.accept(first)
        job = await store.next_plan()
        assert job is not None
        page = await store.plan_page(job, window=4, now=NOW)
        assert (page.inserted, page.done) == (4, False)
        await enrolled(store, 5)
        assert await plan_all(store, window=4) == 6
        assert (await store.tallies(first.alert.id))[0].planned
        assert (await store.plan_page(job, window=4, now=NOW)).done, "an ended plan stays ended"


async def test_a_subscriber_who_changes_his_zones_while_it_is_planned_is_still_reached(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        people = [a_subscriber(f"p{i}", zones=("A",)) for i in range(4)]
        await store.enrol(people, actor="import")
        await store.accept(new(PUSH, targets=(Target("A", 1, 3), Target("Z", 1, 3))))
        job = await store.next_plan()
        assert job is not None
        await store.plan_page(job, window=2, now=NOW)
        await store.enrol([a_subscriber("p3", zones=("Z", "Y"))], actor="import")
        assert await plan_all(store) == 2


async def test_plans_are_taken_by_priority_broadcast_first_oldest_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        news, first, second = new(PUSH, HOOK, priority=3), new(MAIL, HOOK), new(PUSH)
        for one in (news, first, second):
            await store.accept(one)
        jobs = []
        while (job := await store.next_plan(jobs)) is not None:
            jobs.append(job)
        assert [(job.alert_id, job.channel) for job in jobs] == [
            (first.alert.id, "hook"),
            (first.alert.id, "mail"),
            (second.alert.id, "push"),
            (news.alert.id, "hook"),
            (news.alert.id, "push"),
        ]


async def test_an_empty_audience_is_complete_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = new(PUSH)
        await store.accept(first)
        assert await plan_all(store) == 0
        assert await state_of(store, first.alert) is AlertState.COMPLETE


async def test_a_broadcast_channel_gets_one_delivery_for_all(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.accept(new(HOOK))
        await plan_all(store)
        (row,) = rows_of(await claimed(store, "hook"))
        assert (row.endpoint_id, row.address, row.language, row.blocks) == (0, "", "", ALL_BLOCKS)


async def test_a_claim_carries_what_sending_needs(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        awkward = '{"endpoint": "https://x/\\"ü\\"", "keys": {}}'
        await store.enrol([a_subscriber("s", Endpoint("push", awkward), language="de-AT")], actor="import")
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        (row,) = rows_of(claim)
        assert row == (
            row.delivery_id,
            first.alert.id,
            "de-AT",
            1,
            await store.endpoint_id("push", awkward),
            awkward,
            0,
            None,
        )
        (shown,) = await store.deliveries(first.alert.id, channel=None, state=State.SENDING, limit=9, after=0)
        assert (shown.address, shown.language, shown.due_at) == (awkward, "de-AT", None)


async def test_lanes_do_not_mix_and_older_alerts_go_first(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        news, first, second = new(PUSH, priority=3), new(PUSH), new(PUSH)
        for one in (news, first, second):
            await store.accept(one)
        await plan_all(store)
        order = [{row.alert_id for row in rows_of(await claimed(store))} for _ in range(2)]
        assert order == [{first.alert.id}, {second.alert.id}]
        assert await store.claim("push", 0, limit=9, now=NOW, lease=60) is None
        assert await store.claim("mail", 0, limit=9, now=NOW, lease=60) is None
        late = await store.claim("push", 3, limit=9, now=NOW, lease=60)
        assert late is not None
        assert {row.alert_id for row in rows_of(late)} == {news.alert.id}


async def test_many_claims_at_once_never_give_one_delivery_twice(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 100)
        await store.accept(new(PUSH))
        await plan_all(store)
        claims = await asyncio.gather(*(store.claim("push", 0, limit=7, now=NOW, lease=60) for _ in range(20)))
        ids = [row.delivery_id for claim in claims if claim is not None for row in rows_of(claim)]
        assert len(ids) == len(set(ids)) == 100
        tokens = [claim.token for claim in claims if claim is not None]
        assert len(set(tokens)) == len(tokens)


async def test_every_outcome_leads_where_the_table_says(tmp_path: Path) -> None:
    cases = {
        Event.ACCEPT: State.ACCEPTED,
        Event.DELIVER: State.DELIVERED,
        Event.RETRY: State.RETRYING,
        Event.FAIL: State.FAILED,
        Event.RETIRE: State.GONE,
        Event.EXPIRE: State.EXPIRED,
        Event.SUPERSEDE: State.SUPERSEDED,
    }
    async with opened(tmp_path) as store:
        await enrolled(store, len(cases))
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        batch = [
            outcomes(claim, event, ids=[row.delivery_id])[0] for event, row in zip(cases, rows_of(claim), strict=True)
        ]
        assert await store.settle(batch) == len(cases)
        shown = await store.deliveries(first.alert.id, channel="push", state=None, limit=99, after=0)
        got = {row.id: row for row in shown}
        for outcome in batch:
            (attempt,) = outcome.attempts
            assert got[attempt.delivery_id].state is cases[outcome.event]
            assert got[attempt.delivery_id].attempts == 1
        (tally,) = await store.tallies(first.alert.id)
        assert tally.attempts == len(cases)
        assert (tally.first_attempt_at, tally.last_settled_at) == (NOW + SECOND, NOW + 2 * SECOND)
        assert await state_of(store, first.alert) is AlertState.ACTIVE
        check_whole(tmp_path)


async def test_a_retry_is_due_when_it_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        await store.accept(new(PUSH))
        await plan_all(store)
        assert await store.next_due("push", 0) == EPOCH, "a first attempt waits for no time"
        claim = await claimed(store)
        assert await store.next_due("push", 0) is None
        await store.settle(outcomes(claim, Event.RETRY, Reason.RATE_LIMITED))
        assert await store.next_due("push", 0) == NOW + 10 * SECOND
        assert await store.claim("push", 0, limit=9, now=NOW + 9 * SECOND, lease=60) is None
        again = await claimed(store, now=NOW + 10 * SECOND)
        assert [row.attempts for row in rows_of(again)] == [1, 1]
        (depth,) = [lane for lane in await store.depths() if lane.channel == "push"] or [None]
        assert depth is None


async def test_depths_count_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        await store.accept(new(PUSH, HOOK))
        await store.accept(new(PUSH, priority=2))
        await plan_all(store)
        await claimed(store, limit=1)
        got = {(lane.channel, lane.priority): (lane.depth, lane.oldest) for lane in await store.depths()}
        assert got == {("push", 0): (2, NOW), ("push", 2): (3, NOW), ("hook", 0): (1, NOW)}


async def test_a_zombies_outcome_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        old = await claimed(store)
        assert await store.recover(NOW + 61 * SECOND) == 3
        assert await store.settle(outcomes(old, Event.ACCEPT)) == 0, "its lease has ended"
        assert await states(store, first.alert.id) == {State.RETRYING: 3}
        fresh = await claimed(store, now=NOW + 61 * SECOND)
        mixed = [*outcomes(old, Event.FAIL, Reason.BUG), *outcomes(fresh, Event.ACCEPT)]
        assert await store.settle(mixed) == len(rows_of(fresh))
        assert await store.settle(outcomes(fresh, Event.FAIL, Reason.BUG)) == 0, "settled is settled"
        assert await states(store, first.alert.id) == {State.ACCEPTED: 3}
        await store.release(old.token, [row.delivery_id for row in rows_of(old)])
        await store.extend(old.token, until=NOW + HOUR)
        check_whole(tmp_path)


async def test_an_old_claim_cannot_settle_what_it_gave_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        old = await claimed(store)
        given, kept = (row.delivery_id for row in rows_of(old))
        await store.release(old.token, [given])
        fresh = await claimed(store)
        assert [row.delivery_id for row in rows_of(fresh)] == [given]
        assert await store.settle(outcomes(old, Event.FAIL, Reason.BUG)) == 1
        await store.release(old.token, [given])
        assert await store.settle(outcomes(fresh, Event.ACCEPT)) == 1
        assert await states(store, first.alert.id) == {State.FAILED: 1, State.ACCEPTED: 1}
        assert sql(tmp_path, "SELECT id FROM delivery WHERE state = 'failed'") == [(kept,)]
        check_whole(tmp_path)


async def test_one_delivery_named_twice_is_settled_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 1)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        twice = [*outcomes(claim, Event.ACCEPT), *outcomes(claim, Event.FAIL, Reason.BUG)]
        assert await store.settle(twice) == 1
        check_whole(tmp_path)


async def test_everything_in_flight_is_taken_back_whatever_the_clock_says(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        await store.accept(new(PUSH))
        await plan_all(store)
        claim = await claimed(store)
        await store.extend(claim.token, until=NOW + HOUR)
        assert await store.recover(NOW - HOUR) == 2
        assert await store.recover(NOW) == 0
        check_whole(tmp_path)


async def test_what_a_crash_left_in_flight_may_have_arrived(tmp_path: Path) -> None:
    first = new(PUSH)
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        await store.settle(outcomes(claim, Event.ACCEPT, ids=[rows_of(claim)[0].delivery_id]))
    async with opened(tmp_path) as store:
        assert await store.recover(NOW + SECOND) == 2
        rows = await store.deliveries(first.alert.id, channel=None, state=State.RETRYING, limit=9, after=0)
        assert [(row.reason, row.attempts, row.started_at) for row in rows] == [(Reason.INTERRUPTED, 1, NOW)] * 2
        assert sql(tmp_path, "SELECT count(*) FROM delivery WHERE exposed = 1") == [(3,)]
        again = await claimed(store, now=NOW + SECOND)
        assert again.token > claim.token
        check_whole(tmp_path)


async def test_what_a_crash_interrupted_is_not_repeated_where_it_would_be_noticed(tmp_path: Path) -> None:
    emergency, news = new(CHAT), new(CHAT, alert=an_alert(purpose=Purpose.EVENT))
    safe = new(HOOK, alert=an_alert(purpose=Purpose.EVENT))
    async with opened(tmp_path) as store:
        for one in (emergency, news, safe):
            await store.accept(one)
        await plan_all(store)
        for channel in ("chat", "chat", "hook"):
            await claimed(store, channel)
        assert await store.recover(NOW + SECOND) == 3
        assert await states(store, emergency.alert.id, "chat") == {State.RETRYING: 1}
        assert await states(store, safe.alert.id, "hook") == {State.RETRYING: 1}
        assert await states(store, news.alert.id, "chat") == {State.FAILED: 1}
        (row,) = await store.deliveries(news.alert.id, channel=None, state=None, limit=9, after=0)
        assert (row.reason, row.attempts, row.settled_at) == (Reason.INTERRUPTED, 1, NOW + SECOND)
        assert sql(tmp_path, "SELECT count(*) FROM delivery WHERE exposed = 1") == [(3,)]
        stored = await store.get_alert(news.alert.id)
        assert (stored.state, stored.settled_at) == (AlertState.COMPLETE, NOW + SECOND)
        (tally,) = await store.tallies(news.alert.id)
        assert (tally.attempts, tally.last_settled_at) == (1, NOW + SECOND)
        assert await store.requeue(news.alert.id, actor="officer", at=NOW + SECOND) == 1
        check_whole(tmp_path)


async def test_a_first_attempt_does_not_wait_for_a_clock_that_was_set_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        first, second, cancelled = new(PUSH, HOOK), new(PUSH), new(HOOK)
        for one in (first, second, cancelled):
            await store.accept(one)
        await plan_all(store)
        await sent(store, "hook", now=NOW - HOUR)
        await store.accept(following(cancelled.alert, MsgType.CANCEL, HOOK))
        await plan_all(store)
        assert rows_of(await claimed(store, "hook", now=NOW - HOUR))
        pages = [await claimed(store, limit=1, now=NOW - HOUR) for _ in range(4)]
        ids = [rows_of(page)[0].delivery_id for page in pages]
        assert ids == sorted(ids), "first come, first served"
        assert [rows_of(page)[0].alert_id for page in pages] == [first.alert.id] * 2 + [second.alert.id] * 2
        (shown,) = await store.deliveries(first.alert.id, channel="hook", state=None, limit=9, after=0)
        assert shown.due_at is None


async def test_what_waits_for_a_clock_that_was_set_back_is_pulled_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        await store.accept(new(PUSH))
        await plan_all(store)
        soon, late = await claimed(store, limit=1), await claimed(store, limit=1)
        back = NOW - HOUR
        await store.settle(outcomes(soon, Event.RETRY, Reason.UNAVAILABLE, due_at=back + 5 * SECOND))
        await store.settle(outcomes(late, Event.RETRY, Reason.UNAVAILABLE, due_at=NOW + 9 * SECOND))
        await sent(store, now=back)
        assert await store.rebase(back, latest=back + 300 * SECOND) == 1
        assert [row.delivery_id for row in rows_of(await claimed(store, now=back))] == [rows_of(late)[0].delivery_id]
        assert await store.next_due("push", 0) == back + 5 * SECOND, "what was not too far off keeps its time"
        assert await store.rebase(back, latest=EPOCH) == 1, "never later than now is not asked for"
        assert await store.rebase(back, latest=EPOCH) == 0
        check_whole(tmp_path)


@pytest.mark.parametrize("poison", ["\udcff", "a\ud800b", "n\0ul", "\0", "è\udc00\0"])
async def test_an_odd_reference_costs_nobody_his_receipt(tmp_path: Path, poison: str) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        (batch,) = outcomes(claim, Event.ACCEPT)
        attempts = list(batch.attempts)
        attempts[1] = attempts[1]._replace(ref=poison)
        assert await store.settle([replace(batch, attempts=attempts)]) == 3
        rows = await store.deliveries(first.alert.id, channel=None, state=None, limit=9, after=0)
        refs = {row.id: row.ref for row in rows}
        assert refs[attempts[0].delivery_id] == attempts[0].ref
        assert refs[attempts[1].delivery_id] == (clean(poison) or None)
        await store.accept(following(first.alert, MsgType.CANCEL, PUSH))
        await plan_all(store)
        threads = {row.endpoint_id: row.thread for row in rows_of(await claimed(store))}
        assert threads[rows_of(claim)[1].endpoint_id] == (clean(poison) or None)
        check_whole(tmp_path)


async def test_a_release_is_as_if_it_had_never_been_claimed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 4)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        ids = [row.delivery_id for row in rows_of(claim)]
        await store.release(claim.token, ids[:2])
        await store.release(claim.token, ids[2:], due_at=NOW + HOUR)
        assert await states(store, first.alert.id) == {State.QUEUED: 4}
        assert (await store.tallies(first.alert.id))[0].attempts == 0
        assert sorted(row.delivery_id for row in rows_of(await claimed(store))) == ids[:2]
        assert sql(tmp_path, "SELECT count(*) FROM delivery WHERE exposed = 1") == [(0,)]
        check_whole(tmp_path)


async def test_gone_retires_the_endpoint_for_every_alert(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("a"), a_subscriber("b")], actor="import")
        first, second = new(PUSH), new(PUSH)
        for one in (first, second):
            await store.accept(one)
        await plan_all(store)
        claim = await claimed(store)
        gone = next(row for row in rows_of(claim) if row.address.endswith("/a"))
        rest = [row.delivery_id for row in rows_of(claim) if row is not gone]
        await store.settle(outcomes(claim, Event.RETIRE, Reason.UNSUBSCRIBED, ids=[gone.delivery_id]))
        await store.settle(outcomes(claim, Event.ACCEPT, ids=rest))
        assert (await store.get_subscriber("a")).endpoints[0].state is EndpointState.GONE
        later = await claimed(store)
        assert [row.address.rpartition("/")[2] for row in rows_of(later)] == ["b"], "it is not tried again"
        await store.settle(outcomes(later, Event.ACCEPT))
        assert await states(store, second.alert.id) == {State.GONE: 1, State.ACCEPTED: 1}
        assert await state_of(store, second.alert) is AlertState.COMPLETE
        third = new(PUSH)
        await store.accept(third)
        assert await plan_all(store) == 1
        check_whole(tmp_path)


async def test_who_unsubscribes_while_queued_is_not_written_to(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("a"), a_subscriber("b", mail("b"))], actor="import")
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        await store.delete_subscriber("a", actor="officer")
        assert await store.claim("push", 0, limit=9, now=NOW, lease=60) is None
        assert await states(store, first.alert.id) == {State.GONE: 1}
        assert await state_of(store, first.alert) is AlertState.COMPLETE
        check_whole(tmp_path)


async def test_latencies_are_quantiles_of_the_time_since_acceptance(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 100)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        ids = [row.delivery_id for row in rows_of(claim)]
        soon = outcomes(claim, Event.ACCEPT, ids=ids[:90], ended_at=NOW + 0.1 * SECOND)
        late = outcomes(claim, Event.ACCEPT, ids=ids[90:], ended_at=NOW + 5 * SECOND)
        await store.settle([*soon, *late])
        (tally,) = await store.tallies(first.alert.id)
        assert tally.p50_ms is not None
        assert tally.p99_ms is not None
        assert 92 <= tally.p50_ms <= 110
        assert 4_600 <= tally.p99_ms <= 5_500


async def test_deliveries_are_paged_without_gap_or_repeat(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        people = [a_subscriber(f"p{i}", Endpoint("push", f"https://x/{i}"), mail(f"m{i}")) for i in range(7)]
        await store.enrol(people, actor="import")
        first = new(PUSH, MAIL, HOOK)
        await store.accept(first)
        await plan_all(store)
        seen: list[int] = []
        after = 0
        while page := await store.deliveries(first.alert.id, channel=None, state=None, limit=4, after=after):
            seen += [row.id for row in page]
            after = page[-1].id
        assert len(seen) == len(set(seen)) == 15
        queued = await store.deliveries(first.alert.id, channel="mail", state=State.QUEUED, limit=99, after=0)
        assert sorted(row.address for row in queued) == [f"m{i}@example.org" for i in range(7)]


async def test_an_audience_is_counted_as_it_would_be_planned(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3, zones=("A",))
        await enrolled(store, 2, zones=("A", "B"), language="en-GB")
        await enrolled(store, 1, zones=("C",))
        which = {"cohort": Cohort.PUBLIC, "purpose": Purpose.EMERGENCY}
        targets = (Target("A", 1, 3), Target("B", 2, 3))
        assert await store.audience("push", targets=targets, **which) == {"it-IT": 3, "en-GB": 2}
        assert await store.audience("mail", targets=targets, **which) == {}
        assert await store.has_audience("push", targets=targets, **which)
        assert await store.has_audience("push", targets=EVERYONE, **which)
        assert not await store.has_audience("push", targets=(Target("D", 1, 3),), **which)
        assert not await store.has_audience("push", targets=targets, **{**which, "purpose": Purpose.EVENT})
        assert not await store.has_audience("push", targets=targets, **{**which, "cohort": Cohort.EXERCISE})
        assert await store.zone_census() == {"A": 5, "B": 2, "C": 1}


async def test_a_post_is_claimed_with_the_very_acceptance(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        first = new(PUSH, HOOK, CHAT, at_once=frozenset({"hook", "chat"}))
        stored = await store.accept(first)
        assert set(stored.claims) == {"hook", "chat"}
        assert await store.claim("hook", 0, limit=9, now=NOW, lease=60) is None, "it is out already"
        assert await plan_all(store) == 2, "the posts are planned"
        for claim in stored.claims.values():
            (row,) = rows_of(claim)
            assert (row.alert_id, row.endpoint_id, row.address, row.blocks) == (first.alert.id, 0, "", ALL_BLOCKS)
        await store.settle(outcomes(stored.claims["hook"], Event.ACCEPT))
        await store.release(stored.claims["chat"].token, [row.delivery_id for row in rows_of(stored.claims["chat"])])
        again = await claimed(store, "chat")
        await store.settle(outcomes(again, Event.DELIVER))
        await sent(store)
        assert await state_of(store, first.alert) is AlertState.COMPLETE
        check_whole(tmp_path)


async def test_a_post_claimed_at_once_is_recovered_like_any(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = new(HOOK, CHAT, at_once=frozenset({"hook", "chat"}))
        await store.accept(first)
        assert await store.recover(NOW + SECOND) == 2
        assert await states(store, first.alert.id, "hook") == {State.RETRYING: 1}
        check_whole(tmp_path)


async def test_what_was_put_back_is_found_behind_what_is_fresh(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 6)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        one = await claimed(store, limit=2)
        await store.release(one.token, [row.delivery_id for row in rows_of(one)])
        fresh = await claimed(store, limit=9)
        assert len(rows_of(fresh)) == 4, "first the fresh ones"
        back = await claimed(store, limit=9)
        assert {row.delivery_id for row in rows_of(back)} == {row.delivery_id for row in rows_of(one)}
        assert await store.claim("push", 0, limit=9, now=NOW, lease=60) is None
        check_whole(tmp_path)
