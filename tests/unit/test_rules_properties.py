"""What holds of rules whatever is said, in any order, however often."""

import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.signal import Colour, Signal
from alertd.ingest.rules import (
    EMPTY,
    Action,
    Change,
    Clear,
    Doubted,
    Fault,
    Finding,
    Fire,
    Memory,
    Moment,
    Nothing,
    Rule,
    Stale,
    Tick,
    evaluate,
    explain,
    from_json,
    ready,
    to_json,
)
from alertd.ingest.rules.latch import GRAINS
from alertd.ingest.rules.memory import MOST_MATTERS, MOST_REVISIONS
from alertd.ingest.rules.slots import GRAIN
from tests.support.clock import START
from tests.unit.rules_stand import Stand, rule

SENSORS = st.sampled_from(["a", "b", "c"])
MINUTES = st.integers(0, 90)
LEVELS = st.floats(0, 5) | st.sampled_from([2.2, 2.5])

SEVERAL = rule(
    {
        "above": 2.5,
        "clear": 2.2,
        "for": "10m",
        "of": ["a", "b", "c"],
        "at_least": 2,
        "range": [0, 4.5],
        "stuck_after": "3h",
        "max_step": 1.5,
        "confirm": 1,
    },
    action="send",
    unattended=True,
    hourly_cap=2,
    change_by=0.5,
)
RISING = rule({"rise": 0.5, "within": "1h", "stale_after": "45m"})
SINGLE = rule({"above": 2.5, "clear": 2.2})
SAYING = rule(
    match={"min_colour": "gialla"},
    zones_by_code={"N": ["n"], "S": ["s"]},
    action="send",
    unattended=True,
    hourly_cap=2,
)


@st.composite
def readings(draw: st.DrawFn, levels: st.SearchStrategy[float] = LEVELS) -> Signal:
    """Of any time within two hours of the start, so that order and repetition come by themselves."""
    minute = draw(st.integers(-30, 120))
    sensor, value = draw(SENSORS), draw(levels)
    revision = draw(st.sampled_from(["", f"{sensor}{minute}"]))
    at = START + timedelta(minutes=minute)
    simulated = draw(st.integers(0, 9)) == 0
    return Signal("pesa", sensor, revision, at, sensor=sensor, value=value, unit="m", simulated=simulated)


@st.composite
def statements(draw: st.DrawFn) -> Signal:
    return Signal(
        "pesa",
        draw(st.sampled_from(["k1", "k2", "k3"])),
        draw(st.sampled_from(["", "r1", "r2", "r3"])),
        START + timedelta(minutes=draw(st.integers(-30, 120))),
        zones=tuple(draw(st.lists(st.sampled_from(["N", "S", "E"]), max_size=3))),
        colour=draw(st.sampled_from([None, *Colour])),
        expires=draw(st.none() | st.integers(0, 300).map(lambda m: START + timedelta(minutes=m))),
        ended=draw(st.integers(0, 5)) == 0,
        simulated=draw(st.integers(0, 9)) == 0,
    )


STEPS = st.lists(st.tuples(st.integers(-5, 40), st.integers(0, 40), readings() | st.just(Tick())), max_size=40)
SAID = st.lists(st.tuples(st.integers(-5, 40), st.integers(0, 40), statements() | st.just(Tick())), max_size=40)


def clocks(steps: list[tuple[int, int, Signal | Tick]]) -> list[tuple[Signal | Tick, Moment]]:
    """Each with its moment: the wall clock jumps, back too; the steady one goes on."""
    wall, steady, told = START, 500.0, []
    for jump, minutes, said in steps:
        wall, steady = wall + timedelta(minutes=jump), steady + minutes * 60
        told.append((said, Moment(wall, steady)))
    return told


@given(st.lists(readings(st.floats(0, 2.499)), max_size=40), st.booleans())
def test_below_the_threshold_nothing_fires_in_any_order(said: list[Signal], twice: bool) -> None:
    for tested in (SINGLE, SEVERAL):
        stand = Stand(tested)
        stand.minute = 30
        findings = [stand.says(one) for one in (said + said if twice else said)]
        assert {type(finding) for finding in findings} <= {Nothing, Doubted}


@given(st.lists(LEVELS, max_size=60), st.sampled_from([SINGLE, rule({"above": 2.5, "clear": 2.2, "for": "3m"})]))
def test_hysteresis_does_not_chatter(levels: list[float], tested: object) -> None:
    stand = Stand(tested)  # type: ignore[arg-type]
    standing = False
    for level in levels:
        finding = stand.after(1, level)
        if isinstance(finding, Fire):
            assert not standing
            assert level >= 2.5
            standing = True
        elif isinstance(finding, Clear):
            assert standing
            assert level < 2.2
            standing = False
        elif standing:
            assert level >= 2.2


