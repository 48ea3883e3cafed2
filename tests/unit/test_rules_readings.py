"""Rules on readings: thresholds, hysteresis, durations, several sensors, rises, silence, and what is not believed."""

from datetime import timedelta

import pytest

from alertd.domain.alert import Severity
from alertd.ingest.rules import Action, Change, Clear, Doubted, Fault, Fire, Nothing, Stale, forget, note, resumed
from tests.support.clock import START
from tests.unit.rules_stand import Stand, rule

LEVEL = {"above": 2.5, "clear": 2.2}


def test_a_gauge_climbs_through_its_threshold_and_falls_again() -> None:
    gauge = Stand(rule(LEVEL))
    below = gauge.reads(2.4)
    assert isinstance(below, Nothing)
    assert below.why == ("pesa-1 (pesa) read 2.4 m at 2026-11-21T10:00:00+00:00: below the threshold of 2.5 m",)
    fired = gauge.after(10, 2.61)
    assert isinstance(fired, Fire)
    assert (fired.action, fired.zones, fired.signals[0].value) == (Action.DRAFT, ("048028",), 2.61)
    assert fired.evidence == (
        "Rule prova began",
        "pesa-1 (pesa) read 2.61 m at 2026-11-21T10:10:00+00:00: at or above the threshold of 2.5 m",
    )
    assert isinstance(gauge.after(10, 2.9), Nothing)
    between = gauge.after(10, 2.3)
    assert isinstance(between, Nothing)
    assert "not yet below 2.2 m, where it ends" in between.why[0]
    over = gauge.after(10, 2.1)
    assert isinstance(over, Clear)
    assert over.zones == ("048028",)
    assert isinstance(gauge.after(10, 2.4), Nothing)
    assert isinstance(gauge.after(10, 2.5), Fire)


def test_reaching_the_threshold_counts_and_without_clear_it_ends_below_it() -> None:
    gauge = Stand(rule({"above": 2.5}))
    assert isinstance(gauge.reads(2.5), Fire)
    assert isinstance(gauge.after(1, 2.5), Nothing)
    assert isinstance(gauge.after(1, 2.499), Clear)


def test_a_threshold_from_above() -> None:
    gauge = Stand(rule({"below": 0.0, "clear": 1.0}))
    assert isinstance(gauge.reads(0.1), Nothing)
    assert isinstance(gauge.after(1, 0.0), Fire)
    assert isinstance(gauge.after(1, 1.0), Nothing)
    assert isinstance(gauge.after(1, 1.1), Clear)


def test_each_sensor_is_its_own_matter() -> None:
    gauges = Stand(rule(LEVEL))
    first, second = gauges.reads(3.0, "a"), gauges.reads(3.0, "b")
    assert isinstance(first, Fire)
    assert isinstance(second, Fire)
    assert first.matter != second.matter
    cleared = gauges.after(1, 1.0, "a")
    assert isinstance(cleared, Clear)
    assert cleared.matter == first.matter


def test_a_duration_is_confirmed_by_readings() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m"}))
    assert isinstance(gauge.reads(3.0), Nothing)
    waiting = gauge.after(6, 3.0)
    assert isinstance(waiting, Nothing)
    assert waiting.why[1] == "it has held for 6 min of the 10 min asked"
    fired = gauge.after(4, 3.1)
    assert isinstance(fired, Fire)
    assert fired.evidence[-1] == "held for 10 min; 10 min are asked"


def test_a_duration_begins_anew_when_the_condition_ends() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m"}))
    gauge.reads(3.0)
    gauge.after(9, 1.0)
    assert isinstance(gauge.after(9, 3.0), Nothing)
    assert isinstance(gauge.after(10, 3.0), Fire)


def test_a_value_between_the_marks_does_not_complete_a_duration() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m"}))
    gauge.reads(3.0)
    gauge.after(9, 3.0)
    assert isinstance(gauge.after(1, 2.3), Nothing)
    assert isinstance(gauge.after(1, 3.0), Nothing)
    assert isinstance(gauge.after(10, 3.0), Fire)
    assert isinstance(gauge.after(1, 2.3), Nothing)


def test_a_jump_of_the_wall_clock_makes_no_duration() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m"}))
    gauge.reads(3.0)
    gauge.jumped = timedelta(minutes=30)
    assert isinstance(gauge.after(1, 3.0), Nothing)
    assert isinstance(gauge.after(8, 3.0), Nothing)
    assert isinstance(gauge.after(1, 3.0), Fire)


def test_readings_that_arrive_all_at_once_make_no_duration() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m"}))
    for minute in range(40, 0, -1):
        assert isinstance(gauge.reads(3.0, at=gauge.wall - timedelta(minutes=minute)), Nothing)


