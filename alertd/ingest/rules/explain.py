"""A dry run that says of each condition whether it held: what `alertd ingest test` shows."""

from collections.abc import Iterator
from typing import NamedTuple

from alertd.domain.signal import Signal
from alertd.ingest.rules import words
from alertd.ingest.rules.evaluate import evaluate
from alertd.ingest.rules.finding import Change, Clear, Doubted, Finding, Fire, Moment, Nothing
from alertd.ingest.rules.gauge import matter_of, sensor_in
from alertd.ingest.rules.latch import said
from alertd.ingest.rules.memory import Memory
from alertd.ingest.rules.ready import Ready


class Condition(NamedTuple):
    """`holds` is None where it was not reached, since an earlier one failed."""

    name: str
    holds: bool | None
    says: str


class Explanation(NamedTuple):
    """`matched`: the rule has something to tell people. `memory` is the one to explain the next signal with."""

    rule: str
    matched: bool
    conditions: tuple[Condition, ...]
    finding: Finding
    memory: Memory


def explain(ready: Ready, memory: Memory, signal: Signal, now: Moment) -> Explanation:
    """Each condition of the rule against the signal, and what the rule finds. Nothing is sent."""
    after, finding = evaluate(ready, memory, signal, now)
    conditions = (*_matching(ready, signal), *_measuring(ready, after, signal, finding), _told(finding))
    return Explanation(ready.rule.name, isinstance(finding, Fire | Change), conditions, finding, after)


def _matching(ready: Ready, signal: Signal) -> Iterator[Condition]:
    for check in (ready.source, *ready.about, *ready.degree):
        holds = check.holds(signal)
        relation = "is" if holds else "is not"
        yield Condition(check.name, holds, f"{check.given(signal)} {relation} {check.wanted}")
    yield Condition("simulated", not signal.simulated, "simulated, never an alarm" if signal.simulated else "real")


def _measuring(ready: Ready, after: Memory, signal: Signal, finding: Finding) -> Iterator[Condition]:
    if not ready.rule.is_reading:
        return
    reading = ready.rule.reading
    key = matter_of(ready, signal)
    matter = after.matters.get(key)
    sensor = matter.sensors.get(sensor_in(ready, signal, key)) if matter else None
    reached = (
        matter is not None
        and sensor is not None
        and ready.source.holds(signal)
        and ready.not_about(signal) is None
        and not signal.simulated
    )
    if not reached or matter is None or sensor is None or signal.value is None:
        yield Condition("reading", None, "not judged")
        return
    if isinstance(finding, Doubted):
        yield Condition("believed", holds=False, says="; ".join(finding.why))
        return
    yield Condition("believed", holds=True, says=words.reading(signal))
    holds = sensor.over if reading.edge is not None else sensor.rising
    if reading.judges:
        yield Condition("threshold", holds if reading.rise is None else holds and sensor.rising, said(reading, sensor))
    if reading.of:
        counting = sum(one.counts for one in matter.sensors.values())
        says = f"{counting} of {len(reading.of)} sensors say so; {reading.at_least} are asked"
        yield Condition("at_least", counting >= reading.at_least, says)
    if reading.lasting_seconds:
        held = matter.held
        says = "it does not hold" if held is None else f"it has held for {words.length(held)}"
        enough = held is not None and held >= reading.lasting_seconds
        yield Condition("for", enough, f"{says}; {words.length(reading.lasting_seconds)} are asked")


def _told(finding: Finding) -> Condition:
    match finding:
        case Fire(action=action, zones=zones):
            return Condition("result", holds=True, says=f"a new alert ({action}) for {', '.join(zones)}")
        case Change(action=action, zones=zones):
            return Condition("result", holds=True, says=f"an update ({action}) for {', '.join(zones)}")
        case Clear(zones=zones):
            return Condition("result", holds=True, says=f"an all-clear for {', '.join(zones)}")
        case Nothing() | Doubted():
            return Condition("result", holds=False, says="; ".join(finding.why))
        case _:
            return Condition("result", holds=False, says="a notice to the operators")
