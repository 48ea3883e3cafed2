"""The gate and the page: what may start, and when."""

import asyncio
import random
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

import pytest

from alertd.core.budget import Budget
from alertd.core.circuits import Circuits
from alertd.core.gate import Gate
from alertd.core.page import GatedPage
from alertd.core.revoked import Revoked
from alertd.domain.circuit import CircuitPolicy
from alertd.domain.delivery import Hold, Reason, Retry
from alertd.domain.priority import EMERGENCY, EVENT, PRESSING, PRIORITIES, SERVICE
from alertd.ports.adapter import Message, Parcel
from tests.support.clock import ManualClock, settle_down
from tests.support.notices import alert, notice

POLICY = CircuitPolicy(threshold=3, base=1.0, cap=60.0)


def gate(clock: ManualClock, *, rate: float | None = None, halts: int = 3, concurrency: int = 1000) -> Gate:
    share = Budget(clock, rate).share(broadcast=False) if rate is not None else None
    circuits = Circuits(clock, halts=halts, policy=POLICY)
    return Gate(clock, concurrency=concurrency, circuits=circuits, share=share)


def page(clock: ManualClock, at: Gate, count: int = 3, *, priority: int = SERVICE, revoked: Revoked | None = None):
    message = Message(notice(alert("x")), "preview")
    deadline = clock.now() + timedelta(hours=1)
    object.__setattr__(message.notice, "deadline", deadline)
    parcels = [Parcel(i, f"k{i}", i, f"who@{'a' if i % 2 else 'b'}.example", deadline) for i in range(1, count + 1)]
    return GatedPage(
        message,
        parcels,
        priority=priority,
        gate=at,
        clock=clock,
        revoked=revoked or Revoked(),
        origin=lambda address: address.partition("@")[2],
        on_start=lambda _: None,
    )


async def test_everything_is_handed_out_once() -> None:
    clock = ManualClock()
    it = page(clock, gate(clock), 5)
    got = [*await it.take(2), *await it.take(9)]
    assert [p.delivery_id for p in got] == [1, 2, 3, 4, 5]
    assert await it.take() == ()
    assert it.left == []


async def test_several_hands_on_one_page_leave_when_it_is_empty() -> None:
    clock = ManualClock()
    at = gate(clock, concurrency=2)
    it = page(clock, at, 30)
    got: list[int] = []

    async def hand() -> None:
        while parcels := await it.take():
            got.extend(parcel.delivery_id for parcel in parcels)
            await asyncio.sleep(0)
            at.settled(SERVICE, len(parcels))

    async with asyncio.timeout(180):
        await asyncio.gather(*(hand() for _ in range(8)))
    assert sorted(got) == list(range(1, 31))
    assert it.left == []


async def test_a_revoked_alert_starts_nothing_more() -> None:
    clock, revoked = ManualClock(), Revoked()
    it = page(clock, gate(clock), revoked=revoked)
    assert len(await it.take()) == 1
    revoked.add(["x"])
    assert await it.take() == ()
    assert [i for i, _ in it.left] == [2, 3]


async def test_nothing_starts_after_the_deadline() -> None:
    clock = ManualClock()
    it = page(clock, gate(clock))
    await clock.advance(3600)
    assert await it.take() == ()


async def test_an_emergency_overtakes() -> None:
    clock = ManualClock()
    at = gate(clock)
    at.enter(PRESSING)
    slow = asyncio.ensure_future(page(clock, at).take())
    await clock.advance(5)
    assert not slow.done()
    assert len(await page(clock, at, priority=PRESSING).take()) == 1
    at.leave(PRESSING)
    await clock.advance(0.3)
    assert len(await slow) == 1


async def test_no_second_sees_more_than_the_rate_and_one() -> None:
    clock = ManualClock()
    at = gate(clock, rate=29)
    it = page(clock, at, 200)
    starts: list[float] = []

    async def take() -> None:
        while await it.take():
            starts.append(clock.monotonic())

    workers = [asyncio.ensure_future(take()) for _ in range(8)]
    await clock.advance(10)
    for worker in workers:
        worker.cancel()
    assert len(starts) == 200
    assert max(sum(s <= t < s + 1 for t in starts) for s in starts) <= 30
    assert starts[-1] < 200 / 29 * 1.04  # at least 97 % of the rate


