"""Rules on statements: what matches, repeats and revisions, ends, the hourly cap."""

from datetime import timedelta
from typing import Any

import pytest

from alertd.domain.alert import Pair, Severity
from alertd.domain.signal import Colour
from alertd.ingest.rules import Action, Change, Clear, Fire, Nothing, Tick, forget, from_json, to_json
from tests.support.clock import START
from tests.unit.rules_stand import Stand, rule

SEND = {"action": "send", "unattended": True, "hourly_cap": 2}


@pytest.mark.parametrize(
    ("match", "said", "matches"),
    [
        ({}, {}, True),
        ({"source": "PES?"}, {}, True),
        ({"source": "arno"}, {}, False),
        ({"event": "*temporali*"}, {"event": "Temporali forti"}, True),
        ({"event": "*temporali*"}, {"event": "Vento"}, False),
        ({"event": "*"}, {"event": ""}, True),
        ({"sensor": "p*"}, {"sensor": "pesa-1"}, True),
        ({"sensor": "p*"}, {"sensor": "arno-1"}, False),
        ({"min_severity": "moderate"}, {"severity": Severity.SEVERE}, True),
        ({"min_severity": "Severe"}, {"severity": Severity.MODERATE}, False),
        ({"min_severity": "Severe"}, {"severity": Severity.UNKNOWN}, True),
        ({"min_severity": "Minor"}, {}, False),
        ({"min_colour": "gialla"}, {"colour": Colour.RED}, True),
        ({"min_colour": "ARANCIONE"}, {"colour": Colour.YELLOW}, False),
        ({"min_colour": "verde"}, {}, False),
        ({"min_value": 3.5}, {"value": 3.5}, True),
        ({"min_value": 3.5}, {"value": 3.4}, False),
        ({"max_value": 3.5}, {"value": 3.6}, False),
        ({"min_value": 0.0}, {}, False),
        ({"min_value": 0.0}, {"value": float("nan")}, False),
        ({"phase": "allarme"}, {"phase": "Allarme"}, True),
        ({"phase": "allarme"}, {}, False),
        ({"zones": ["Tosc-A1", "Tosc-A2"]}, {"zones": ("Tosc-A2",)}, True),
        ({"zones": ["Tosc-A1"]}, {"zones": ("Tosc-A11",)}, False),
        ({"facts": {"alertname": "Gauge*"}}, {"facts": (Pair("alertname", "GaugeDown"),)}, True),
        ({"facts": {"alertname": "Gauge*"}}, {"facts": (Pair("job", "Gauge"),)}, False),
    ],
)
def test_what_matches(match: dict[str, Any], said: dict[str, Any], matches: bool) -> None:
    finding = Stand(rule(match=match)).warns(**said)
    assert isinstance(finding, Fire if matches else Nothing)


def test_a_poll_repeats_and_a_change_does_not() -> None:
    feed = Stand(rule(match={"min_colour": "gialla"}, zones_by_code={"Tosc-A1": ["048028"], "Tosc-A2": ["048014"]}))
    fired = feed.warns(event="Temporali", colour=Colour.YELLOW, zones=("Tosc-A1",))
    assert isinstance(fired, Fire)
    assert fired.zones == ("048028",)
    assert fired.evidence[1] == 'pesa said "Temporali" (gialla) for Tosc-A1 at 2026-11-21T10:00:00+00:00'
    for _ in range(3):
        feed.minute += 1
        assert isinstance(feed.warns(event="Temporali", colour=Colour.YELLOW, zones=("Tosc-A1",)), Nothing)
    feed.minute += 1
    reworded = feed.warns(
        revision="b", event="Temporali", headline="Altre parole", colour=Colour.YELLOW, zones=("Tosc-A1",)
    )
    assert isinstance(reworded, Nothing)
    assert "another revision that says the same" in reworded.why[0]
    feed.minute += 1
    worse = feed.warns(revision="c", event="Temporali", colour=Colour.RED, zones=("Tosc-A1", "Tosc-A2"))
    assert isinstance(worse, Change)
    assert worse.matter == fired.matter
    assert worse.zones == ("048028", "048014")
    assert worse.evidence[2:] == ("colour was gialla and is rossa", "zones were 048028 and are 048028, 048014")
    feed.minute += 1
    over = feed.warns(revision="d", event="Temporali", colour=Colour.GREEN, zones=("Tosc-A1", "Tosc-A2"))
    assert isinstance(over, Clear)
    assert over.zones == ("048028", "048014")
    assert "colour is verde, not gialla or worse" in over.evidence[1]
    feed.minute += 1
    assert isinstance(feed.warns(revision="e", event="Temporali", colour=Colour.RED, zones=("Tosc-A1",)), Fire)


def test_resolved_clears_only_what_fired() -> None:
    feed = Stand(rule(match={"min_severity": "Severe"}))
    assert isinstance(feed.warns("never", "x", severity=Severity.SEVERE, ended=True), Nothing)
    minor = feed.warns("minor", severity=Severity.MINOR)
    assert isinstance(minor, Nothing)
    assert feed.memory.spoken.keys() == {"pesa/never"}
    assert isinstance(feed.warns("minor", "b", severity=Severity.MINOR, ended=True), Nothing)
    feed.warns("k", severity=Severity.SEVERE)
    assert isinstance(feed.warns("k", severity=Severity.SEVERE, ended=True), Clear)
    assert isinstance(feed.warns("k", severity=Severity.SEVERE, ended=True), Nothing)


def test_an_end_that_overtook_its_beginning() -> None:
    feed = Stand(rule())
    feed.minute = 5
    assert isinstance(feed.warns(revision="end", ended=True), Nothing)
    late = feed.warns(revision="begin", at=START)
    assert isinstance(late, Nothing)
    assert "older than what was last said of it" in late.why[0]


