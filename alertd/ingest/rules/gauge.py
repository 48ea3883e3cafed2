"""A reading of a sensor against a rule: believed or not, over or not, together with the others, for long enough."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from alertd.domain.signal import Signal
from alertd.ingest.rules import words
from alertd.ingest.rules.believe import believe, described
from alertd.ingest.rules.finding import Doubted, Finding, Moment, Nothing
from alertd.ingest.rules.latch import Latch, holds, latched, reached, said
from alertd.ingest.rules.match import sensor_of
from alertd.ingest.rules.memory import Matter, Memory, Sensor, Told, Trail, token, with_matter
from alertd.ingest.rules.outcome import begin, change, end
from alertd.ingest.rules.reading import Reading
from alertd.ingest.rules.ready import Ready
from alertd.ingest.rules.telling import changes, told_of, told_together

TOGETHER: Final = "of"
"""The one matter of a rule that counts its sensors together."""


_FRESH: Final = Matter()
_UNHEARD: Final = Sensor(0.0)


def matter_of(ready: Ready, signal: Signal) -> str:
    """Sensors counted together are one matter; otherwise each is its own."""
    return TOGETHER if ready.rule.reading.of else token(f"{signal.source}/{sensor_of(signal)}")


def sensor_in(ready: Ready, signal: Signal, matter: str) -> str:
    """The sensor's name among those of its matter."""
    return token(sensor_of(signal)) if ready.rule.reading.of else matter


def read(ready: Ready, memory: Memory, signal: Signal, now: Moment) -> tuple[Memory, Finding]:
    """Judge a signal the rule is about, by its value."""
    key = matter_of(ready, signal)
    name = sensor_in(ready, signal, key)
    if signal.ended:
        return _ended(ready, memory, key, name, signal)
    if (value := signal.value) is None:
        return memory, Nothing(ready.rule.name, (f"{words.saying(signal)}: it has no value to judge",))
    at, wall = signal.at.timestamp(), now.at.timestamp()
    matter = memory.matters.get(key, _FRESH)
    sensor = matter.sensors.get(name) or Sensor(now.steady)
    trail, doubt = believe(ready.rule.reading, sensor, signal, value, at, wall)
    if doubt:
        sensor = sensor._replace(trail=trail, fault=doubt.fault)
        first = matter.sensors.get(name, _UNHEARD).fault is not doubt.fault
        memory = with_matter(memory, key, matter._replace(sensors={**matter.sensors, name: sensor}))
        return memory, Doubted(ready.rule.name, key, doubt.fault, first, (described(signal, doubt),))
    if _uneventful(ready.rule.reading, matter, value):
        unit = sensor.unit if signal.unit == sensor.unit else words.clean(signal.unit)
        sensor = Sensor(now.steady, trail, at, value, unit, told=sensor.told)
        matter = Matter({name: sensor}, None, matter.held_at, matter.held_steady)
        return with_matter(memory, key, matter), Nothing(
            ready.rule.name, partial(_why_not, ready, matter, name, signal), signal
        )
    latch = latched(ready.rule.reading, sensor, value, at, standing=matter.told is not None)
    before, sensor = sensor, _believed(ready, sensor, trail, latch, signal, now.steady)
    matter = _held(ready.rule.reading, matter, {**matter.sensors, name: sensor}, at, wall, now.steady)
    turned = sensor.counts is not before.counts
    memory, finding = _decide(ready, memory, key, matter, name, signal, now)
    return memory, finding._replace(turned=True) if turned and isinstance(finding, Nothing) else finding


def _uneventful(reading: Reading, matter: Matter, value: float) -> bool:
    """Whether a believed reading of a lone sensor changes no standing: nothing was told or held, and the threshold is
    not reached. What follows would come to the same; of the many readings that come nearly all are so."""
    if matter.told is not None or matter.held is not None or reading.of or reading.rise is not None:
        return False
    return not reached(reading, value)


def _believed(ready: Ready, sensor: Sensor, trail: Trail, latch: Latch, signal: Signal, steady: float) -> Sensor:
    counts = holds(ready.rule.reading, latch) and ready.not_so(signal) is None
    told = told_of(ready.rule, signal)._replace(onset=None, expires=None, phase=None) if counts else sensor.told
    unit = sensor.unit if signal.unit == sensor.unit else words.clean(signal.unit)
    at = trail.newest
    return Sensor(steady, trail, at, signal.value, unit, latch.over, latch.rising, counts, latch.lows, told=told)


def _held(
    reading: Reading, matter: Matter, sensors: Mapping[str, Sensor], at: float, wall: float, steady: float
) -> Matter:
    """How long the condition has held: by the readings' own times, but never faster than the steady clock, and anew
    after a silence. So neither a jump of a clock nor a pause of the daemon makes a duration."""
    held, held_at, held_steady, told = matter.held, matter.held_at, matter.held_steady, matter.told
    if not _enough(reading, sensors, wall):
        return Matter(sensors, None, held_at, held_steady, told)
    gap = at - held_at
    if held is None or gap > reading.stale_seconds:
        return Matter(sensors, 0.0, at, steady, told)
    if gap <= 0:
        return Matter(sensors, held, held_at, held_steady, told)
    return Matter(sensors, held + min(gap, max(0.0, steady - held_steady)), at, steady, told)


