"""The gate and the page: what may start, and when."""

import asyncio
from datetime import timedelta

from alertd.core.circuits import Circuits
from alertd.core.gate import Gate
from alertd.core.page import GatedPage
from alertd.core.revoked import Revoked
from alertd.domain.circuit import CircuitPolicy
from alertd.domain.delivery import Hold, Reason, Retry
from alertd.domain.priority import PRESSING, SERVICE
from alertd.ports.adapter import Message, Parcel
from tests.support.clock import ManualClock
from tests.support.notices import alert, notice

POLICY = CircuitPolicy(threshold=3, base=1.0, cap=60.0)


def gate(clock: ManualClock, *, rate: float | None = None, halts: int = 3, concurrency: int = 1000) -> Gate:
    circuits = Circuits(clock, halts=halts, policy=POLICY)
    return Gate(clock, rate=rate, concurrency=concurrency, circuits=circuits)


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