def test_a_silence_breaks_a_duration() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m", "stale_after": "15m"}))
    gauge.reads(3.0)
    assert isinstance(gauge.after(16, 3.0), Nothing)
    assert isinstance(gauge.after(10, 3.0), Fire)


def test_time_alone_never_fires() -> None:
    gauge = Stand(rule({**LEVEL, "for": "10m"}))
    gauge.reads(3.0)
    assert isinstance(gauge.tick(30), Nothing)
    assert isinstance(gauge.tick(31), Stale)
    assert isinstance(gauge.tick(600), Nothing)


def test_two_of_three_sensors() -> None:
    gauges = Stand(rule({**LEVEL, "of": ["a", "b", "c"], "at_least": 2}))
    lone = gauges.reads(3.0, "a")
    assert isinstance(lone, Nothing)
    assert lone.why[1] == "1 of 3 sensors say so and 2 are asked"
    assert isinstance(gauges.reads(1.0, "b"), Nothing)
    stranger = gauges.reads(3.0, "d")
    assert isinstance(stranger, Nothing)
    assert "sensor is 'd', not one of a, b, c" in stranger.why[0]
    fired = gauges.after(5, 2.8, "c")
    assert isinstance(fired, Fire)
    text = note(fired.evidence)
    assert "c (pesa) read 2.8 m at 2026-11-21T10:05:00+00:00" in text
    assert "a read 3 m at 2026-11-21T10:00:00+00:00: at or above the threshold of 2.5 m" in text
    assert "b read 1 m" in text
    assert "2 of 3 sensors say so; 2 are asked" in text
    assert isinstance(gauges.after(1, 3.0, "b"), Nothing)
    assert isinstance(gauges.after(1, 1.0, "a"), Nothing)
    assert isinstance(gauges.after(1, 1.0, "b"), Clear)


def test_a_word_of_long_ago_does_not_count_with_others() -> None:
    gauges = Stand(rule({**LEVEL, "of": ["a", "b"], "at_least": 2, "stale_after": "30m"}))
    gauges.reads(3.0, "a")
    assert isinstance(gauges.after(31, 3.0, "b"), Nothing)
    assert isinstance(gauges.reads(3.0, "a"), Fire)


def test_silence_of_one_does_not_clear() -> None:
    gauges = Stand(rule({**LEVEL, "of": ["a", "b"], "at_least": 2, "stale_after": "30m"}))
    gauges.reads(3.0, "a")
    assert isinstance(gauges.reads(3.0, "b"), Fire)
    assert isinstance(gauges.tick(31), Stale)
    assert isinstance(gauges.after(30, 3.0, "b"), Nothing)
    assert isinstance(gauges.reads(1.0, "a"), Clear)


def test_the_rate_of_rise() -> None:
    gauge = Stand(rule({"rise": 0.5, "within": "1h"}))
    for value in (1.0, 1.2, 1.1, 1.4):
        assert isinstance(gauge.after(10, value), Nothing)
    fired = gauge.after(10, 1.5)
    assert isinstance(fired, Fire)
    assert "risen by 0.5 m where 0.5 m within 1 h is asked" in fired.evidence[1]
    assert isinstance(gauge.after(10, 1.5), Nothing)
    assert isinstance(gauge.after(50, 1.5), Clear)


def test_a_slow_rise_is_none() -> None:
    gauge = Stand(rule({"rise": 0.5, "within": "1h"}))
    findings = [gauge.after(30, 1.0 + 0.2 * n) for n in range(20)]
    assert {type(finding) for finding in findings} == {Nothing}


def test_threshold_and_rise_must_hold_together() -> None:
    gauge = Stand(rule({**LEVEL, "rise": 0.5, "within": "1h"}))
    assert isinstance(gauge.reads(2.6), Nothing)
    assert isinstance(gauge.after(10, 3.0), Nothing)
    assert isinstance(gauge.after(10, 3.2), Fire)


def test_silence_is_a_notice_of_its_own_once() -> None:
    gauge = Stand(rule({**LEVEL, "stale_after": "30m"}))
    gauge.reads(1.0)
    assert isinstance(gauge.tick(30), Nothing)
    stale = gauge.tick(1)
    assert isinstance(stale, Stale)
    assert stale.sensors == ("pesa/pesa-1",)
    assert "the last was 1 m at 2026-11-21T10:00:00+00:00" in stale.evidence[0]
    assert isinstance(gauge.tick(60), Nothing)
    gauge.reads(1.0)
    assert isinstance(gauge.tick(31), Stale)