def test_old_revisions_are_not_heard_again() -> None:
    feed = Stand(rule())
    feed.warns(revision="a", colour=Colour.YELLOW)
    assert isinstance(feed.warns(revision="b", colour=Colour.RED), Change)
    again = feed.warns(revision="a", colour=Colour.YELLOW)
    assert isinstance(again, Nothing)
    assert "an earlier revision, heard again" in again.why[0]
    feed.minute += 1
    assert isinstance(feed.warns(revision="a", colour=Colour.YELLOW), Change)


def test_a_statement_dated_ahead_makes_nothing_late() -> None:
    feed = Stand(rule())
    assert isinstance(feed.warns(revision="a", colour=Colour.YELLOW, at=START + timedelta(days=1)), Fire)
    feed.minute += 1
    assert isinstance(feed.warns(revision="b", colour=Colour.RED), Change)


def test_expired_statements_do_not_fire_and_an_extension_is_a_change() -> None:
    feed = Stand(rule())
    hour = timedelta(hours=1)
    assert isinstance(feed.warns("old", expires=START), Nothing)
    feed.warns(revision="a", expires=START + hour)
    assert isinstance(feed.warns(revision="b", expires=START + 2 * hour), Change)
    feed.minute = 121
    ended_by_itself = feed.warns(revision="c", expires=START + 2 * hour)
    assert isinstance(ended_by_itself, Nothing)
    assert isinstance(feed.warns(revision="d", expires=START + 9 * hour), Fire)
    feed.minute += 1
    assert isinstance(feed.warns(revision="e", expires=START), Clear)


def test_what_counts_as_a_change_is_configured() -> None:
    feed = Stand(rule(change_on=["colour"], change_by=0.3))
    feed.warns(value=4.0, severity=Severity.MINOR, phase="attenzione")
    assert isinstance(feed.warns(revision="b", value=4.2, severity=Severity.SEVERE, phase="allarme"), Nothing)
    assert isinstance(feed.warns(revision="c", value=4.4, severity=Severity.SEVERE), Change)


def test_a_simulated_statement_neither_fires_nor_clears() -> None:
    feed = Stand(rule())
    assert isinstance(feed.warns(simulated=True), Nothing)
    assert isinstance(feed.warns(), Fire)
    assert isinstance(feed.warns(revision="b", simulated=True, ended=True), Nothing)
    assert isinstance(feed.says(Tick()), Nothing)


def test_over_the_cap_it_is_a_draft_that_says_so() -> None:
    feed = Stand(rule(**SEND))
    first, second, third = (feed.warns(key) for key in "abc")
    assert isinstance(first, Fire)
    assert isinstance(second, Fire)
    assert isinstance(third, Fire)
    assert [f.action for f in (first, second, third)] == [Action.SEND, Action.SEND, Action.DRAFT]
    assert third.evidence[-1] == "a draft, not sent: the rule sent 2 within the hour, and its hourly cap is 2"
    changed = feed.warns("a", "b", colour=Colour.RED)
    assert isinstance(changed, Change)
    assert changed.action is Action.DRAFT
    cleared = feed.warns("a", "c", ended=True)
    assert isinstance(cleared, Clear)
    assert cleared.action is Action.SEND
    feed.minute = 60
    later = feed.warns("d")
    assert isinstance(later, Fire)
    assert later.action is Action.SEND


def test_no_jump_of_the_clock_makes_room_under_the_cap() -> None:
    feed = Stand(rule(**SEND))
    actions = []
    for number, hours in enumerate((0, 0, 2, -2)):
        feed.jumped = timedelta(hours=hours)
        finding = feed.warns(f"k{number}")
        assert isinstance(finding, Fire)
        actions.append(finding.action)
    assert actions == [Action.SEND, Action.SEND, Action.DRAFT, Action.DRAFT]


def test_an_unknown_severity_is_not_sent_unattended() -> None:
    feed = Stand(rule(match={"min_severity": "Severe"}, **SEND))
    finding = feed.warns(severity=Severity.UNKNOWN)
    assert isinstance(finding, Fire)
    assert finding.action is Action.DRAFT
    assert "the source does not know the severity" in finding.evidence[-1]


def test_what_could_not_be_read_whole_is_not_sent_unattended() -> None:
    feed = Stand(rule(**SEND))
    fired = feed.warns(doubtful=True)
    assert isinstance(fired, Fire)
    assert (fired.action, "could not be read" in fired.evidence[-1]) == (Action.DRAFT, True)


def test_a_statement_that_is_still_listed_does_not_fire_again_once_its_alert_ended() -> None:
    feed = Stand(rule())
    fired = feed.warns()
    assert isinstance(fired, Fire)
    for _ in range(3):
        feed.memory = from_json(to_json(forget(feed.memory, fired.matter)))
        feed.minute += 12 * 60
        assert isinstance(feed.warns(), Nothing)
        assert isinstance(feed.warns(at=START), Nothing)
    assert isinstance(feed.warns(revision="b"), Fire)


def test_a_state_that_is_repeated_fires_again_once_its_alert_ended() -> None:
    feed = Stand(rule())
    fired = feed.warns(at=START, stands=True)
    assert isinstance(fired, Fire)
    for _ in range(3):
        feed.minute += 12 * 60
        assert isinstance(feed.warns(at=START, stands=True), Nothing)
        feed.memory = from_json(to_json(forget(feed.memory, fired.matter)))
        assert isinstance(feed.warns(at=START, stands=True), Fire)
    assert isinstance(feed.warns(revision="over", ended=True), Clear)
    assert isinstance(feed.warns(at=START, stands=True), Nothing)
