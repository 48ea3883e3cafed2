"""From a verdict to an outcome, and from outcomes to one commit."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.fate import Errand, Fate, fate
from alertd.core.fittings import Fittings
from alertd.core.settle import FLUSH_SECONDS, FLUSH_SIZE, MOST_WAITING, Settler
from alertd.domain.alert import Purpose
from alertd.domain.delivery import (
    OUTCOME_UNKNOWN,
    Accepted,
    Delivered,
    Event,
    Gone,
    Halt,
    Reason,
    Refused,
    Retry,
    State,
    step,
)
from alertd.domain.priority import EMERGENCY, PRESSING, SERVICE
from alertd.domain.problems import Unavailable
from alertd.domain.retry import RetryPolicy
from alertd.ports.stores.work import Claim, Outcome, Outcomes
from tests.support.clock import START, ManualClock, settle_down

DEADLINE = START + timedelta(hours=1)


def errand(*, purpose: Purpose = Purpose.EMERGENCY, idempotent: bool = True) -> Errand:
    return Errand(7, "a", "push", 0, purpose, idempotent, DEADLINE)


def decide(verdict, policy: RetryPolicy | None = None, *, attempts: int = 1, chance: float = 0.5, **more) -> Fate:
    return fate(errand(**more), verdict, attempts=attempts, policy=policy or RetryPolicy(), now=START, chance=chance)


def accepted(*numbers: int) -> Outcomes:
    attempts = [Outcome(number, 1_000_000 + number) for number in numbers]
    return Outcomes(7, Event.ACCEPT, None, exposed=True, ended_at=2_000_000, attempts=attempts)


reasons = st.sampled_from(Reason)
verdicts = st.one_of(
    st.builds(Accepted, st.none() | st.text(max_size=5)),
    st.builds(Delivered, st.none()),
    st.builds(Retry, reasons, st.none() | st.floats(0, 1e6)),
    st.builds(Refused, reasons),
    st.builds(Gone, reasons),
    st.builds(Halt, reasons),
)


@given(verdicts, st.sampled_from(Purpose), st.booleans(), st.integers(1, 200), st.floats(0, 0.999))
def test_every_verdict_has_a_lawful_outcome(verdict, purpose, idempotent, attempts, chance) -> None:
    made = decide(verdict, purpose=purpose, idempotent=idempotent, attempts=attempts, chance=chance)
    assert step(State.SENDING, made.event) in State
    assert (made.due_at is not None) == (made.event is Event.RETRY)
    if made.due_at is not None:
        assert START <= made.due_at < DEADLINE
        if isinstance(verdict, Retry) and verdict.after is not None:
            assert made.due_at >= START + timedelta(seconds=verdict.after) - timedelta(microseconds=1)


def test_what_arrived_or_may_have_is_exposed_and_nothing_else() -> None:
    assert decide(Accepted("r")).exposed
    assert decide(Delivered("r")).exposed
    for reason in Reason:
        assert decide(Retry(reason)).exposed == (reason in OUTCOME_UNKNOWN)
        assert not decide(Refused(reason)).exposed
        assert not decide(Halt(reason)).exposed


def test_an_unknown_outcome_repeats_an_emergency_but_not_news_where_a_repeat_would_show() -> None:
    assert decide(Retry(Reason.TIMEOUT), idempotent=False).event is Event.RETRY
    assert decide(Retry(Reason.TIMEOUT), idempotent=False, purpose=Purpose.SERVICE).event is Event.FAIL
    assert decide(Retry(Reason.TIMEOUT), idempotent=True, purpose=Purpose.SERVICE).event is Event.RETRY
    assert decide(Retry(Reason.CONNECT), idempotent=False, purpose=Purpose.EVENT).event is Event.RETRY


def test_it_gives_up_at_the_last_attempt_and_expires_at_the_deadline() -> None:
    assert decide(Retry(Reason.UNAVAILABLE), RetryPolicy(max_attempts=3), attempts=3).event is Event.FAIL
    assert decide(Retry(Reason.RATE_LIMITED, after=3601)).event is Event.EXPIRE


def test_a_halt_keeps_the_delivery_waiting() -> None:
    assert decide(Halt(Reason.CREDENTIALS)).event is Event.RETRY


class Ledger:
    """A WorkStore that remembers what was settled, and can be out of space."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []
        self.full = 0
        self.poison: set[int] = set()
        self.bare: list[int] = []

    async def settle(self, outcomes: Sequence[Outcomes]) -> int:
        if self.full:
            self.full -= 1
            raise Unavailable("disk full")
        ids = [attempt.delivery_id for alike in outcomes for attempt in alike.attempts]
        if self.poison & {a.delivery_id for alike in outcomes for a in alike.attempts if a.ref is not None}:
            raise ValueError("cannot be read")
        self.commits.append(ids)
        self.bare += [a.delivery_id for alike in outcomes for a in alike.attempts if alike.event is Event.FAIL]
        return len(ids)

    async def claim(self, *_: object, **__: object) -> Claim | None: ...
    async def next_due(self, *_: object) -> None: ...
    async def extend(self, *_: object, **__: object) -> None: ...
    async def release(self, *_: object, **__: object) -> None: ...


