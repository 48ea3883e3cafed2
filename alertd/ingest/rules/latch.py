"""Thresholds and rises of one sensor, with hysteresis: begun where the rule says, over only where it says."""

from typing import Final, NamedTuple

from alertd.ingest.rules.memory import Sensor
from alertd.ingest.rules.reading import Reading
from alertd.ingest.rules.words import amount, length

GRAINS: Final = 60
"""The lows within `within` are kept to a sixtieth of it, so that they stay few however fast readings come."""


class Latch(NamedTuple):
    over: bool
    rising: bool
    lows: tuple[tuple[float, float], ...]


def latched(reading: Reading, sensor: Sensor, value: float, at: float, *, standing: bool) -> Latch:
    """How the sensor stands after a believed reading. `standing`: there is an alert, so what began is over only at its
    end; until there is one, a value between the two marks does not count, and so does not complete a duration."""
    over = _over(reading, value, was=standing and sensor.over)
    if reading.rise is None:
        return Latch(over, rising=False, lows=())
    lows = _lows(sensor.lows, value, at, reading.within_seconds)
    risen = value - lows[0][1]
    rising = risen > 0 and risen >= (reading.end_rise if standing and sensor.rising else reading.rise)
    return Latch(over, rising, lows)


def reached(reading: Reading, value: float) -> bool:
    """Whether a value alone, with nothing before it, reaches the threshold."""
    return _over(reading, value, was=False)


def holds(reading: Reading, stands: Latch | Sensor) -> bool:
    """Whether all that is asked of the value holds."""
    return reading.judges and (stands.over or reading.edge is None) and (stands.rising or reading.rise is None)


def said(reading: Reading, sensor: Sensor) -> str:
    """How the sensor stands to the thresholds, for evidence."""
    parts = []
    if reading.edge is not None:
        parts.append(_edge(reading, sensor))
    if reading.rise is not None and sensor.lows and sensor.value is not None:
        risen = amount(sensor.value - sensor.lows[0][1], sensor.unit)
        asked = f"{amount(reading.rise, sensor.unit)} within {length(reading.within_seconds)}"
        parts.append(f"risen by {risen} where {asked} is asked")
    return " and ".join(parts) or "no threshold is set"


def _edge(reading: Reading, sensor: Sensor) -> str:
    up = reading.above is not None
    limit = amount(reading.edge or 0.0, sensor.unit)
    if not sensor.over:
        return f"{'below' if up else 'above'} the threshold of {limit}"
    value = reading.end if sensor.value is None else sensor.value
    if value >= (reading.edge or 0.0) if up else value <= (reading.edge or 0.0):
        return f"at or {'above' if up else 'below'} the threshold of {limit}"
    return f"not yet {'below' if up else 'above'} {amount(reading.end, sensor.unit)}, where it ends"


def _over(reading: Reading, value: float, *, was: bool) -> bool:
    if reading.above is not None:
        return value >= (reading.end if was else reading.above)
    if reading.below is not None:
        return value <= (reading.end if was else reading.below)
    return False


def _lows(
    lows: tuple[tuple[float, float], ...], value: float, at: float, within: float
) -> tuple[tuple[float, float], ...]:
    """The least values of the window, oldest first and rising: whatever a later reading undercuts is gone. At most
    one a grain, the lowest, so a low counts for at most one grain too short."""
    kept = [low for low in lows if at - within <= low[0] <= at and low[1] < value]
    grain = within / GRAINS
    if kept and kept[-1][0] // grain == at // grain:
        return tuple(kept)
    return (*kept, (at, value))
