"""Rules whose store, core or own code fails: nothing wrongly sent, nothing lost, and no other rule kept from its work."""

import asyncio

import pytest

from alertd.core.words.notices import NotCleared
from alertd.domain.problems import Conflict, InFlight, Invalid, Problem, Unavailable
from alertd.domain.signal import Heard, Signal
from alertd.ingest.clerk import COOL, REST
from alertd.ingest.hearing import Hearing
from alertd.ingest.record import load
from alertd.ingest.trouble import SHOWN, UNCLEARED
from alertd.ingest.wording import AlertTemplate
from tests.support.clock import START, ManualClock
from tests.support.desk_stand import FLOOD, DeskStand, Kept, spec, territory
from tests.unit.rules_stand import rule
from tests.unit.test_ingest_desk import CODE, FEED, GAUGE, document, forward, gauge, hears, kinds


class Slow(Kept):
    """The first `keep` of a rule waits to be let go."""

    gate: asyncio.Event | None = None
    waiting: asyncio.Event

    async def keep(self, name: str, content: bytes) -> None:
        gate, self.gate = self.gate, None
        if gate is not None:
            self.waiting.set()
            await gate.wait()
        await super().keep(name, content)


class Counting(Kept):
    """`count` is how often something was kept."""

    count = 0

    async def keep(self, name: str, content: bytes) -> None:
        self.count += 1
        await super().keep(name, content)


async def test_an_older_memory_never_replaces_a_newer_one() -> None:
    stand = DeskStand(gauge())
    stand.store = slow = Slow()
    stand.reborn()
    await stand.start()
    await stand.reads(1.0)
    slow.gate = gate = asyncio.Event()
    slow.waiting = asyncio.Event()
    keeping = asyncio.create_task(stand.desk.keep())
    await slow.waiting.wait()
    reading = asyncio.create_task(stand.reads(2.6))
    await asyncio.wait({reading}, timeout=0.2)  # were it not to wait its turn, it would be done by then
    gate.set()
    await asyncio.gather(keeping, reading)
    assert list(load(slow.things["rule/prova"]).standing) != []
    stand.reborn()
    await stand.start()
    await stand.reads(2.7)
    assert kinds(stand) == ["raise"]


async def test_what_somebody_else_is_keeping_is_not_durable_yet() -> None:
    """While many readings are judged others have their turns: what the first led to may be on its way to the store when
    the last is judged, and never get there."""
    stand = DeskStand(gauge())
    stand.clock = Ticking()
    stand.store = slow = Slow()
    stand.reborn()
    await stand.start()
    at = stand.clock.now()
    many = [Signal("pesa", "a", f"{i}", at, sensor=f"s{i}", value=3.0 if i < 8 else 1.0) for i in range(80)]
    slow.gate = gate = asyncio.Event()
    slow.waiting = asyncio.Event()
    hearing = Hearing(spec("pesa"), territory)
    taking = asyncio.create_task(stand.desk.take(hearing, Heard(tuple(many))))
    await asyncio.sleep(0)  # it has judged the first few
    keeping = asyncio.create_task(stand.desk.keep())
    await slow.waiting.wait()
    await asyncio.wait({taking}, timeout=0.2)
    assert not taking.done(), "it was called durable before it was kept"
    slow.broken = True
    gate.set()
    assert not await taking
    await keeping
    slow.broken = False
    assert await stand.desk.take(hearing, Heard(()))
    assert len(load(slow.things["rule/prova"]).standing) == 8


async def test_a_fault_in_one_rule_keeps_no_other_from_its_work_and_loses_nothing() -> None:
    stand = DeskStand(gauge(), gauge(name="altra"))
    await stand.start()
    stand.core.fails = [RuntimeError("a bug")]
    assert await stand.reads(2.6)
    assert len(stand.core.steps) == 1
    assert stand.gauges.refused.labels("prova")._value.get() == 1
    assert "1 findings of rules could not be made alerts" in stand.readiness.concerns
    await stand.desk.tick()
    assert len(stand.core.steps) == 1
    await stand.clock.advance(REST)
    await stand.desk.tick()
    assert kinds(stand) == ["raise", "raise"]
    assert not stand.readiness.concerns