LASTING = rule({"above": 2.5, "clear": 2.2, "for": "10m", "range": [0, 4.5], "stuck_after": "3h", "max_step": 1.5})
FALLING = rule({"below": 1.0, "clear": 1.5, "stale_after": "45m"}, match={"max_value": 0.5}, change_by=0.2)
WATCHING = rule({"stale_after": "45m"})


@given(STEPS, st.sampled_from([SINGLE, LASTING, FALLING, WATCHING, SEVERAL, RISING]))
def test_the_short_way_of_what_changes_nothing_leads_where_the_long_one_does(
    steps: list[tuple[int, int, Signal | Tick]], tested: Rule
) -> None:
    short, long = EMPTY, EMPTY
    for said, now in clocks(steps):
        short, found = evaluate(ready(tested), short, said, now)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("alertd.ingest.rules.gauge._uneventful", lambda *_: False)
            long, expected = evaluate(ready(tested), long, said, now)
        assert found == expected
        assert short == long


@given(st.lists(st.floats(2.2, 2.499), max_size=30), st.booleans())
def test_between_clear_and_threshold_nothing_begins_and_nothing_ends(levels: list[float], fired: bool) -> None:
    stand = Stand(SINGLE)
    stand.reads(3.0 if fired else 1.0)
    assert {type(stand.after(1, level)) for level in levels} <= {Nothing}


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True).filter(lambda v: not 0 <= v <= 10), max_size=20))
def test_out_of_range_never_counts(values: list[float]) -> None:
    stand = Stand(rule({"above": 2.5, "range": [0, 10]}))
    assert {type(stand.after(1, value)) for value in values} <= {Doubted}


@given(st.floats(2.5, 10), st.integers(1, 40))
def test_a_stuck_reading_never_counts(value: float, times: int) -> None:
    stand = Stand(rule({"above": 2.5, "for": "29m", "stuck_after": "30m"}))
    findings = [stand.after(15, value) for _ in range(times)]
    assert not any(isinstance(finding, Fire | Clear | Change) for finding in findings)


@given(st.lists(st.tuples(st.floats(0.9, 1.1), st.floats(2.5, 100), st.booleans()), max_size=30))
def test_lone_spikes_never_count(pairs: list[tuple[float, float, bool]]) -> None:
    stand = Stand(rule({"above": 2.5, "max_step": 0.5, "confirm": 1}))
    stand.reads(1.0)
    stand.after(1, 1.0)
    for calm, spike, with_spike in pairs:
        assert isinstance(stand.after(1, calm), Nothing)
        if with_spike:
            finding = stand.after(1, spike)
            assert isinstance(finding, Doubted)
            assert finding.fault is Fault.SPIKE