async def test_retry_after_of_one_origin_holds_that_origin_alone() -> None:
    clock = ManualClock()
    at = gate(clock)
    at.circuits.failed("a.example", Retry(Reason.RATE_LIMITED, after=30, hold=Hold.ORIGIN))
    it = page(clock, at, 4)
    assert [p.delivery_id for p in await it.take(4)] == [2, 4]
    assert dict(it.left) == {1: clock.now() + timedelta(seconds=30), 3: clock.now() + timedelta(seconds=30)}
    at.circuits.succeeded("a.example")
    assert len(await page(clock, at, 4).take(4)) == 2, "a success that was under way does not shorten the hold"
    await clock.advance(30)
    assert [p.delivery_id for p in await page(clock, at, 4).take(4)] == [1, 2, 4], "then one probe first"
    at.circuits.succeeded("a.example")
    assert len(await page(clock, at, 4).take(4)) == 4


async def test_retry_after_of_the_channel_holds_all() -> None:
    clock = ManualClock()
    at = gate(clock)
    at.circuits.failed("", Retry(Reason.RATE_LIMITED, after=5, hold=Hold.CHANNEL))
    it = page(clock, at)
    assert await it.take() == ()
    assert {due for _, due in it.left} == {clock.now() + timedelta(seconds=5)}
    await clock.advance(5)
    assert len(await page(clock, at).take(3)) == 1, "one probe first"
    at.circuits.succeeded("a.example")
    assert len(await page(clock, at).take(3)) == 3


async def test_a_circuit_opens_probes_with_one_parcel_and_closes() -> None:
    clock = ManualClock()
    at = gate(clock)
    for _ in range(POLICY.threshold):
        at.circuits.failed("a.example", Retry(Reason.UNAVAILABLE))
    assert [p.delivery_id for p in await page(clock, at, 4).take(4)] == [2, 4]
    await clock.advance(1)
    assert [p.delivery_id for p in await page(clock, at, 5).take(5)] == [1, 2, 4], "one probe, the rest deferred"
    at.circuits.succeeded("a.example")
    assert len(await page(clock, at, 5).take(5)) == 5


async def test_a_failed_probe_waits_twice_as_long() -> None:
    clock = ManualClock()
    at = gate(clock)
    for _ in range(POLICY.threshold):
        at.circuits.failed("a.example", Retry(Reason.CONNECT))
    await clock.advance(1)
    assert at.circuits.admit("a.example") is None
    at.circuits.failed("a.example", Retry(Reason.CONNECT))
    assert at.circuits.admit("a.example") == clock.now() + timedelta(seconds=2)


async def test_one_foreign_subscription_cannot_silence_a_channel() -> None:
    clock = ManualClock()
    at = gate(clock)
    for number in range(50):
        assert not at.circuits.halt("b.example", number, Reason.CREDENTIALS)
        at.circuits.succeeded("b.example")
    for _ in range(50):
        assert not at.circuits.halt("b.example", 1, Reason.CREDENTIALS), "however often it says so"
    assert at.circuits.channel_closed_until() is None


async def test_halts_in_a_row_close_the_channel_and_a_success_opens_it() -> None:
    clock = ManualClock()
    at = gate(clock)
    assert [at.circuits.halt("b.example", number, Reason.CREDENTIALS) for number in range(3)] == [False, False, True]
    assert at.circuits.halted is Reason.CREDENTIALS
    assert await page(clock, at).take(3) == ()
    await clock.advance(5)
    probe = page(clock, at)
    assert [p.delivery_id for p in await probe.take(3)] == [1]
    assert at.circuits.channel_closed_until() is not None, "while one probes the others wait"
    at.circuits.succeeded("a.example")
    assert at.circuits.halted is None
    assert len(await page(clock, at).take(3)) == 3


async def test_stopping_hands_out_nothing_and_wakes_who_waits() -> None:
    clock = ManualClock()
    at = gate(clock)
    at.enter(PRESSING)
    waiting = asyncio.ensure_future(page(clock, at).take())
    await asyncio.sleep(0)
    at.stop()
    assert await waiting == ()


async def test_news_that_hangs_leaves_the_emergency_its_own_slots() -> None:
    clock = ManualClock()
    at = gate(clock, concurrency=2)
    assert len(await page(clock, at).take(9)) == 2
    more = asyncio.ensure_future(page(clock, at).take(9))
    await clock.advance(5)
    assert not more.done(), "no third parcel of the news is taken before one of the two has settled"
    assert len(await page(clock, at, priority=PRESSING).take(9)) == 2
    at.settled(SERVICE)
    await clock.advance(0.3)
    assert len(await more) == 1


async def test_a_channel_probe_that_meets_a_dead_origin_lets_another_probe() -> None:
    clock = ManualClock()
    at = gate(clock)
    for number in range(3):
        at.circuits.halt("b.example", number, Reason.CREDENTIALS)
    await clock.advance(5)
    assert at.circuits.admit("a.example") is None
    at.circuits.failed("a.example", Retry(Reason.TIMEOUT))
    assert at.circuits.admit("b.example") is None, "not closed for ever"


