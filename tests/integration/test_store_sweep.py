"""What time does: deadlines, retention."""

from dataclasses import replace
from pathlib import Path

from alertd.domain.alert import AlertState, MsgType, Purpose, Reference, Status
from alertd.domain.delivery import Event, Reason, State
from alertd.domain.subscriber import EndpointState
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import Answer, IdempotencyKey, Origin
from alertd.ports.stores.peers import Waiting
from alertd.ports.stores.sweep import Retention
from tests.integration.store_stand import (
    HOOK,
    HOUR,
    NOW,
    PUSH,
    SECOND,
    a_subscriber,
    check_whole,
    claimed,
    enrolled,
    mail,
    new,
    opened,
    outcomes,
    plan_all,
    sent,
    sql,
    state_of,
    states,
)

LATE = NOW + 6 * HOUR


async def test_nothing_is_claimed_after_the_deadline_and_what_waits_expires(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 5)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        flying = await claimed(store, limit=2)
        assert await store.next_deadline(NOW) == LATE
        assert await store.claim("push", 0, limit=9, now=LATE, lease=60) is None
        assert [await store.expire(LATE, limit=2) for _ in range(3)] == [2, 1, 0]
        assert await store.next_deadline(LATE) is None
        assert await state_of(store, first.alert) is AlertState.ACTIVE, "two are still in flight"
        await store.settle(outcomes(flying, Event.ACCEPT))
        assert await states(store, first.alert.id) == {State.EXPIRED: 3, State.ACCEPTED: 2}
        assert await state_of(store, first.alert) is AlertState.EXPIRED
        check_whole(tmp_path)


async def test_an_alert_cut_short_before_it_was_planned_is_expired_not_complete(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 4)
        whole, part = new(PUSH), new(PUSH)
        await store.accept(part)
        job = await store.next_plan()
        assert job is not None
        await store.plan_page(job, window=2, now=NOW)
        await sent(store)
        await store.accept(whole)
        assert await store.expire(LATE, limit=100) == 0
        assert await state_of(store, whole.alert) is AlertState.EXPIRED
        assert await state_of(store, part.alert) is AlertState.EXPIRED, "two of four is not complete"
        assert await store.next_plan() is None


async def test_a_retry_past_the_deadline_expires(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 1)
        first = new(PUSH)
        await store.accept(first)
        await plan_all(store)
        await store.settle(outcomes(await claimed(store), Event.RETRY, Reason.UNAVAILABLE, due_at=LATE + SECOND))
        assert await store.expire(LATE, limit=10) == 1
        (row,) = await store.deliveries(first.alert.id, channel=None, state=None, limit=9, after=0)
        assert (row.state, row.reason, row.attempts, row.settled_at) == (State.EXPIRED, Reason.EXPIRED, 1, LATE)


