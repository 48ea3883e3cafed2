"""What one rule remembers between two readings: a plain value, bounded, that survives a restart as JSON.

Times are seconds since 1970; `steady` ones are of the clock that never steps.
"""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from alertd.domain.alert import Severity
from alertd.domain.signal import Colour
from alertd.ingest.rules.finding import Fault, Moment
from alertd.ingest.rules.slots import kept

MOST_MATTERS: Final = 16_384
"""Of one rule. The one heard of longest ago is forgotten first, and one that was told of only when no other is left."""
MOST_REVISIONS: Final = 8
_LONGEST_KEY: Final = 200


class Told(NamedTuple):
    """What an alert says that a later word may change."""

    severity: Severity | None = None
    colour: Colour | None = None
    phase: str | None = None
    zones: tuple[str, ...] = ()
    onset: float | None = None
    expires: float | None = None
    value: float | None = None


class Trail(NamedTuple):
    """What a sensor sent, believed or not: the time of its newest reading, the last revisions, since when and how often
    in a row it sent the `same` value, and a `step` that is not believed yet."""

    newest: float | None = None
    seen: tuple[str, ...] = ()
    same: float | None = None
    same_since: float = 0.0
    same_count: int = 0
    step: float | None = None
    step_count: int = 0


class Sensor(NamedTuple):
    """One sensor. `at`, `value` and `unit` are of the last reading believed, heard at `steady`. While an alert stands,
    `over` and `rising` are latched until their end is reached; `counts`: all the conditions hold. `lows` are the least
    values of late, `fault` why the readings since are not believed, `told` what it would have an alert say."""

    steady: float
    trail: Trail = Trail()
    at: float | None = None
    value: float | None = None
    unit: str = ""
    over: bool = False
    rising: bool = False
    counts: bool = False
    lows: tuple[tuple[float, float], ...] = ()
    fault: Fault | None = None
    silent: bool = False
    told: Told = Told()


class Matter(NamedTuple):
    """The sensors that one alert is about. `held` is how long the condition has held, None while it does not;
    `told` what was last said of it, None unless an alert stands."""

    sensors: Mapping[str, Sensor] = {}
    held: float | None = None
    held_at: float = 0.0
    held_steady: float = 0.0
    told: Told | None = None


class Spoken(NamedTuple):
    """What a source last said under one key. `seen` are revisions older than `revision`. `lapsed`: its alert ended by
    itself, which only a Signal that `stands` takes for a reason to tell it anew."""

    at: float
    revision: str
    seen: tuple[str, ...] = ()
    told: Told | None = None
    lapsed: bool = False


class Sending(NamedTuple):
    """When something was sent unattended, on both hands."""

    at: float
    steady: float


class Memory(NamedTuple):
    """Never changed; every evaluation makes the next. `since` is the steady time at which watching began, `evicted` how
    many matters were forgotten for want of room."""

    matters: Mapping[str, Matter] = {}
    spoken: Mapping[str, Spoken] = {}
    sendings: tuple[Sending, ...] = ()
    since: float | None = None
    evicted: int = 0


EMPTY: Final = Memory()


def with_matter(memory: Memory, key: str, matter: Matter) -> Memory:
    """The memory with this matter, the one heard of last."""
    matters, evicted = kept(memory.matters, key, matter, MOST_MATTERS)
    return Memory(matters, memory.spoken, memory.sendings, memory.since, memory.evicted + evicted)


def with_spoken(memory: Memory, key: str, spoken: Spoken) -> Memory:
    """The memory with what was said under this key."""
    slots, evicted = kept(memory.spoken, key, spoken, MOST_MATTERS)
    return memory._replace(spoken=slots, evicted=memory.evicted + evicted)


def token(text: str) -> str:
    """A stranger's key or revision as it is kept: itself, or its digest where it is long or not printable."""
    if len(text) <= _LONGEST_KEY and text.isprintable():
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def matter_of(source: str, key: str) -> str:
    """The matter of what a source says under this key."""
    return token(f"{source}/{key}")


def renamed(memory: Memory, old: str, new: str) -> Memory:
    """What was said of two matters is of one, known as `new` from now on: the last word counts, and what of either an
    alert says still stands."""
    if old not in memory.spoken or old == new:
        return memory
    spoken = {matter: said for matter, said in memory.spoken.items() if matter not in (old, new)}
    first, last = sorted((memory.spoken[old], memory.spoken.get(new, memory.spoken[old])), key=lambda said: said.at)
    spoken[new] = last if last.told is not None else last._replace(told=first.told)
    return memory._replace(spoken=spoken)


def forget(memory: Memory, matter: str) -> Memory:
    """Nothing stands of the matter any more, for its alert ended by itself. A reading that still holds fires again; so
    does a repeated statement where it says that the matter stands (`Signal.stands`), and any new revision. What was
    said once and is merely still listed does not."""
    if known := memory.matters.get(matter):
        return memory._replace(matters={**memory.matters, matter: known._replace(told=None)})
    if said := memory.spoken.get(matter):
        return memory._replace(spoken={**memory.spoken, matter: said._replace(told=None, lapsed=True)})
    return memory


def resumed(memory: Memory, now: Moment) -> Memory:
    """After a pause of the daemon: silence counts from now, since nobody was there to listen."""
    matters = {
        key: matter._replace(sensors={n: s._replace(steady=now.steady) for n, s in matter.sensors.items()})
        for key, matter in memory.matters.items()
    }
    return memory._replace(matters=matters, since=None if memory.since is None else now.steady)


@checked(frozen=True, slots=True)
class _Document:
    version: Literal[1]
    matters: Annotated[dict[str, Matter], Field(max_length=MOST_MATTERS)]
    spoken: Annotated[dict[str, Spoken], Field(max_length=MOST_MATTERS)]
    sendings: tuple[Sending, ...]
    since: float | None
    evicted: int = 0


_DOCUMENT: Final = TypeAdapter(_Document)


def to_json(memory: Memory) -> bytes:
    matters, spoken = dict(memory.matters), dict(memory.spoken)
    return _DOCUMENT.dump_json(_Document(1, matters, spoken, memory.sendings, memory.since, memory.evicted))


def from_json(text: bytes | str) -> Memory:
    """Raises ValueError where it is not what `to_json` wrote."""
    try:
        read = _DOCUMENT.validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        where = ".".join(map(str, fault["loc"])) or "the document"
        raise ValueError(f"this is not a rule's memory: {where}: {fault['msg']}") from None
    return Memory(read.matters, read.spoken, read.sendings, read.since, read.evicted)
