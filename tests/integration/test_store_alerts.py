"""Accepting, deciding, asking: the intake's half of the store on a real file."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from alertd.domain.alert import (
    Alert,
    AlertState,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Pair,
    Purpose,
    Reference,
    Resource,
    ResponseType,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.delivery import Event, Reason, State
from alertd.domain.geo import Circle, Point, Polygon
from alertd.domain.problems import Conflict, Forbidden, NotFound
from alertd.ports.stores.intake import Answer, IdempotencyKey, Stored
from tests.integration.store_stand import (
    CHAT,
    HOOK,
    HOUR,
    MAIL,
    NOW,
    PUSH,
    SECOND,
    an_alert,
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
    state_of,
    states,
)


def _full_alert() -> Alert:
    rome = timezone(timedelta(hours=1))
    point = Point(43.73, 11.01)
    info = Info(
        language="it-IT",
        category=(Category.MET, Category.SAFETY),
        event="Temporali «forti»",
        urgency=Urgency.EXPECTED,
        severity=Severity.SEVERE,
        certainty=Certainty.LIKELY,
        response_type=(ResponseType.PREPARE,),
        audience="tutti",
        event_code=(Pair("N", "3"),),
        effective=NOW.astimezone(rome),
        onset=NOW.astimezone(rome) + HOUR,
        expires=NOW.astimezone(rome) + 2 * HOUR,
        sender_name="Protezione Civile",
        headline="Allerta arancione",
        description="Riga uno\nriga due \N{UMBRELLA WITH RAIN DROPS}",
        instruction="Restate in casa",
        web="https://example.org/?a=1&b=2",
        contact="055 1",
        parameter=(Pair("awareness_level", "3; orange; Severe"),),
        resource=(Resource("mappa", "image/png", 12, "https://example.org/m.png", "aGk=", "00ff"),),
        area=(
            Area(
                "Argine",
                ("048028", "*"),
                (Polygon((point, Point(43.74, 11.03), Point(43.72, 11.04), point)),),
                (Circle(point, 2.5),),
                (Pair("ISTAT", "048028"),),
                1.5,
                300.0,
            ),
        ),
    )
    return Alert(
        "a-full",
        "it-full",
        "pc@comune.example.it",
        "2026-11-21T13:00:00+01:00",
        Status.EXERCISE,
        MsgType.UPDATE,
        Scope.RESTRICTED,
        Purpose.SERVICE,
        (info, info),
        ("push", "mail"),
        "fonte",
        "riservato",
        "uno due",
        ("x", "y"),
        "nota",
        (Reference("pc@comune.example.it", "it-0", "2026-11-21T12:00:00-00:00"),),
        "incidente",
    )


async def test_an_alert_comes_back_without_loss(tmp_path: Path) -> None:
    alert = _full_alert()
    async with opened(tmp_path) as store:
        await store.accept(new(HOOK, PUSH, CHAT, alert=alert))
        stored = await store.get_alert(alert.id)
        assert stored.alert == alert
        onset = stored.alert.info[0].onset
        assert onset is not None
        assert onset.utcoffset() == timedelta(hours=1), "the offset the officer wrote is kept"
        assert stored.plans == (CHAT, HOOK, PUSH)
        assert (stored.accepted_at, stored.deadline, stored.created_by) == (NOW, NOW + 6 * HOUR, "officer")
        assert await store.find_by_identifier("it-full") == stored


async def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(NotFound, match="nothing"):
            await store.get_alert("nothing")
        with pytest.raises(NotFound):
            await store.find_by_identifier("nothing")
        with pytest.raises(NotFound):
            await store.tallies("nothing")
        with pytest.raises(NotFound):
            await store.requeue("nothing", actor="officer", at=NOW)
        with pytest.raises(NotFound):
            await store.accept(following(an_alert(), MsgType.UPDATE))


async def test_accepting_writes_alert_plan_tally_and_audit_together(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        accepted = new(HOOK, PUSH)
        await store.accept(accepted)
        tallies = await store.tallies(accepted.alert.id)
        assert [(t.channel, t.adapter, t.broadcast, t.provable, t.total, t.planned) for t in tallies] == [
            ("hook", "webhook", True, State.DELIVERED, 0, False),
            ("push", "webpush", False, State.ACCEPTED, 0, False),
        ]
        entries = await store.audit(after=0, limit=10)
        assert [(e.action, e.subject, e.actor) for e in entries] == [("alert.accept", accepted.alert.id, "officer")]


async def test_one_key_makes_one_alert_also_after_a_restart(tmp_path: Path) -> None:
    def attempt() -> object:
        return new(HOOK, idempotency=IdempotencyKey("officer", "k", "print", b"answer"))

    async with opened(tmp_path) as store:
        answers = await asyncio.gather(*(store.accept(attempt()) for _ in range(100)))
        told = [stored.answer for stored in answers]
        assert told.count(None) == 1
        assert told.count(Answer("print", b"answer")) == 99
    async with opened(tmp_path) as store:
        assert await store.accept(attempt()) == Stored(answer=Answer("print", b"answer"))
        assert await store.answer("officer", "k") == Answer("print", b"answer")
        assert await store.answer("another", "k") is None
        assert len(await store.list_alerts(limit=10)) == 1
        assert (await store.audit_head())[0] == 1


async def test_a_refused_follower_does_not_use_up_its_key(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = new(HOOK)
        await store.accept(first)
        await store.accept(following(first.alert, MsgType.CANCEL, HOOK))
        key = IdempotencyKey("officer", "k", "print", b"answer")
        with pytest.raises(Conflict):
            await store.accept(following(first.alert, MsgType.CANCEL, HOOK, idempotency=key))
        assert await store.answer("officer", "k") is None


async def test_an_alert_is_followed_once_and_the_second_is_told_by_whom(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = new(HOOK)
        await store.accept(first)
        followers = [following(first.alert, MsgType.UPDATE, HOOK) for _ in range(10)]
        results = await asyncio.gather(*(store.accept(f) for f in followers), return_exceptions=True)
        conflicts = [r for r in results if isinstance(r, Conflict)]
        assert len(conflicts) == 9
        (winner,) = (f.alert.id for f, r in zip(followers, results, strict=True) if isinstance(r, Stored))
        assert all(winner in str(conflict) for conflict in conflicts)
        stored = await store.get_alert(first.alert.id)
        assert (stored.state, stored.followed_by) == (AlertState.SUPERSEDED, winner)
        assert (await store.get_alert(winner)).ancestors == (first.alert.id,)


async def test_lists_are_newest_first_and_the_public_sees_only_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.accept(new(HOOK, alert=an_alert(status=Status.EXERCISE)))
        await store.accept(new(HOOK, state=AlertState.DRAFT))
        await store.accept(new(HOOK, alert=an_alert(scope=Scope.RESTRICTED, restriction="x")))
        shown = new(HOOK)
        await store.accept(shown)
        everything = await store.list_alerts(limit=10)
        assert [one.seq for one in everything] == [4, 3, 2, 1]
        assert [one.seq for one in await store.list_alerts(limit=2, before=4)] == [3, 2]
        assert [one.alert.id for one in await store.list_alerts(limit=10, public=True)] == [shown.alert.id]
        drafts = await store.list_alerts(limit=10, states=(AlertState.DRAFT, AlertState.REJECTED))
        assert [one.seq for one in drafts] == [2]
        assert not await store.list_alerts(limit=10, states=(AlertState.DRAFT,), public=True)


async def test_a_draft_lies_still_until_a_second_person_approves(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 3)
        draft = new(PUSH, state=AlertState.DRAFT)
        await store.accept(draft)
        assert await store.next_plan() is None
        with pytest.raises(Forbidden):
            await store.decide(draft.alert.id, approve=True, actor="officer", at=NOW, reason=None)
        await store.decide(draft.alert.id, approve=True, actor="chief", at=NOW + 60 * SECOND, reason=None)
        with pytest.raises(Conflict):
            await store.decide(draft.alert.id, approve=False, actor="chief", at=NOW, reason="late")
        assert await plan_all(store) == 3
        claim = await claimed(store)
        await store.settle(outcomes(claim, Event.ACCEPT, ended_at=NOW + 61 * SECOND))
        tally = (await store.tallies(draft.alert.id))[0]
        assert tally.p50_ms is not None
        assert tally.p50_ms < 1_100, "counted from the approval, not from the draft"
        stored = await store.get_alert(draft.alert.id)
        assert (stored.state, stored.decided_by) == (AlertState.COMPLETE, "chief")
        check_whole(tmp_path)


async def test_a_rejected_draft_is_settled_with_its_reason(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        draft = new(PUSH, state=AlertState.DRAFT)
        await store.accept(draft)
        await store.decide(draft.alert.id, approve=False, actor="chief", at=NOW, reason="the wrong town")
        stored = await store.get_alert(draft.alert.id)
        assert (stored.state, stored.reject_reason, stored.settled_at) == (
            AlertState.REJECTED,
            "the wrong town",
            NOW,
        )
        assert await store.next_plan() is None
        assert [entry.action for entry in await store.audit(after=0, limit=9)] == ["alert.accept", "alert.reject"]


async def test_a_draft_past_its_deadline_can_only_be_rejected(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        draft = new(PUSH, state=AlertState.DRAFT)
        await store.accept(draft)
        with pytest.raises(Conflict, match="expired"):
            await store.decide(draft.alert.id, approve=True, actor="chief", at=NOW + 7 * HOUR, reason=None)


async def test_a_draft_update_stops_its_original_only_when_approved(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 2)
        first = new(PUSH)
        await store.accept(first)
        draft = following(first.alert, MsgType.UPDATE, PUSH, state=AlertState.DRAFT)
        await store.accept(draft)
        assert await plan_all(store) == 2, "the original goes on"
        await store.decide(draft.alert.id, approve=True, actor="chief", at=NOW, reason=None)
        assert await state_of(store, first.alert) is AlertState.SUPERSEDED
        assert await store.claim("push", 0, limit=9, now=NOW, lease=60) is None, "the original was stopped"
        assert await plan_all(store) == 2


async def test_two_drafts_of_one_update_only_one_is_approved(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        first = new(PUSH)
        await store.accept(first)
        drafts = [following(first.alert, MsgType.UPDATE, PUSH, state=AlertState.DRAFT) for _ in range(2)]
        for draft in drafts:
            await store.accept(draft)
        await store.decide(drafts[0].alert.id, approve=True, actor="chief", at=NOW, reason=None)
        with pytest.raises(Conflict, match=drafts[0].alert.id):
            await store.decide(drafts[1].alert.id, approve=True, actor="chief", at=NOW, reason=None)
        assert await state_of(store, drafts[1].alert) is AlertState.DRAFT


async def test_retry_queues_again_only_what_may_succeed(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await enrolled(store, 4)
        first = new(PUSH, MAIL)
        await store.accept(first)
        await plan_all(store)
        claim = await claimed(store)
        ids = [row.delivery_id for row in rows_of(claim)]
        await store.settle(outcomes(claim, Event.FAIL, Reason.EXHAUSTED, ids=ids[:2]))
        await store.settle(outcomes(claim, Event.FAIL, Reason.BAD_ADDRESS, ids=ids[2:3]))
        await store.settle(outcomes(claim, Event.ACCEPT, ids=ids[3:]))
        assert await state_of(store, first.alert) is AlertState.COMPLETE
        assert await store.requeue(first.alert.id, actor="officer", at=NOW + SECOND) == 2
        assert await state_of(store, first.alert) is AlertState.ACTIVE
        assert await states(store, first.alert.id) == {State.QUEUED: 2, State.FAILED: 1, State.ACCEPTED: 1}
        assert await sent(store, now=NOW + SECOND) == 2
        assert await state_of(store, first.alert) is AlertState.COMPLETE
        assert await store.requeue(first.alert.id, actor="officer", at=NOW) == 0
        with pytest.raises(Conflict, match="expired"):
            await store.requeue(first.alert.id, actor="officer", at=NOW + 7 * HOUR)
        await store.accept(following(first.alert, MsgType.CANCEL, PUSH))
        with pytest.raises(Conflict, match="cancelled"):
            await store.requeue(first.alert.id, actor="officer", at=NOW)
        check_whole(tmp_path)


async def test_the_audit_log_is_whole_and_a_changed_entry_is_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await asyncio.gather(*(store.accept(new(HOOK)) for _ in range(50)))
        assert await store.verify_audit() == (50, None)
        entries = await store.audit(after=0, limit=100)
        assert await store.audit_head() == (50, entries[-1].hash)
        assert [entry.seq for entry in await store.audit(after=48, limit=10)] == [49, 50]
    with closing(sqlite3.connect(tmp_path / "alertd.db", isolation_level=None)) as raw:
        raw.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 17")
    async with opened(tmp_path) as store:
        assert await store.verify_audit() == (50, 17)