async def test_unconfirmed_addresses_are_forgotten_after_two_days(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        never = a_subscriber("never", mail("never", EndpointState.UNCONFIRMED))
        both = a_subscriber("both", mail("both", EndpointState.UNCONFIRMED), mail("sure"))
        await store.enrol([never, both], actor="web")
        assert await store.purge(NOW + 47 * HOUR, Retention()) == {
            "unconfirmed": 0,
            "idempotency": 0,
            "pseudonymised": 0,
            "documents": 0,
            "early": 0,
        }
        counts = await store.purge(NOW + 49 * HOUR, Retention())
        assert counts["unconfirmed"] == 2
        people = [one async for one in store.export()]
        assert [(one.id, [e.address for e in one.endpoints]) for one in people] == [("both", ["sure@example.org"])]
        entries = await store.audit(after=0, limit=9)
        assert entries[-1].action == "store.purge"
        assert "example.org" not in str(entries)


async def test_old_answers_are_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.accept(new(HOOK, idempotency=IdempotencyKey("officer", "k", "f", b"a")))
        assert (await store.purge(NOW + 8 * 24 * HOUR, Retention()))["idempotency"] == 1
        assert await store.answer("officer", "k") is None


async def test_old_deliveries_lose_the_thread_to_their_endpoint_and_keep_the_receipt(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        first = new(PUSH, HOOK)
        await store.accept(first)
        await plan_all(store)
        await sent(store)
        await sent(store, "hook")
        counts = await store.purge(NOW + 61 * 24 * HOUR, Retention())
        assert counts["pseudonymised"] == 3
        left = sql(tmp_path, "SELECT endpoint_id, ref, thread FROM delivery WHERE channel = 'push'")
        assert all(endpoint < 0 and (ref, thread) == (None, None) for endpoint, ref, thread in left)
        ids = {row[0] for row in sql(tmp_path, "SELECT id FROM endpoint")}
        assert not ids & {-endpoint for endpoint, _, _ in left} or ids, "the number says nothing about the endpoint"
        rows = await store.deliveries(first.alert.id, channel="push", state=State.ACCEPTED, limit=9, after=0)
        assert [(row.address, row.attempts) for row in rows] == [("", 1)] * 3
        assert (await store.purge(NOW + 61 * 24 * HOUR, Retention()))["pseudonymised"] == 0
        check_whole(tmp_path)


async def test_documents_of_others_are_forgotten_and_their_names_are_not(tmp_path: Path) -> None:
    name = Reference("centro@regione.example.it", "R-1", "2026-11-22T06:00:00+01:00")
    origin = Origin(name, MsgType.ALERT, "f-1", b"<alert/>", answer=b"{}")
    keep = Retention(documents=HOUR.total_seconds(), early=2 * HOUR.total_seconds())
    async with opened(tmp_path) as store:
        await store.accept(replace(new(HOOK), origin=origin))
        assert (await store.purge(NOW + HOUR, keep))["documents"] == 0
        assert (await store.purge(NOW + HOUR + SECOND, keep))["documents"] == 1
        assert sql(tmp_path, "SELECT document, fingerprint, answer FROM peer_message") == [(None, "f-1", b"{}")]
        [known] = await store.remembered([name])
        assert known.answer == Answer("f-1", b"{}")
        check_whole(tmp_path)


async def test_what_waits_in_vain_is_forgotten(tmp_path: Path) -> None:
    keep = Retention(early=2 * HOUR.total_seconds())
    names = [Reference("centro@regione.example.it", f"R-{n}", "2026-11-22T06:00:00+01:00") for n in range(3)]
    origin = Origin(names[0], MsgType.CANCEL, "f-1", b"<alert/>", owner="regione", unheard=(names[1],))
    token = Token("regione", "d", frozenset({"alerts:send"}), None, NOW, None, {})
    async with opened(tmp_path) as store:
        await store.add_token(token, actor="test")
        alert = new(HOOK)
        await store.wait(Waiting(origin, alert.alert, NOW))
        await store.accept(replace(alert, origin=replace(origin, name=names[2])))
        assert [one.name for one in await store.early(names[1], Status.ACTUAL)] == [names[0], names[2]]
        assert (await store.purge(NOW + 2 * HOUR, keep))["early"] == 0
        assert (await store.purge(NOW + 2 * HOUR + SECOND, keep))["early"] == 2, (
            "the one that waits, with what it follows, and what the other does"
        )
        assert await store.early(names[1], Status.ACTUAL) == []
        assert [one.name for one in await store.remembered(names)] == [names[2]]
        check_whole(tmp_path)


async def test_zone_sets_nobody_has_are_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("a", mail("a", EndpointState.UNCONFIRMED), zones=("X",))], actor="web")
        await store.enrol([a_subscriber("b", purposes=tuple(Purpose))], actor="web")
        await store.purge(NOW + 49 * HOUR, Retention())
        assert sql(tmp_path, "SELECT zones FROM zone_set") == [('["048028"]',)]


async def test_a_probe_writes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.probe()
