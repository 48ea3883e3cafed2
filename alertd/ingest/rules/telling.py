"""What was told of a matter against what would be told now: one alert per change, not per poll."""

from collections.abc import Iterable
from datetime import datetime
from math import isfinite

from alertd.domain.signal import Signal
from alertd.ingest.rules.config import Rule, Says
from alertd.ingest.rules.memory import Told
from alertd.ingest.rules.words import amount, clean, second


def told_of(rule: Rule, signal: Signal) -> Told:
    """What an alert about one statement would say."""
    value = signal.value if signal.value is not None and isfinite(signal.value) else None
    return Told(
        signal.severity,
        signal.colour,
        clean(signal.phase) if signal.phase else None,
        rule.zones_of(signal.zones),
        _stamp(signal.onset),
        _stamp(signal.expires),
        value,
    )


def told_together(tellings: Iterable[Told]) -> Told:
    """What an alert about several sensors would say: the worst of each, and every zone."""
    every = tuple(tellings)
    severities = [told.severity for told in every if told.severity]
    colours = [told.colour for told in every if told.colour]
    return Told(
        severity=max(severities, key=lambda severity: severity.rank, default=None),
        colour=max(colours, key=lambda colour: colour.rank, default=None),
        zones=tuple(dict.fromkeys(zone for told in every for zone in told.zones)),
    )


def changes(rule: Rule, before: Told, after: Told) -> tuple[str, ...]:
    """What the rule would say otherwise, a sentence each; empty where it would say the same."""
    found = [
        f"{name} was {old or 'not said'} and is {new or 'not said'}"
        for name, old, new in _pairs(before, after)
        if old != new and name in rule.change_on
    ]
    if Says.ZONES in rule.change_on and set(before.zones) != set(after.zones):
        found.append(f"zones were {', '.join(before.zones)} and are {', '.join(after.zones)}")
    if _moved(before.value, after.value, rule.change_by):
        found.append(f"value was {amount(before.value or 0.0, '')} and is {amount(after.value or 0.0, '')}")
    return tuple(found)


def lapsed(told: Told, wall: float) -> bool:
    """Whether the alert has ended by its own `expires`."""
    return told.expires is not None and told.expires <= wall


def _moved(before: float | None, after: float | None, least: float | None) -> bool:
    return None not in (before, after, least) and abs((after or 0.0) - (before or 0.0)) >= (least or 0.0)


def _pairs(before: Told, after: Told) -> tuple[tuple[Says, str | None, str | None], ...]:
    return (
        (Says.SEVERITY, before.severity, after.severity),
        (Says.COLOUR, before.colour, after.colour),
        (Says.PHASE, before.phase, after.phase),
        (Says.ONSET, _time(before.onset), _time(after.onset)),
        (Says.EXPIRES, _time(before.expires), _time(after.expires)),
    )


def _stamp(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _time(at: float | None) -> str | None:
    return None if at is None else second(at)