def test_a_sensor_never_heard_is_silent_too() -> None:
    gauges = Stand(rule({**LEVEL, "of": ["a", "b"], "stale_after": "30m"}))
    assert isinstance(gauges.tick(0), Nothing)
    gauges.after(10, 1.0, "a")
    stale = gauges.tick(21)
    assert isinstance(stale, Stale)
    assert stale.sensors == ("b",)
    assert "none was ever believed" in stale.evidence[0]


def test_a_jump_of_the_wall_clock_or_a_reboot_is_no_silence() -> None:
    gauge = Stand(rule({**LEVEL, "stale_after": "30m"}))
    gauge.after(500, 1.0)
    gauge.jumped = timedelta(hours=5)
    assert isinstance(gauge.tick(1), Nothing)
    gauge.minute = 0
    assert isinstance(gauge.tick(0), Nothing)
    assert isinstance(gauge.tick(31), Stale)


def test_a_pause_of_the_daemon_is_no_silence() -> None:
    gauge = Stand(rule({**LEVEL, "of": ["a", "b"], "stale_after": "30m"}))
    gauge.tick(0)
    gauge.reads(1.0, "a")
    gauge.minute = 300
    gauge.memory = resumed(gauge.memory, gauge.now)
    assert isinstance(gauge.tick(30), Nothing)
    assert isinstance(gauge.tick(1), Stale)


def test_a_rule_that_only_watches_never_fires() -> None:
    gauge = Stand(rule({"stale_after": "30m"}))
    assert isinstance(gauge.reads(1e9), Nothing)
    assert isinstance(gauge.tick(31), Stale)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 10.1])
def test_what_no_sensor_measures_is_doubted(value: float) -> None:
    gauge = Stand(rule({**LEVEL, "range": [0, 10]}))
    doubted = gauge.reads(value)
    assert isinstance(doubted, Doubted)
    assert doubted.fault in {Fault.NOT_FINITE, Fault.OUT_OF_RANGE}
    assert doubted.first
    again = gauge.after(1, value)
    assert isinstance(again, Doubted)
    assert not again.first
    assert isinstance(gauge.after(1, 3.0), Fire)


def test_out_of_range_says_why() -> None:
    doubted = Stand(rule({**LEVEL, "range": [0, 10]})).reads(99.0)
    assert isinstance(doubted, Doubted)
    (why,) = doubted.why
    assert why.startswith(
        "pesa-1 (pesa): the reading of 99 m at 2026-11-21T10:00:00+00:00 is not believed (out of range)"
    )
    assert why.endswith(": the sensor measures from 0 m to 10 m")


def test_a_stuck_sensor_neither_fires_nor_clears() -> None:
    gauge = Stand(rule({**LEVEL, "for": "40m", "stuck_after": "45m"}))
    assert isinstance(gauge.reads(3.0), Nothing)
    for _ in range(3):
        assert isinstance(gauge.after(12, 3.0), Nothing)
    stuck = gauge.after(12, 3.0)
    assert isinstance(stuck, Doubted)
    assert stuck.fault is Fault.STUCK
    assert "it has not changed since 2026-11-21T10:00:00+00:00" in stuck.why[0]
    assert isinstance(gauge.after(1, 3.1), Fire)
    low = Stand(rule({**LEVEL, "stuck_after": "45m"}))
    low.reads(3.0)
    for _ in range(30):
        assert not isinstance(low.after(10, 1.5), Fire)


def test_a_lone_spike_never_fires() -> None:
    gauge = Stand(rule({**LEVEL, "max_step": 0.5, "confirm": 1}))
    assert isinstance(gauge.reads(1.0), Doubted)
    assert isinstance(gauge.after(1, 1.0), Nothing)
    spike = gauge.after(1, 9.0)
    assert isinstance(spike, Doubted)
    assert spike.fault is Fault.SPIKE
    assert "a step of 8 from 1" in spike.why[0]
    assert isinstance(gauge.after(1, 1.1), Nothing)
    assert isinstance(gauge.after(1, 7.0), Doubted)
    assert isinstance(gauge.after(1, 1.1), Nothing)


def test_a_flash_flood_is_believed_after_readings_in_line() -> None:
    gauge = Stand(rule({**LEVEL, "max_step": 0.5}))
    for value in (1.0, 1.0, 1.0):
        gauge.after(1, value)
    assert isinstance(gauge.after(1, 3.0), Doubted)
    assert isinstance(gauge.after(1, 3.3), Doubted)
    assert isinstance(gauge.after(1, 3.6), Fire)