def _enough(reading: Reading, sensors: Mapping[str, Sensor], wall: float) -> bool:
    """Whether as many sensors as asked say so, and said so of late."""
    saying = 0
    for sensor in sensors.values():
        if sensor.counts and sensor.at is not None and wall - sensor.at <= reading.stale_seconds:
            saying += 1
    return saying >= reading.at_least


def _decide(
    ready: Ready, memory: Memory, key: str, matter: Matter, name: str, signal: Signal, now: Moment
) -> tuple[Memory, Finding]:
    rule, reading = ready.rule, ready.rule.reading
    if matter.told is None and (matter.held is None or matter.held < reading.lasting_seconds):
        why_not = partial(_why_not, ready, matter, name, signal)
        return with_matter(memory, key, matter), Nothing(rule.name, why_not, signal)
    counting = [sensor.told for sensor in matter.sensors.values() if sensor.counts]
    if matter.told is not None:
        if len(counting) < reading.at_least:
            memory = with_matter(memory, key, matter._replace(told=None))
            return memory, end(rule, key, matter.told, signal, _evidence(ready, matter, name, signal))
        telling = told_together(counting)._replace(value=_value(ready, matter.told, signal))
        if different := changes(rule, matter.told, telling):
            memory = with_matter(memory, key, matter._replace(told=telling))
            evidence = (*_evidence(ready, matter, name, signal), *different)
            return change(rule, memory, key, matter.told, telling, signal, evidence, now)
        stands = partial(_told_already, ready, matter, name)
        return with_matter(memory, key, matter), Nothing(rule.name, stands, signal)
    telling = told_together(counting)._replace(value=signal.value)
    memory = with_matter(memory, key, matter._replace(told=telling))
    return begin(rule, memory, key, telling, signal, _evidence(ready, matter, name, signal), now)


def _ended(ready: Ready, memory: Memory, key: str, name: str, signal: Signal) -> tuple[Memory, Finding]:
    """The source itself says that it is over for this sensor."""
    rule = ready.rule
    matter = memory.matters.get(key)
    sensor = matter.sensors.get(name) if matter else None
    if matter is None or sensor is None:
        return memory, Nothing(rule.name, (f"{words.saying(signal)}: over, and nothing had begun",))
    if sensor.trail.newest is not None and signal.at.timestamp() < sensor.trail.newest:
        return memory, Nothing(rule.name, (f"{words.saying(signal)}: an end older than the last reading",))
    sensor = sensor._replace(over=False, rising=False, counts=False)
    matter = matter._replace(sensors={**matter.sensors, name: sensor})
    counting = sum(s.counts for s in matter.sensors.values())
    if counting >= rule.reading.at_least:
        return with_matter(memory, key, matter), Nothing(rule.name, (f"{words.saying(signal)}: over, others go on",))
    memory = with_matter(memory, key, matter._replace(told=None, held=None))
    evidence = (f"{words.saying(signal)}: over",)
    if matter.told is None:
        return memory, Nothing(rule.name, evidence)
    return memory, end(rule, key, matter.told, signal, evidence)


def _value(ready: Ready, told: Told, signal: Signal) -> float | None:
    """For sensors counted together one value says nothing of all of them."""
    return told.value if ready.rule.reading.of else signal.value


def _stands(ready: Ready, matter: Matter, name: str) -> str:
    return said(ready.rule.reading, matter.sensors[name])


def _told_already(ready: Ready, matter: Matter, name: str) -> tuple[str, ...]:
    return _stands(ready, matter, name), "told already"


def _why_not(ready: Ready, matter: Matter, name: str, signal: Signal) -> tuple[str, ...]:
    reading, sensor = ready.rule.reading, matter.sensors[name]
    line = _stands(ready, matter, name)
    if matter.held is not None:
        waited = f"it has held for {words.length(matter.held)} of the {words.length(reading.lasting_seconds)} asked"
        return line, waited
    if holds(reading, sensor) and not sensor.counts:
        return line, f"not counted: {ready.not_so(signal)}"
    if not reading.of:
        return (line,)
    counting = sum(s.counts for s in matter.sensors.values())
    return line, f"{counting} of {len(reading.of)} sensors say so and {reading.at_least} are asked"


def _evidence(ready: Ready, matter: Matter, name: str, signal: Signal) -> tuple[str, ...]:
    """Every reading the decision rests on, this one first."""
    reading = ready.rule.reading
    lines = [f"{words.reading(signal)}: {_stands(ready, matter, name)}"]
    for other, sensor in matter.sensors.items():
        if other == name or sensor.at is None or sensor.value is None:
            continue
        value = f"{other} read {words.amount(sensor.value, sensor.unit)} at {words.second(sensor.at)}"
        doubt = f", later readings not believed ({sensor.fault})" if sensor.fault else ""
        lines.append(f"{value}: {said(reading, sensor)}{doubt}")
    if matter.held is not None and reading.lasting_seconds:
        lines.append(f"held for {words.length(matter.held)}; {words.length(reading.lasting_seconds)} are asked")
    if reading.of:
        counting = sum(s.counts for s in matter.sensors.values())
        lines.append(f"{counting} of {len(reading.of)} sensors say so; {reading.at_least} are asked")
    return tuple(lines)
