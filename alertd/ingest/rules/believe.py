"""Whether a reading is believed: what no working sensor sends never reaches a threshold."""

from math import isfinite
from typing import Final, NamedTuple

from alertd.domain.signal import Signal
from alertd.ingest.rules.finding import Fault
from alertd.ingest.rules.memory import MOST_REVISIONS, Sensor, Trail, token
from alertd.ingest.rules.reading import Reading
from alertd.ingest.rules.words import amount, clean, length, moment, second

AHEAD_SECONDS: Final = 300.0
"""How far a reading may be dated ahead of our clock."""
STUCK_COUNT: Final = 3
"""Two equal readings are a coincidence."""


class Doubt(NamedTuple):
    fault: Fault
    why: str


def believe(
    reading: Reading, sensor: Sensor, signal: Signal, value: float, at: float, wall: float
) -> tuple[Trail, Doubt | None]:
    """What is now known to have been sent, and why the reading is not to be used, None if it is. `at` is when it was
    measured and `wall` what our clock says, in seconds since 1970."""
    trail = sensor.trail
    if not isfinite(value):
        return trail, Doubt(Fault.NOT_FINITE, "the value is not a number")
    revision = token(signal.revision)
    if doubt := _time(reading, trail, revision, at, wall):
        return trail, doubt
    trail = _noted(trail, revision, at, value)
    if reading.range is not None and not reading.range[0] <= value <= reading.range[1]:
        low, high = (amount(mark, clean(signal.unit)) for mark in reading.range)
        return trail, Doubt(Fault.OUT_OF_RANGE, f"the sensor measures from {low} to {high}")
    if reading.stuck_seconds and trail.same_count >= STUCK_COUNT and at - trail.same_since >= reading.stuck_seconds:
        since = f"it has not changed since {second(trail.same_since)}"
        return trail, Doubt(Fault.STUCK, f"{since}, longer than {length(reading.stuck_seconds)}")
    if reading.max_step is not None:
        return _stepped(trail, sensor.value, value, reading.max_step, reading.confirm)
    return trail, None


def _time(reading: Reading, trail: Trail, revision: str, at: float, wall: float) -> Doubt | None:
    if at > wall + AHEAD_SECONDS:
        return Doubt(Fault.AHEAD, f"it is dated ahead of our clock, which says {second(wall)}")
    if wall - at > reading.stale_seconds:
        return Doubt(Fault.OLD, f"it is older than {length(reading.stale_seconds)} at {second(wall)}")
    if revision and revision in trail.seen:
        return Doubt(Fault.REPLAYED, "this very reading was heard before")
    # A newest reading that lies ahead of the clock was dated by a clock since set back: it bars nothing.
    if trail.newest is not None and at <= trail.newest <= wall + AHEAD_SECONDS:
        return Doubt(Fault.REPLAYED, f"it is not newer than the last one, of {second(trail.newest)}")
    return None


def _noted(trail: Trail, revision: str, at: float, value: float) -> Trail:
    seen = (*trail.seen[1 - MOST_REVISIONS :], revision) if revision else trail.seen
    if value == trail.same and at > trail.same_since:
        return Trail(at, seen, value, trail.same_since, trail.same_count + 1, trail.step, trail.step_count)
    return Trail(at, seen, value, at, 1, trail.step, trail.step_count)


def _stepped(trail: Trail, last: float | None, value: float, most: float, confirm: int) -> tuple[Trail, Doubt | None]:
    """A lone spike never counts. A step that later readings stay in line with is the world's, not the sensor's:
    a flash flood must not lock the gauge out for ever."""
    if last is not None and abs(value - last) <= most:
        return (trail if trail.step is None else trail._replace(step=None, step_count=0)), None
    in_line = trail.step is not None and abs(value - trail.step) <= most
    count = trail.step_count + 1 if in_line else 0
    if count >= confirm:
        return trail._replace(step=None, step_count=0), None
    if last is None:
        why = "there is no believed reading to compare it with"
    else:
        why = f"a step of {amount(abs(value - last), '')} from {amount(last, '')}"
    why = f"{why}; {count} of {confirm} later readings are in line with it"
    return trail._replace(step=value, step_count=count), Doubt(Fault.SPIKE, why)


def described(signal: Signal, doubt: Doubt) -> str:
    value = "" if signal.value is None else f" of {amount(signal.value, clean(signal.unit))}"
    name = clean(signal.sensor or signal.key)
    kind = doubt.fault.value.replace("_", " ")
    return f"{name} ({signal.source}): the reading{value} at {moment(signal.at)} is not believed ({kind}): {doubt.why}"
