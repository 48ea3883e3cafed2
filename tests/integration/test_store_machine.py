"""Anything in any order: alerts, updates, cancels, pages, crashes, deadlines. The books must always balance."""

import asyncio
import random
import shutil
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
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
from alertd.ports.stores.plan import Planned
from alertd.ports.stores.work import Claim
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
    rows_of,
    sql,
)

CHANNELS = ("push", "mail", "hook")
PLANS = st.lists(st.sampled_from([PUSH, MAIL, HOOK]), min_size=1, max_size=3, unique_by=lambda plan: plan.channel)
HOWS = (
    (Event.ACCEPT, None),
    (Event.DELIVER, None),
    (Event.RETRY, Reason.UNAVAILABLE),
    (Event.RETRY, Reason.TIMEOUT),
    (Event.FAIL, Reason.BAD_REQUEST),
    (Event.FAIL, Reason.EXHAUSTED),
    (Event.RETIRE, Reason.UNSUBSCRIBED),
)
PICK = st.integers(0, 1_000)
"""Chooses among what there is, by remainder."""

BUSTLE = {"plan": 4, "claim": 6, "settle": 5, "release": 1, "follow": 1, "accept": 1, "sweep": 2, "wait": 1, "crash": 1}


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
    @rule(pick=PICK, plans=PLANS, cancels=st.booleans())
    def follow(self, pick: int, plans: list[Any], *, cancels: bool) -> None:
        lineage = self.lineages[pick % len(self.lineages)]
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
    @rule(pick=PICK)
    def follow_twice(self, pick: int) -> None:
        followed = [one for one in self.lineages if len(one.alerts) > 1]
        lineage = followed[pick % len(followed)]
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

    @rule(channel=st.sampled_from(CHANNELS), limit=st.integers(1, 6))
    def claim(self, channel: str, limit: int) -> None:
        stopped = {row[0] for row in sql(self.folder, "SELECT id FROM alert WHERE stopped")}
        claim = self._run(self.store.claim(channel, 0, limit=limit, now=self.now, lease=60))
        if claim is not None:
            assert 0 < len(rows_of(claim)) <= limit
            assert not {row.alert_id for row in rows_of(claim)} & stopped, "a stopped alert was started"
            self.claims.append(claim)

    @precondition(lambda self: self.claims)
    @rule(pick=PICK, how=st.sampled_from(HOWS), part=st.booleans(), exposed=st.booleans())
    def settle(self, pick: int, how: tuple[Event, Reason | None], *, part: bool, exposed: bool) -> None:
        """All of a claim or one of it, perhaps a second time, perhaps long after its lease has ended."""
        claim = self.claims[-1 - pick % min(4, len(self.claims))]
        ids = [row.delivery_id for row in rows_of(claim)]
        chosen = {ids[pick % len(ids)]} if part else set(ids)
        batch = outcomes(claim, *how, ids=chosen)
        if how[0] in (Event.RETRY, Event.FAIL):
            batch = [replace(outcome, exposed=exposed) for outcome in batch]
        assert self._run(self.store.settle(batch)) <= len(chosen)

    @precondition(lambda self: self.claims)
    @rule(pick=PICK)
    def release(self, pick: int) -> None:
        claim = self.claims[-1 - pick % min(4, len(self.claims))]
        self._run(self.store.release(claim.token, [row.delivery_id for row in rows_of(claim)]))

    @rule(limit=st.integers(1, 4))
    def sweep(self, limit: int) -> None:
        assert self._run(self.store.supersede(self.now, limit=limit)) <= limit
        assert self._run(self.store.expire(self.now, limit=limit)) <= limit

    @rule(seconds=st.sampled_from([1, 10, 61]))
    def wait(self, seconds: int) -> None:
        self.now += seconds * SECOND
        if seconds > 60:
            self._run(self.store.recover(self.now))

    @precondition(lambda self: len(self.lineages) > 2)
    @rule()
    def deadline(self) -> None:
        self.now += HOUR
        self.sweep(limit=3)

    @precondition(lambda self: self.lineages)
    @rule(pick=PICK)
    def retry(self, pick: int) -> None:
        alerts = [alert for one in self.lineages for alert in one.alerts]
        alert = alerts[pick % len(alerts)]
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
        out = {row[0] for row in sql(self.folder, "SELECT id FROM delivery WHERE state = 'sending'")}
        assert self._run(self.store.recover(self.now)) == len(out)
        again = sql(
            self.folder, "SELECT id FROM delivery WHERE state = 'retrying' AND exposed AND reason = 'interrupted'"
        )
        assert out <= {row[0] for row in again}

    @rule(seed=st.integers(0, 2**32))
    def bustle(self, seed: int) -> None:
        """A busy quarter of an hour: many small steps that depend on each other, which single rules seldom meet."""
        chance = random.Random(seed)
        for _ in range(20):
            pick = chance.randrange(1_000)
            match chance.choices(list(BUSTLE), list(BUSTLE.values()))[0]:
                case "plan":
                    self.plan(window=1 + pick % 5, steps=3)
                case "claim":
                    self.claim(chance.choice(CHANNELS), limit=1 + pick % 3)
                case "settle" if self.claims:
                    self.settle(pick, chance.choice(HOWS), part=pick % 2 == 0, exposed=pick % 3 == 0)
                case "release" if self.claims:
                    self.release(pick)
                case "follow" if self.lineages:
                    self.follow(pick, [PUSH, MAIL, HOOK], cancels=pick % 2 == 0)
                case "accept":
                    self.accept([PUSH, HOOK])
                case "sweep":
                    self.sweep(limit=1 + pick % 4)
                case "wait":
                    self.wait((1, 10, 61)[pick % 3])
                case "crash" if pick % 3 == 0:
                    self.crash()
            check_whole(self.folder)

    @rule()
    def finish(self) -> None:
        """Carry everything to its end: then every alert is settled and nobody who must hear of it was left out."""
        for _ in range(200):
            self.plan(window=100, steps=20)
            self._run(self.store.supersede(self.now, limit=1_000))
            carried = 0
            for claim in [*self.claims, *(self._claim_all())]:
                carried += self._run(self.store.settle(outcomes(claim, Event.ACCEPT)))
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
TestStore.settings = settings(max_examples=10, stateful_step_count=20, deadline=None, suppress_health_check=_QUIET)


def _live(seed: int) -> None:
    """Three busy quarters of an hour and then the end of everything."""
    machine = StoreMachine()
    try:
        machine.begin()
        for hour in range(3):
            machine.bustle(seed + hour)
            machine.the_books_balance()
        machine.finish()
    finally:
        machine.teardown()


@pytest.mark.parametrize("seed", range(0, 100, 10))
def test_a_busy_day(seed: int) -> None:
    _live(seed)


@pytest.mark.campaign
def test_a_busy_year() -> None:
    for seed in range(1_000, 11_000, 10):
        _live(seed)


@pytest.mark.campaign
class TestStoreAtLength(StoreMachine.TestCase):
    settings = settings(max_examples=400, stateful_step_count=60, deadline=None, suppress_health_check=_QUIET)