async def test_a_deferred_parcel_spends_no_probe() -> None:
    clock = ManualClock()
    at = gate(clock)
    for number in range(3):
        at.circuits.halt("b.example", number, Reason.CREDENTIALS)
    await clock.advance(5)
    at.circuits.failed("a.example", Retry(Reason.RATE_LIMITED, after=60, hold=Hold.ORIGIN))
    assert at.circuits.admit("a.example") is not None
    assert at.circuits.admit("b.example") is None


async def test_a_step_of_the_wall_clock_moves_no_hold() -> None:
    clock = ManualClock()
    at = gate(clock)
    at.circuits.failed("a.example", Retry(Reason.RATE_LIMITED, after=30, hold=Hold.ORIGIN))
    clock._start -= timedelta(hours=1)
    assert at.circuits.admit("a.example") == clock.now() + timedelta(seconds=30)
    await clock.advance(30)
    assert at.circuits.admit("a.example") is None
    at.circuits.succeeded("a.example")
    assert not at.circuits.watching


async def test_an_absurd_retry_after_is_a_day() -> None:
    clock = ManualClock()
    at = gate(clock)
    for after in (1e300, float("inf")):
        at.circuits.failed("a.example", Retry(Reason.RATE_LIMITED, after=after, hold=Hold.ORIGIN))
    at.circuits.failed("a.example", Retry(Reason.RATE_LIMITED, after=float("nan"), hold=Hold.ORIGIN))
    assert at.circuits.admit("a.example") == clock.now() + timedelta(days=1)


async def test_three_foreign_subscriptions_far_apart_cannot_silence_a_channel() -> None:
    clock = ManualClock()
    at = gate(clock)
    for number in range(3):
        assert not at.circuits.halt("b.example", number, Reason.CREDENTIALS)
        assert at.circuits.watching, "a success must be asked for: it clears the accusation"
        at.circuits.succeeded("b.example")
        assert not at.circuits.watching


# --- the gate in bulk ----------------------------------------------------------------------------------------------


def at_once(turn: Coroutine[Any, Any, int]) -> int | None:
    """What it returns without a turn of the loop; None where it waits."""
    try:
        turn.send(None)
    except StopIteration as done:
        return int(done.value)
    turn.close()
    return None


async def test_free_slots_cost_no_turn_of_the_loop() -> None:
    at = gate(ManualClock(), concurrency=4096)
    for priority in PRIORITIES:
        assert at_once(at.turn(priority, 500)) == 500
    assert at_once(at.turn(SERVICE, 64)) == 64
    at.settled(SERVICE, 500)
    assert at_once(at.turn(SERVICE, 5000)) == 4096 - 564
    assert at_once(at.turn(SERVICE, 1)) is None


async def test_under_saturation_a_taker_gets_a_batch() -> None:
    clock = ManualClock()
    at = gate(clock, concurrency=4096)
    assert await at.turn(SERVICE, 4096) == 4096
    takers = [asyncio.ensure_future(at.turn(SERVICE, 500)) for _ in range(4)]
    for _ in range(63):
        await settle_down(2)
        at.settled(SERVICE)
    await settle_down()
    assert not any(taker.done() for taker in takers)
    assert at_once(at.turn(SERVICE, 1)) is None, "who comes later does not pick the slots one by one"
    at.settled(SERVICE)
    await settle_down()
    assert [taker.done() for taker in takers] == [True, False, False, False]
    assert takers[0].result() == 64
    at.settled(SERVICE, 160)
    await settle_down()
    assert [taker.done() for taker in takers] == [True, True, True, False]
    assert takers[1].result() + takers[2].result() == 160
    at.settled(SERVICE, 4000)
    assert await takers[3] == 500


async def test_the_end_of_a_page_needs_no_batch() -> None:
    at = gate(ManualClock(), concurrency=4096)
    await at.turn(SERVICE, 4096)
    last = asyncio.ensure_future(at.turn(SERVICE, 3))
    await settle_down()
    at.settled(SERVICE, 3)
    assert await last == 3


@pytest.mark.parametrize("concurrency", range(1, 9))
async def test_with_few_slots_one_verdict_wakes_one(concurrency: int) -> None:
    at = gate(ManualClock(), concurrency=concurrency)
    assert await at.turn(SERVICE, 64) == concurrency
    takers = [asyncio.ensure_future(at.turn(SERVICE, 64)) for _ in range(5)]
    for number in range(5):
        await settle_down()
        assert [taker.done() for taker in takers] == [True] * number + [False] * (5 - number)
        at.settled(SERVICE)
    await settle_down()
    assert [taker.result() for taker in takers] == [1] * 5


