"""The conditions of `[rules.match]`, one by one, so that they can be tried fast and explained singly."""

import re
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from alertd.domain.signal import Signal
from alertd.ingest.rules.config import Rule
from alertd.ingest.rules.words import clean


class Check(NamedTuple):
    """One condition: whether it holds, what it wants, and what a signal says of it."""

    name: str
    holds: Callable[[Signal], bool]
    wanted: str
    given: Callable[[Signal], str]


def about(rule: Rule) -> tuple[Check, ...]:
    """What the rule looks at, its source first."""
    return tuple(_about(rule))


def degree(rule: Rule) -> tuple[Check, ...]:
    """How bad it must be, and where."""
    return (*_degree(rule), *_place(rule))


def unmet(check: Check, signal: Signal) -> str:
    return f"{check.name} is {check.given(signal)}, not {check.wanted}"


def sensor_of(signal: Signal) -> str:
    return signal.sensor or signal.key


def _about(rule: Rule) -> Iterator[Check]:
    match = rule.match
    texts: tuple[tuple[str, str | None, Callable[[Signal], str]], ...] = (
        ("source", match.source, attrgetter("source")),
        ("event", match.event, attrgetter("event")),
        ("sensor", match.sensor, sensor_of),
    )
    for name, wanted, given in texts:
        if wanted is not None:
            yield _text(name, match.patterns[name], wanted, given)
    if of := frozenset(rule.reading.of):
        listed = f"one of {', '.join(rule.reading.of)}"
        yield Check("sensor", lambda s: sensor_of(s) in of, listed, _shown(sensor_of))
    for fact, pattern in match.fact_patterns:
        yield _text(f"fact {fact}", pattern, match.facts[fact], _fact(fact))


def _degree(rule: Rule) -> Iterator[Check]:
    match = rule.match
    if match.phase is not None:
        yield _text("phase", match.patterns["phase"], match.phase, lambda s: s.phase or "")
    if (severity := match.min_severity) is not None:
        yield Check(
            "severity",
            lambda s: s.severity is not None and s.severity.rank >= severity.rank,
            f"{severity} or worse",
            lambda s: s.severity or "not said",
        )
    if (colour := match.min_colour) is not None:
        yield Check(
            "colour",
            lambda s: s.colour is not None and s.colour.rank >= colour.rank,
            f"{colour} or worse",
            lambda s: s.colour or "not said",
        )
    if (low := match.min_value) is not None:
        yield Check("value", lambda s: s.value is not None and s.value >= low, f"{low:.10g} or more", _value)
    if (high := match.max_value) is not None:
        yield Check("value", lambda s: s.value is not None and s.value <= high, f"{high:.10g} or less", _value)


def _place(rule: Rule) -> Iterator[Check]:
    if wanted := frozenset(rule.match.zones):
        yield Check("zone", lambda s: not wanted.isdisjoint(s.zones), f"one of {_list(wanted)}", _codes)
    if known := frozenset(rule.zones_by_code):
        listed = f"a code of zones_by_code ({_list(known)})"
        yield Check("zone", lambda s: not known.isdisjoint(s.zones), listed, _codes)


def _text(name: str, pattern: re.Pattern[str], wanted: str, given: Callable[[Signal], str]) -> Check:
    def holds(signal: Signal) -> bool:
        text = given(signal)
        return text == wanted or pattern.match(text) is not None

    return Check(name, holds, f"like {wanted!r}", _shown(given))


def _shown(given: Callable[[Signal], str]) -> Callable[[Signal], str]:
    return lambda signal: repr(clean(given(signal))) if given(signal) else "not said"


def _fact(name: str) -> Callable[[Signal], str]:
    return lambda signal: next((fact.value for fact in signal.facts if fact.value_name == name), "")


def _value(signal: Signal) -> str:
    return "not said" if signal.value is None else f"{signal.value:.10g}"


def _codes(signal: Signal) -> str:
    return clean(", ".join(signal.zones)) or "not said"


def _list(codes: frozenset[str]) -> str:
    shown = sorted(codes)
    return ", ".join(shown[:8]) + (f" and {len(shown) - 8} more" if len(shown) > 8 else "")  # noqa: PLR2004