def settler(store: Ledger, clock: ManualClock) -> Settler:
    return Settler(
        store,  # type: ignore[arg-type]
        Fittings(clock, structlog.get_logger()),
        chance=lambda: 0.5,
        policy=RetryPolicy,
    )


async def test_receipts_are_committed_together() -> None:
    clock, store = ManualClock(), Ledger()
    it = settler(store, clock)
    running = asyncio.ensure_future(it.run())
    for number in range(10):
        it.put(errand(), accepted(number))
    await clock.advance(FLUSH_SECONDS)
    assert store.commits == [list(range(10))]
    for number in range(2 * FLUSH_SIZE + 500):
        it.put(errand(), accepted(number))
    await clock.advance(FLUSH_SECONDS)
    assert [len(c) for c in store.commits] == [10, FLUSH_SIZE, FLUSH_SIZE, 500]
    running.cancel()


async def test_a_full_disk_delays_receipts_and_loses_none() -> None:
    clock, store = ManualClock(), Ledger()
    store.full = 3
    it = settler(store, clock)
    running = asyncio.ensure_future(it.run())
    it.put(errand(), accepted(1))
    drained = asyncio.ensure_future(it.drained())
    await clock.advance(2.5)
    assert store.commits == []
    assert not drained.done()
    await clock.advance(1)
    assert store.commits == [[1]]
    await drained
    running.cancel()


async def test_nothing_is_begun_while_too_many_receipts_wait_and_the_emergency_last_of_all() -> None:
    clock, store = ManualClock(), Ledger()
    store.full = 1
    it = settler(store, clock)
    running = asyncio.ensure_future(it.run())
    it.put(errand(), accepted(*range(MOST_WAITING + 2 * FLUSH_SIZE)))
    it.put(errand(), accepted(*range(MOST_WAITING - 1)))
    await clock.advance(0.5)  # the first is being written, and the store does not take it
    await it.room(SERVICE)
    it.put(errand(), accepted(1))
    later, emergency = asyncio.ensure_future(it.room(SERVICE)), asyncio.ensure_future(it.room(PRESSING))
    await settle_down()
    assert emergency.done()
    assert not later.done()
    it.put(errand(), accepted(*range(MOST_WAITING)))
    emergency = asyncio.ensure_future(it.room(EMERGENCY))
    await settle_down()
    assert not emergency.done()
    await clock.advance(2)
    assert later.done()
    assert emergency.done()
    running.cancel()


async def test_what_the_store_cannot_read_costs_itself_alone() -> None:
    clock, store = ManualClock(), Ledger()
    store.poison = {5}
    it = settler(store, clock)
    running = asyncio.ensure_future(it.run())
    several = accepted(*range(8))
    it.put(errand(), replace(several, attempts=[a._replace(ref="odd") for a in several.attempts]))
    it.put(errand(), accepted(8, 9))
    await it.drained()
    assert sorted(number for commit in store.commits for number in commit) == list(range(10))
    assert store.bare == [5]
    running.cancel()