async def test_a_fault_at_the_start_keeps_the_daemon_from_nothing() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [KeyboardInterrupt()]
    with pytest.raises(KeyboardInterrupt):
        await stand.reads(2.6)
    stand.reborn()
    stand.core.fails = [RuntimeError("a bug")]
    await stand.start()
    assert kinds(stand) == []
    await stand.clock.advance(REST)
    await stand.desk.tick()
    assert kinds(stand) == ["raise"]


async def test_while_what_was_kept_cannot_be_read_no_rule_works_and_it_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand = DeskStand(gauge())
    await stand.start()
    await stand.reads(2.6)
    stand.reborn()

    async def broken() -> dict[str, bytes]:
        raise Unavailable("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(stand.store, "kept", broken)
        await stand.start()
        assert not await stand.reads(2.7)
        assert stand.readiness.concerns
    await stand.desk.tick()
    assert await stand.reads(2.8)
    assert kinds(stand) == ["raise"]
    assert not stand.readiness.concerns


async def test_what_may_no_longer_go_out_alone_waits_for_an_officer() -> None:
    free = gauge(action="send", unattended=True, hourly_cap=9)
    stand = DeskStand(free)
    await stand.start()
    stand.store.broken = True
    await stand.reads(2.6)
    stand.store.broken = False
    stand.desk.apply([gauge()])
    await stand.desk.tick()
    assert [(step[0], step[3]) for step in stand.core.steps] == [("raise", False)]


async def test_an_end_before_anything_was_begun_leaves_nothing_to_raise() -> None:
    stand = forward()
    await stand.start()
    stand.store.broken = True
    await hears(stand, document("a", 0))
    await hears(stand, document("b", 5, kind="Cancel", of=("a", 0), bare=True))
    stand.store.broken = False
    await stand.desk.tick()
    assert kinds(stand) == []


async def test_an_end_follows_what_may_have_been_raised_already() -> None:
    stand = forward()
    await stand.start()
    stand.core.fails = [Unavailable("busy")]
    await hears(stand, document("a", 0))
    await hears(stand, document("b", 5, kind="Cancel", of=("a", 0), bare=True))
    await stand.desk.tick()
    assert kinds(stand) == ["raise", "clear"]


@pytest.mark.parametrize("bare", [True, False])
async def test_an_alert_and_its_cancel_in_one_payload_raise_nothing(bare: bool) -> None:
    stand = forward()
    await stand.start()
    hearing = Hearing(FEED, territory)
    said = [document("a", 0), document("b", 5, kind="Cancel", of=("a", 0), bare=bare, area=CODE)]
    signals = [signal for one in said for signal in hearing.heard(one, stand.clock.now()).signals]
    assert await stand.desk.take(hearing, Heard(tuple(signals)))
    await stand.desk.tick()
    assert kinds(stand) == []


async def test_what_was_refused_is_raised_again_while_it_goes_on_but_not_at_once() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [Invalid(Problem((), "nobody would get this"))]
    await stand.reads(2.6)
    await stand.reads(2.7)
    assert stand.core.asked == 1
    await stand.clock.advance(COOL)
    await stand.reads(2.7)
    assert kinds(stand) == ["raise"]
    assert not stand.readiness.concerns


async def test_a_warning_that_was_refused_is_raised_when_it_is_repeated_word_for_word() -> None:
    stand = forward()
    await stand.start()
    stand.core.fails = [Invalid(Problem((), "nobody would get this"))]
    await hears(stand, document("a", 0), document("a", 0))
    assert stand.core.asked == 1
    await stand.clock.advance(COOL)
    await hears(stand, document("a", 0))
    assert kinds(stand) == ["raise"]


async def test_a_finding_without_words_is_found_again_once_there_are_some() -> None:
    wordless = AlertTemplate.model_validate(FLOOD.model_dump())
    stand = DeskStand(gauge(), templates={"altro": wordless})
    await stand.start()
    await stand.reads(2.6)
    assert stand.readiness.concerns
    stand.templates = {"piena": FLOOD}
    await stand.clock.advance(COOL)
    await stand.reads(2.7)
    assert kinds(stand) == ["raise"]


async def test_what_is_in_flight_is_asked_for_again() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [InFlight("the first try is being answered")]
    await stand.reads(2.6)
    await stand.desk.tick()
    assert kinds(stand) == ["raise"]


async def test_an_all_clear_that_is_refused_is_brought_to_the_officers() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    await stand.reads(2.6)
    stand.core.fails = [Conflict("anna has taken over alert1 with alert9")] * 2
    stand.officers.fails = [Unavailable("the disk is full")]
    await stand.reads(1.0)
    assert stand.officers.told == {}
    await stand.desk.tick()
    (notice,) = stand.officers.told.values()
    assert isinstance(notice, NotCleared)
    assert (notice.rule, notice.alert_id) == ("prova", "alert1")
    assert "taken over" in notice.why
    assert any("pesa-1" in line for line in notice.evidence)
    assert "1 all-clears of rules were refused: send them by hand" in stand.readiness.concerns
    await stand.clock.advance(2 * SHOWN)
    await stand.desk.tick()
    assert stand.readiness.concerns == ("1 all-clears of rules were refused: send them by hand",)
    await stand.clock.advance(UNCLEARED)
    await stand.desk.tick()
    refused = [notice for notice in stand.officers.told.values() if isinstance(notice, NotCleared)]
    assert (stand.readiness.concerns, len(refused)) == ((), 1)


async def test_the_end_of_what_nobody_was_told_is_no_news_to_the_officers() -> None:
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [Invalid(Problem((), "nobody would get this"))]
    await stand.reads(2.6)
    await stand.reads(1.0)
    assert stand.officers.told == {}


class Ticking(ManualClock):
    """Every look at it takes a millisecond."""

    looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return super().monotonic() + self.looks * 0.001


async def test_judging_much_gives_the_daemon_its_turns() -> None:
    stand = DeskStand(gauge())
    stand.clock = Ticking()
    stand.reborn()
    await stand.start()
    one = Signal("pesa", "pesa-1", "", START, sensor="pesa-1", value=1.0, unit="m")
    signals = tuple(one._replace(revision=str(n)) for n in range(200))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    await stand.desk.take(Hearing(spec(), territory), Heard(signals))
    task.cancel()
    assert turns > 10


async def test_a_rule_that_forgets_says_so_and_what_cooled_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alertd.ingest.rules.memory.MOST_MATTERS", 8)
    stand = DeskStand(gauge())
    await stand.start()
    stand.core.fails = [Invalid(Problem((), "nobody is there"))]
    await stand.reads(2.6, sensor="refused")
    (post,) = stand.desk._posts.values()
    assert len(post.cooling) == 1
    for number in range(20):
        await stand.reads(1.0, sensor=f"s{number}")
    assert "a rule forgets matters, for it has too many: divide it" in stand.readiness.concerns
    await stand.clock.advance(COOL)
    await stand.desk.tick()
    assert post.cooling == {}


async def test_many_findings_at_once_are_kept_together_and_done_once_though_it_dies_among_them() -> None:
    """A record is as long as what waits in it: kept once for each, a thousand gauges would be drafted in minutes."""
    many = 100
    stand = DeskStand(gauge())
    stand.store = counting = Counting()
    stand.reborn()
    await stand.start()
    crossing = [Signal("pesa", f"s{i}", "r", START, sensor=f"s{i}", value=3.0) for i in range(many)]
    stand.core.dies_after = True
    with pytest.raises(KeyboardInterrupt):
        await stand.says(*crossing)
    stand.core.dies_after = False
    stand.reborn()
    await stand.start()
    await stand.says(*crossing)
    assert kinds(stand) == ["raise"] * many
    assert counting.count < many / 10
    assert len(load(counting.things["rule/prova"]).standing) == many
    assert load(counting.things["rule/prova"]).waiting == ()


async def test_that_a_sensor_counts_or_counts_no_more_outlives_a_crash_once_it_is_acknowledged() -> None:
    """It may say so but once: of two that are asked for together the first is not to be forgotten, nor to be counted
    for ever."""
    two = {**GAUGE, "of": ["pesa-1", "pesa-2"], "at_least": 2}
    stand = DeskStand(rule(reading=two))
    await stand.start()
    for value, raised in ((1.0, []), (2.6, ["raise"])):
        assert await stand.reads(2.7, sensor="pesa-1")
        assert await stand.reads(value, sensor="pesa-1")
        stand.reborn()
        await stand.start()
        assert await stand.reads(2.6, sensor="pesa-2")
        assert kinds(stand) == raised
        assert await stand.reads(1.0, sensor="pesa-2")