@given(st.lists(st.floats(0, 5), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_replayed_readings_change_nothing(levels: list[float], chance: object) -> None:
    stand = Stand(SINGLE)
    heard = []
    for level in levels:
        stand.after(1, level)
        heard.append(Signal("pesa", "pesa-1", f"r{stand.count}", stand.wall, sensor="pesa-1", value=level, unit="m"))
    chance.shuffle(heard)  # type: ignore[attr-defined]
    for again in heard:
        finding = stand.says(again._replace(value=5.0 - (again.value or 0.0)))
        assert isinstance(finding, Doubted)
        assert finding.fault is Fault.REPLAYED


@pytest.mark.parametrize("tested", [SEVERAL, SINGLE, RISING], ids=["several", "single", "rising"])
@given(steps=STEPS, cut=st.integers(0, 40))
def test_a_restart_changes_no_later_finding(
    tested: object, steps: list[tuple[int, int, Signal | Tick]], cut: int
) -> None:
    same_after_restart(tested, steps, cut)


@given(SAID, st.integers(0, 40))
def test_a_restart_changes_no_later_finding_of_statements(
    steps: list[tuple[int, int, Signal | Tick]], cut: int
) -> None:
    same_after_restart(SAYING, steps, cut)


def same_after_restart(tested: object, steps: list[tuple[int, int, Signal | Tick]], cut: int) -> None:
    made, straight, restarted = ready(tested), EMPTY, EMPTY  # type: ignore[arg-type]
    for number, (said, now) in enumerate(clocks(steps)):
        if number == cut:
            restarted = from_json(to_json(restarted))
            assert restarted == straight
        straight, expected = evaluate(made, straight, said, now)
        restarted, found = evaluate(made, restarted, said, now)
        assert found == expected
        assert made.rule.name == expected.rule


@given(SAID)
def test_one_alert_stands_at_a_time(steps: list[tuple[int, int, Signal | Tick]]) -> None:
    """Whatever is polled again, a change and an end speak of what was begun, and to those it was begun for."""
    made, memory = ready(SAYING), EMPTY
    standing: dict[str, tuple[str, ...]] = {}
    for said, now in clocks(steps):
        before = memory
        memory, finding = evaluate(made, memory, said, now)
        match finding:
            case Fire(matter=matter, zones=zones):
                standing[matter] = zones
            case Change(matter=matter, zones=zones, left=left):
                assert set(left) == set(standing[matter]) - set(zones)
                standing[matter] = zones
            case Clear(matter=matter, zones=zones):
                assert standing.pop(matter) == zones
            case _:
                assert isinstance(finding, Nothing)
        assert evaluate(made, before, said, now) == (memory, finding)
        _, repeated = evaluate(made, memory, said, now)
        assert isinstance(repeated, Nothing)


@given(SAID | STEPS)
def test_the_cap_holds_in_every_hour(steps: list[tuple[int, int, Signal | Tick]]) -> None:
    for tested in (SAYING, SEVERAL):
        made, memory, sent = ready(tested), EMPTY, []
        for said, now in clocks(steps):
            memory, finding = evaluate(made, memory, said, now)
            if isinstance(finding, Fire | Change) and finding.action is Action.SEND:
                sent.append(now)
            assert sum(now.steady - one.steady < 3600 for one in sent) <= 2
            assert sum(timedelta(0) <= now.at - one.at < timedelta(hours=1) for one in sent) <= 2


@given(st.lists(st.tuples(st.floats(0.1, 600), st.floats(-100, 100)), max_size=300))
def test_the_window_is_bounded_and_its_lows_are_lows(steps: list[tuple[float, float]]) -> None:
    stand = Stand(rule({"rise": 0.5, "within": "1h"}))
    heard: list[tuple[float, float]] = []
    for seconds, value in steps:
        stand.after(seconds / 60, value)
        at = stand.wall.timestamp()
        heard = [(then, level) for then, level in [*heard, (at, value)] if then >= at - 3600]
        (matter,) = stand.memory.matters.values()
        (sensor,) = matter.sensors.values()
        assert len(sensor.lows) <= GRAINS + 2
        assert len(sensor.trail.seen) <= MOST_REVISIONS
        grain = 3600 / GRAINS
        assert min(level for _, level in heard) <= sensor.lows[0][1]
        assert sensor.lows[0][1] <= min(level for then, level in heard if then >= at - 3600 + grain)


def test_memory_is_bounded_and_what_was_told_is_kept_longest() -> None:
    made, memory = ready(SINGLE), EMPTY
    for number in range(MOST_MATTERS + 50):
        at = START + timedelta(seconds=number)
        level = 3.0 if number < 5 else 1.0
        said = Signal("pesa", f"s{number}", "", at, sensor=f"s{number}", value=level)
        memory, _ = evaluate(made, memory, said, Moment(at, float(number)))
    assert MOST_MATTERS - GRAIN <= len(memory.matters) <= MOST_MATTERS
    assert memory.evicted == MOST_MATTERS + 50 - len(memory.matters)
    assert {f"pesa/s{number}" for number in range(5)} < memory.matters.keys()
    assert "pesa/s6" not in memory.matters
    assert from_json(to_json(memory)) == memory


def test_keys_of_any_kind_are_kept_short_and_survive() -> None:
    stand = Stand(rule())
    for key in ("k" * 100_000, "line\nbreak", "\ud800"):
        assert isinstance(stand.warns(key, revision=key, event=key), Fire)
        stand.memory = from_json(to_json(stand.memory))
        assert isinstance(stand.warns(key, revision=key, event=key), Nothing)
    assert max(map(len, stand.memory.spoken)) <= 200


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", '{"version":2,"matters":{},"spoken":{},"sendings":[],"since":null}'],
)
def test_what_is_no_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="this is not a rule's memory"):
        from_json(text)


def test_a_memory_says_its_version() -> None:
    assert json.loads(to_json(Memory()))["version"] == 1


@given(STEPS)
def test_explaining_is_evaluating(steps: list[tuple[int, int, Signal | Tick]]) -> None:
    made, memory = ready(SEVERAL), EMPTY
    for said, now in clocks(steps):
        if isinstance(said, Signal):
            explained = explain(made, memory, said, now)
            memory, finding = evaluate(made, memory, said, now)
            assert (explained.memory, explained.finding) == (memory, finding)
            assert explained.matched == isinstance(finding, Fire | Change)
            assert explained.conditions[-1].name == "result"
        else:
            memory, finding = evaluate(made, memory, said, now)
            assert isinstance(finding, Nothing | Stale)


def words_of(finding: Finding) -> tuple[str, ...]:
    return finding.why if isinstance(finding, Nothing | Doubted) else finding.evidence


@given(STEPS, SAID)
def test_every_finding_says_why_in_one_line_each(
    steps: list[tuple[int, int, Signal | Tick]], said: list[tuple[int, int, Signal | Tick]]
) -> None:
    for tested, told in ((SEVERAL, steps), (RISING, steps), (SAYING, said)):
        memory = EMPTY
        for one, now in clocks(told):
            memory, finding = evaluate(ready(tested), memory, one, now)
            assert words_of(finding)
            assert all(sentence.isprintable() and sentence for sentence in words_of(finding))