async def test_the_more_pressing_emergency_does_not_stand_in_line_behind_the_other() -> None:
    clock = ManualClock()
    at = gate(clock, concurrency=2)
    at.enter(EMERGENCY)
    assert await at.turn(EMERGENCY, 2) == 2
    sooner = [asyncio.ensure_future(at.turn(EMERGENCY, 1)) for _ in range(3)]
    await settle_down()
    at.enter(PRESSING)
    pressing = asyncio.ensure_future(at.turn(PRESSING, 1))
    await settle_down()
    at.settled(EMERGENCY)
    assert await pressing == 1
    await clock.advance(0.3)
    assert [taker.result() for taker in sooner] == [0, 0, 0], "they look again, and are still overtaken"


async def test_a_waiter_who_is_cancelled_as_he_is_woken_wakes_the_next() -> None:
    at = gate(ManualClock(), concurrency=1)
    await at.turn(SERVICE, 1)
    leaving, staying = (asyncio.ensure_future(at.turn(SERVICE, 1)) for _ in range(2))
    await settle_down()
    at.settled(SERVICE)
    leaving.cancel()
    assert await staying == 1
    leaving, staying = (asyncio.ensure_future(at.turn(SERVICE, 1)) for _ in range(2))
    await settle_down()
    leaving.cancel()
    at.settled(SERVICE)
    assert await staying == 1


async def test_while_it_waits_for_the_pace_news_keeps_no_slot() -> None:
    clock = ManualClock()
    at = gate(clock, concurrency=1, rate=10)
    assert await at.turn(EVENT, 1) == 1
    at.settled(EVENT)
    event = asyncio.ensure_future(at.turn(EVENT, 1))
    await settle_down()
    service = asyncio.ensure_future(at.turn(SERVICE, 1))
    await clock.advance(0.1)
    assert await service == 1, "the lower number first"
    await clock.advance(1)
    assert await event == 0, "the only slot is taken: it looks again"


async def test_a_single_message_keeps_the_pace_and_gives_way() -> None:
    clock = ManualClock()
    at = gate(clock, rate=1)
    assert await at.single(10)
    late = asyncio.ensure_future(at.single(0.5))
    await clock.advance(0.7)
    assert not await late
    at = gate(clock, rate=10)
    assert await at.single(10)
    waiting = asyncio.ensure_future(at.single(10))
    await settle_down()
    pressing = asyncio.ensure_future(at.turn(PRESSING, 1))
    await clock.advance(0.11)
    assert await pressing == 1
    assert not waiting.done()
    await clock.advance(0.1)
    assert await waiting
    at.stop()
    assert not await at.single(10)


@pytest.mark.parametrize("rate", [None, 500.0])
@pytest.mark.parametrize("seed", range(5))
async def test_whatever_happens_nobody_is_forgotten(seed: int, rate: float | None) -> None:
    """Takers of every size, verdicts in any order and number, unused grants, cancellations, emergencies on top."""
    chance = random.Random(seed)
    clock = ManualClock()
    concurrency = chance.choice([1, 2, 7, 8, 9, 64, 300])
    at = gate(clock, rate=rate, concurrency=concurrency)
    out = {True: 0, False: 0}
    left = dict.fromkeys(PRIORITIES, 400)

    async def take(priority: int) -> None:
        while left[priority] > 0:
            granted = await at.turn(priority, min(chance.choice([1, 3, 64, 500]), left[priority]))
            unused = chance.randint(0, granted) if chance.random() < 0.2 else 0
            unused = max(unused, granted - left[priority])
            at.give_back(priority, unused)
            left[priority] -= granted - unused
            out[priority < SERVICE] += granted - unused
            assert max(out.values()) <= concurrency
            await asyncio.sleep(0)

    async def settle(priority: int) -> None:
        while True:
            if count := chance.randint(0, out[priority < SERVICE]):
                out[priority < SERVICE] -= count
                at.settled(priority, count)
            await clock.sleep(chance.uniform(0.001, 0.05))

    takers = {p: [asyncio.ensure_future(take(p)) for _ in range(4)] for p in PRIORITIES}
    settlers = [asyncio.ensure_future(settle(p)) for p in (PRESSING, SERVICE)]
    at.enter(EMERGENCY)
    for lost in (takers[SERVICE][0], takers[EMERGENCY][1]):
        await clock.advance(chance.uniform(0, 0.1))
        lost.cancel()
    at.enter(PRESSING)
    for priority in (PRESSING, EMERGENCY, SERVICE, EVENT):
        for _ in range(1000):
            if all(taker.done() for taker in takers[priority]):
                break
            await clock.advance(0.05)
        else:
            pytest.fail(f"priority {priority} hangs with {left[priority]} left")
        if priority < SERVICE:
            at.leave(priority)
    for settler in settlers:
        settler.cancel()
    assert set(left.values()) == {0}
