"""Rules, evaluated purely: a rule, what it remembers, what is said and the time go in; what it remembers then and
one finding come out. Nothing else is read, nothing is changed."""

from alertd.domain.signal import Signal
from alertd.ingest.rules import words
from alertd.ingest.rules.finding import Finding, Moment, Nothing, Stale, Tick
from alertd.ingest.rules.gauge import TOGETHER, read
from alertd.ingest.rules.memory import Matter, Memory, Sensor, token
from alertd.ingest.rules.ready import Ready
from alertd.ingest.rules.statement import listen


def evaluate(ready: Ready, memory: Memory, said: Signal | Tick, now: Moment) -> tuple[Memory, Finding]:
    """What the rule finds, and what it remembers afterwards; the memory given is as it was.

    Keep the new memory only when the finding is safely stored: repeated with the old one, the finding is the same.
    """
    if isinstance(said, Tick):
        return _tick(ready, memory, now)
    rule = ready.rule
    if not ready.source.holds(said):
        return memory, Nothing(rule.name, (f"{said.source} is not its source",))
    if said.simulated:
        return memory, Nothing(rule.name, (f"{words.saying(said)}: simulated, and so never an alarm",))
    if not rule.is_reading:
        return listen(ready, memory, said, now)
    if unmet := ready.not_about(said):
        return memory, Nothing(rule.name, (f"{words.saying(said)}: {unmet}",))
    return read(ready, memory, said, now)


def _tick(ready: Ready, memory: Memory, now: Moment) -> tuple[Memory, Finding]:
    rule = ready.rule
    if not rule.is_reading:
        return memory, Nothing(rule.name, ("time alone changes nothing",))
    if memory.since is None or memory.since > now.steady:
        memory = memory._replace(since=now.steady)
    matters = dict(memory.matters)
    if rule.reading.of:
        matters[TOGETHER] = _expected(rule.reading.of, matters.get(TOGETHER, Matter({})), memory.since or 0.0)
    changed = matters.get(TOGETHER) is not memory.matters.get(TOGETHER)
    fallen: list[tuple[str, Sensor]] = []
    for key, matter in matters.items():
        heard = {name: _waited(sensor, now, rule.reading.stale_seconds) for name, sensor in matter.sensors.items()}
        fallen += [(name, sensor) for name, sensor in heard.items() if sensor.silent > matter.sensors[name].silent]
        if heard != matter.sensors:
            matters[key], changed = matter._replace(sensors=heard), True
    if changed:  # else there is nothing to keep
        memory = memory._replace(matters=matters)
    if not fallen:
        return memory, Nothing(rule.name, ("no sensor fell silent",))
    evidence = tuple(_silence(name, sensor, rule.reading.stale_seconds) for name, sensor in fallen)
    return memory, Stale(rule.name, tuple(name for name, _ in fallen), evidence)


def _expected(of: tuple[str, ...], matter: Matter, since: float) -> Matter:
    """Sensors that were never heard are waited for since watching began."""
    unheard = {token(name): Sensor(since) for name in of if token(name) not in matter.sensors}
    return matter._replace(sensors={**matter.sensors, **unheard}) if unheard else matter


def _waited(sensor: Sensor, now: Moment, stale_seconds: float) -> Sensor:
    """Silence is measured by the steady clock alone. One that stands before the last reading was started anew since,
    and the waiting begins again."""
    if now.steady < sensor.steady:
        return sensor._replace(steady=now.steady)
    if sensor.silent or now.steady - sensor.steady <= stale_seconds:
        return sensor
    return sensor._replace(silent=True)


def _silence(name: str, sensor: Sensor, stale_seconds: float) -> str:
    if sensor.at is None or sensor.value is None:
        last = "none was ever believed"
    else:
        last = f"the last was {words.amount(sensor.value, sensor.unit)} at {words.second(sensor.at)}"
    doubt = f" (later ones not believed: {sensor.fault})" if sensor.fault else ""
    return f"{name} has sent no believable reading for longer than {words.length(stale_seconds)}; {last}{doubt}"
