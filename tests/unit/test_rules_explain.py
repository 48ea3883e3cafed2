"""What `alertd ingest test` can show of a rule: each condition, whether it held, and what would come of it."""

from alertd.domain.signal import Colour, Signal
from alertd.ingest.rules import (
    EMPTY,
    Clear,
    Condition,
    Doubted,
    Explanation,
    Fire,
    Moment,
    Nothing,
    explain,
    note,
    ready,
)
from alertd.ingest.rules.words import length
from tests.support.clock import START
from tests.unit.rules_stand import rule

NOW = Moment(START, 100.0)
GAUGE = ready(rule({"above": 2.5, "for": "10m", "of": ["a", "b"], "range": [0, 9]}, {"event": "livello"}))


def said(value: float, sensor: str = "a", event: str = "livello", **more: bool) -> Signal:
    return Signal("pesa", sensor, "", START, event=event, sensor=sensor, value=value, unit="m", **more)


def by_name(explanation: Explanation) -> dict[str, Condition]:
    return {condition.name: condition for condition in explanation.conditions}


def test_each_condition_of_a_reading() -> None:
    explained = explain(GAUGE, EMPTY, said(3.0), NOW)
    assert [(c.name, c.holds) for c in explained.conditions] == [
        ("source", True),
        ("event", True),
        ("sensor", True),
        ("simulated", True),
        ("believed", True),
        ("threshold", True),
        ("at_least", True),
        ("for", False),
        ("result", False),
    ]
    assert by_name(explained)["for"].says == "it has held for 0 s; 10 min are asked"
    assert not explained.matched


def test_what_is_not_reached_is_not_judged() -> None:
    explained = explain(GAUGE, EMPTY, said(3.0, "c", "batteria"), NOW)
    found = by_name(explained)
    assert not found["event"].holds
    assert found["event"].says == "'batteria' is not like 'livello'"
    assert not found["sensor"].holds
    assert found["reading"].holds is None
    assert isinstance(explained.finding, Nothing)


def test_a_reading_that_is_not_believed() -> None:
    explained = explain(GAUGE, EMPTY, said(99.0), NOW)
    assert isinstance(explained.finding, Doubted)
    assert not by_name(explained)["believed"].holds
    assert "measures from 0 m to 9 m" in by_name(explained)["believed"].says


def test_a_simulated_one() -> None:
    found = by_name(explain(GAUGE, EMPTY, said(3.0, simulated=True), NOW))
    assert not found["simulated"].holds
    assert found["reading"].holds is None


def test_a_statement_and_its_end() -> None:
    made = ready(rule(match={"min_colour": "gialla"}))
    fired = explain(made, EMPTY, Signal("pesa", "k", "a", START, colour=Colour.RED), NOW)
    assert fired.matched
    assert isinstance(fired.finding, Fire)
    assert by_name(fired)["result"].says == "a new alert (draft) for 048028"
    assert by_name(fired)["colour"].says == "rossa is gialla or worse"
    over = explain(made, fired.memory, Signal("pesa", "k", "b", START, colour=Colour.GREEN), NOW)
    assert isinstance(over.finding, Clear)
    assert not over.matched
    assert by_name(over)["result"].says == "an all-clear for 048028"


def test_the_note_holds_whole_sentences_only() -> None:
    assert note(["one", "two"]) == "one. two."
    assert note(["x" * 1500, "y" * 600, "z"]) == f"{'x' * 1500}."


def test_lengths_are_worded_in_the_largest_whole_unit() -> None:
    assert [length(s) for s in (5, 90, 600, 3600, 5400, 36_000, 86_400, 864_000)] == [
        "5 s",
        "90 s",
        "10 min",
        "1 h",
        "90 min",
        "10 h",
        "1 d",
        "10 d",
    ]