def test_replayed_and_late_readings_are_not_believed() -> None:
    gauge = Stand(rule(LEVEL))
    gauge.after(10, 1.0, revision="x")
    late = gauge.reads(3.0, at=START + timedelta(minutes=5))
    assert isinstance(late, Doubted)
    assert late.fault is Fault.REPLAYED
    same_time = gauge.reads(3.0)
    assert isinstance(same_time, Doubted)
    stamped_anew = gauge.after(1, 3.0, revision="x")
    assert isinstance(stamped_anew, Doubted)
    assert stamped_anew.fault is Fault.REPLAYED


def test_readings_of_another_time_are_not_believed() -> None:
    gauge = Stand(rule(LEVEL))
    old = gauge.reads(3.0, at=START - timedelta(minutes=61))
    assert isinstance(old, Doubted)
    assert old.fault is Fault.OLD
    ahead = gauge.reads(3.0, at=START + timedelta(minutes=6))
    assert isinstance(ahead, Doubted)
    assert ahead.fault is Fault.AHEAD


def test_a_clock_set_back_does_not_deafen_the_rule() -> None:
    gauge = Stand(rule(LEVEL))
    gauge.jumped = timedelta(hours=3)
    gauge.reads(1.0)
    gauge.jumped = timedelta(0)
    assert isinstance(gauge.after(1, 3.0), Fire)


def test_a_simulated_reading_changes_nothing() -> None:
    gauge = Stand(rule(LEVEL))
    gauge.reads(3.0)
    before = gauge.memory
    assert isinstance(gauge.after(1, 9.0, simulated=True), Nothing)
    assert isinstance(gauge.after(1, 0.0, simulated=True), Nothing)
    assert isinstance(gauge.after(1, None, simulated=True, ended=True), Nothing)
    assert gauge.memory is before


def test_a_signal_without_a_value_or_of_another_kind_is_not_judged() -> None:
    gauge = Stand(rule(LEVEL, {"event": "LIV*"}))
    assert isinstance(gauge.reads(3.0), Fire)
    assert isinstance(gauge.after(1, None), Nothing)
    battery = gauge.after(1, 0.1, event="batteria")
    assert isinstance(battery, Nothing)
    assert "event is 'batteria', not like 'LIV*'" in battery.why[0]


def test_the_source_may_say_that_it_is_over() -> None:
    gauges = Stand(rule({**LEVEL, "of": ["a", "b"]}))
    assert isinstance(gauges.after(1, None, "a", ended=True), Nothing)
    gauges.reads(3.0, "a")
    gauges.reads(3.0, "b")
    assert isinstance(gauges.after(1, None, "a", ended=True), Nothing)
    assert isinstance(gauges.after(-5, None, "b", ended=True), Nothing)
    assert isinstance(gauges.after(9, None, "b", ended=True), Clear)
    assert isinstance(gauges.after(1, None, "b", ended=True), Nothing)


def test_another_zone_is_a_change() -> None:
    by_code = {"Nord": ["n1", "n2"], "Sud": ["s1"]}
    gauges = Stand(rule({**LEVEL, "of": ["a", "b"]}, zones_by_code=by_code))
    elsewhere = gauges.reads(3.0, "a", zones=("Est",))
    assert isinstance(elsewhere, Nothing)
    assert "zone is Est, not a code of zones_by_code (Nord, Sud)" in elsewhere.why[1]
    fired = gauges.after(1, 3.0, "a", zones=("Nord",))
    assert isinstance(fired, Fire)
    assert fired.zones == ("n1", "n2")
    changed = gauges.after(1, 3.0, "b", zones=("Sud",), severity=Severity.SEVERE)
    assert isinstance(changed, Change)
    assert (changed.zones, changed.left) == (("n1", "n2", "s1"), ())
    assert "severity was not said and is Severe" in changed.evidence
    fewer = gauges.after(1, 1.0, "a", zones=("Nord",))
    assert isinstance(fewer, Change)
    assert (fewer.zones, fewer.left) == (("s1",), ("n1", "n2"))


def test_a_larger_value_is_a_change_where_asked() -> None:
    gauge = Stand(rule(LEVEL, change_by=0.5))
    gauge.reads(2.6)
    assert isinstance(gauge.after(1, 3.0), Nothing)
    changed = gauge.after(1, 3.2)
    assert isinstance(changed, Change)
    assert changed.evidence[-1] == "value was 2.6 and is 3.2"
    assert isinstance(gauge.after(1, 3.5), Nothing)


def test_a_forgotten_matter_fires_again() -> None:
    gauge = Stand(rule(LEVEL))
    fired = gauge.reads(3.0)
    assert isinstance(fired, Fire)
    gauge.memory = forget(gauge.memory, fired.matter)
    assert isinstance(gauge.after(1, 3.0), Fire)
    assert forget(gauge.memory, "unknown") is gauge.memory
