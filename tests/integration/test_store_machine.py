"""Anything in any order: alerts, updates, cancels, pages, crashes, deadlines. The books must always balance."""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from alertd.domain.alert import Alert, AlertState, MsgType
from alertd.domain.delivery import RETRYABLE, Event, Reason
from alertd.domain.problems import Conflict
from alertd.ports.stores import Claim, Planned
from alertd.storage import Store
from tests.integration.store_stand import (
    HOOK,
    HOUR,
    MAIL,
    NOW,
    PUSH,
    SECOND,
    a_subscriber,
    check_whole,
    following,
    mail,
    new,
    opened,
    outcomes,
    sql,
)

CHANNELS = ("push", "mail", "hook")
PLANS = st.lists(st.sampled_from([PUSH, MAIL, HOOK]), min_size=1, max_size=3, unique_by=lambda plan: plan.channel)
HOW = st.sampled_from(
    [
        (Event.ACCEPT, None),
        (Event.DELIVER, None),
        (Event.RETRY, Reason.UNAVAILABLE),
        (Event.RETRY, Reason.TIMEOUT),
        (Event.FAIL, Reason.BAD_REQUEST),
        (Event.FAIL, Reason.EXHAUSTED),
        (Event.RETIRE, Reason.UNSUBSCRIBED),
    ]
)


@dataclass
class _Lineage:
    """One alert and those that followed it, newest last."""

    alerts: list[Alert] = field(default_factory=list)
    cancelled: bool = False


class StoreMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp())
        self.stack = AsyncExitStack()
        self.store: Store = self._run(self.stack.enter_async_context(opened(self.folder)))
        self.lineages: list[_Lineage] = []
        self.claims: list[Claim] = []
        self.now: datetime = NOW
        self.people = 0

    def _run(self, coroutine: Any) -> Any:
        async def held() -> Any:
            return await coroutine

        return self.runner.run(held())

    def teardown(self) -> None:
        self._run(self.stack.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)

    # --- what may happen --------------------------------------------------------------------------------------------

    @initialize()
    def begin(self) -> None:
        self.enrol(count=4)
        self.accept(plans=[PUSH, MAIL, HOOK])
        self.plan(window=100, steps=5)

    @rule(count=st.integers(1, 4))
    def enrol(self, count: int) -> None:
        people = []
        for _ in range(count):
            self.people += 1
            name = f"p{self.people}"
            people.append(a_subscriber(name, *a_subscriber(name).endpoints, mail(name)))
        self._run(self.store.enrol(people, actor="import"))

    @rule(number=st.integers(1, 30))
    def unsubscribe(self, number: int) -> None:
        self._run(self.store.unsubscribe_endpoint(number))

    @rule(plans=PLANS)
    def accept(self, plans: list[Any]) -> None:
        fresh = new(*plans, accepted_at=self.now, deadline=self.now + HOUR)
        self._run(self.store.accept(fresh))
        self.lineages.append(_Lineage([fresh.alert]))

    @precondition(lambda self: self.lineages)
    @rule(data=st.data(), plans=PLANS, cancels=st.booleans())
    def follow(self, data: st.DataObject, plans: list[Any], *, cancels: bool) -> None:
        lineage = data.draw(st.sampled_from(self.lineages[-3:]))
        msg_type = MsgType.CANCEL if cancels else MsgType.UPDATE
        *older, nearest = lineage.alerts
        terms = {"accepted_at": self.now, "deadline": self.now + HOUR, "older": [a.id for a in reversed(older)]}
        follower = following(nearest, msg_type, *plans, **terms)
        if lineage.cancelled:
            return
        self._run(self.store.accept(follower))
        lineage.alerts.append(follower.alert)
        lineage.cancelled = cancels

    @precondition(lambda self: any(len(lineage.alerts) > 1 for lineage in self.lineages))
    @rule(data=st.data())
    def follow_twice(self, data: st.DataObject) -> None:
        lineage = data.draw(st.sampled_from([one for one in self.lineages if len(one.alerts) > 1]))
        try:
            self._run(self.store.accept(following(lineage.alerts[0], MsgType.CANCEL, PUSH)))
        except Conflict:
            return
        raise AssertionError("one alert was followed twice")

    @rule(window=st.integers(1, 5), steps=st.integers(1, 6))
    def plan(self, window: int, steps: int) -> None:
        waiting = []
        for _ in range(steps):
            job = self._run(self.store.next_plan(waiting))
            if job is None:
                return
            planned: Planned = self._run(self.store.plan_page(job, window=window, now=self.now))
            if planned.waiting:
                waiting.append(job)

    @rule(limit=st.integers(1, 3))
    def claim_push(self, limit: int) -> None:
        self.claim("push", limit)

    @rule(channel=st.sampled_from(CHANNELS), limit=st.integers(1, 6))
    def claim(self, channel: str, limit: int) -> None:
        stopped = {row[0] for row in sql(self.folder, "SELECT id FROM alert WHERE stopped")}
        claim = self._run(self.store.claim(channel, 0, limit=limit, now=self.now, lease=60))
        if claim is not None:
            assert 0 < len(claim.rows) <= limit
            assert not {row.alert_id for row in claim.rows} & stopped, "a stopped alert was started"
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(data=st.data(), how=HOW, part=st.booleans(), exposed=st.booleans())
    def settle(self, data: st.DataObject, how: tuple[Event, Reason | None], *, part: bool, exposed: bool) -> None:
        claim = data.draw(st.sampled_from(self.claims[-4:]))
        ids = [row.delivery_id for row in claim.rows]
        chosen = data.draw(st.sets(st.sampled_from(ids), min_size=1)) if part else set(ids)
        batch = outcomes(claim, *how, ids=chosen)
        if how[0] in (Event.RETRY, Event.FAIL):
            batch = [outcome._replace(exposed=exposed) for outcome in batch]
        assert self._run(self.store.settle(batch)) <= chosen

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim = data.draw(st.sampled_from(self.claims[-4:]))
        self._run(self.store.release(claim.token, [row.delivery_id for row in claim.rows]))

    @rule(limit=st.integers(1, 4))
    def sweep(self, limit: int) -> None:
        assert self._run(self.store.supersede(self.now, limit=limit)) <= limit
        assert self._run(self.store.expire(self.now, limit=limit)) <= limit

    @rule(seconds=st.sampled_from([1, 10, 61]))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self._run(self.store.recover(self.now, everything=False))

    @precondition(lambda self: len(self.lineages) > 2)
    @rule()
    def deadline(self) -> None:
        self.now += HOUR
        self.sweep(limit=3)

    @precondition(lambda self: self.lineages)
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        alert = data.draw(st.sampled_from([alert for one in self.lineages for alert in one.alerts]))
        reasons = ", ".join(f"'{reason}'" for reason in RETRYABLE)
        which = f"state = 'failed' AND reason IN ({reasons}) AND alert_seq = (SELECT seq FROM alert WHERE id = ?)"
        expected = sql(self.folder, f"SELECT count(*) FROM delivery WHERE {which}", alert.id)[0][0]
        try:
            assert self._run(self.store.requeue(alert.id, actor="officer", at=self.now)) == expected
        except Conflict:
            stored = self._run(self.store.get_alert(alert.id))
            assert stored.followed_by is not None or stored.deadline <= self.now

    @rule()
    def crash(self) -> None:
        """The process ends with pages in flight, and a new one begins; the old one's outcomes come too late."""
        self._run(self.stack.aclose())
        self.stack = AsyncExitStack()
        self.store = self._run(self.stack.enter_async_context(opened(self.folder)))
        self._run(self.store.recover(self.now, everything=True))
        assert sql(self.folder, "SELECT count(*) FROM delivery WHERE state = 'sending'") == [(0,)]

    @rule()
    def finish(self) -> None:
        """Carry everything to its end: then every alert is settled and nobody who must hear of it was left out."""
        for _ in range(200):
            self.plan(window=100, steps=20)
            self._run(self.store.supersede(self.now, limit=1_000))
            carried = 0
            for claim in [*self.claims, *(self._claim_all())]:
                carried += len(self._run(self.store.settle(outcomes(claim, Event.ACCEPT))))
            self.now += 10 * SECOND
            self._run(self.store.expire(self.now, limit=1_000))
            if not carried and self._run(self.store.next_plan()) is None and not self._waiting():
                break
        else:
            raise AssertionError("it never comes to an end")
        self.claims.clear()
        self._all_settled()
        self._everyone_heard()

    def _claim_all(self) -> list[Claim]:
        found = []
        for channel in CHANNELS:
            while (claim := self._run(self.store.claim(channel, 0, limit=50, now=self.now, lease=60))) is not None:
                found.append(claim)
        return found

    def _waiting(self) -> int:
        return int(
            sql(self.folder, "SELECT count(*) FROM delivery WHERE state IN ('queued', 'retrying', 'sending')")[0][0]
        )

    def _all_settled(self) -> None:
        open_states = {AlertState.PENDING.value, AlertState.ACTIVE.value}
        for alert_id, state, settled_at in sql(self.folder, "SELECT id, state, settled_at FROM alert"):
            assert state not in open_states, (alert_id, state)
            assert settled_at is not None, (alert_id, state)
        assert sql(self.folder, "SELECT count(*) FROM selected") == [(0,)]

    def _everyone_heard(self) -> None:
        """Whoever may have got what was followed, and can still be reached, has a delivery of the follower there."""
        missed = sql(
            self.folder,
            "SELECT a.id, d.channel, d.endpoint_id FROM alert a "
            "JOIN alert_ancestor n ON n.alert_seq = a.seq JOIN delivery d ON d.alert_seq = n.ancestor_seq "
            "JOIN plan p ON p.alert_seq = a.seq AND p.channel = d.channel "
            "LEFT JOIN endpoint e ON e.id = d.endpoint_id "
            "WHERE d.exposed AND NOT p.cut AND a.followed_by IS NULL AND (d.endpoint_id = 0 OR e.state <> 'gone') "
            "AND NOT EXISTS (SELECT 1 FROM delivery f WHERE f.alert_seq = a.seq AND f.channel = d.channel "
            "AND f.endpoint_id = d.endpoint_id)",
        )
        assert not missed

    # --- what always holds ------------------------------------------------------------------------------------------

    @invariant()
    def the_books_balance(self) -> None:
        check_whole(self.folder)
        count, broken = self._run(self.store.verify_audit())
        assert broken is None
        assert count == sql(self.folder, "SELECT count(*) FROM audit")[0][0]


_QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much]

TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=20, stateful_step_count=30, deadline=None, suppress_health_check=_QUIET)


@pytest.mark.campaign
class TestStoreAtLength(StoreMachine.TestCase):
    settings = settings(max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=_QUIET)
