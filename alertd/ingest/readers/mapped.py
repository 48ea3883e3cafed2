"""Any JSON, read as a mapping in the configuration says: for each field of a Signal a JSONPath or a constant.

[sources.dighe.fields]
key = {path = "$.id"}
zones = {path = "$.area", map = {"NORD" = "048028"}}
colour = {path = "$.level", map = {"RED" = "rossa", "GREEN" = "verde"}}
event = {value = "Livello della diga"}
"fact.operator" = {path = "$.by"}

`status` says in one word whether the matter still stands or is over, for a sender that repeats itself while it lasts:
status = {path = "$.status", map = {"firing" = "stands", "resolved" = "over"}}
"""

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any, Final, Self

import orjson
from pydantic import Field, field_validator, model_validator

from alertd.domain.alert import Pair, Severity
from alertd.domain.geo import Point
from alertd.domain.signal import Colour, Heard, Signal
from alertd.domain.texts import LIMITS
from alertd.ingest.readers.json_in import load
from alertd.ingest.readers.paths import Path, every
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import moment, number, shown, utc_moment, word

MAX_DOCUMENT: Final = 4 * 1024 * 1024
MAX_ITEMS: Final = 2_000
_FACT: Final = re.compile(r"fact\.[\w.-]{1,100}")
STATUSES: Final = ("stands", "over")
_SEVERAL: Final = frozenset({"zones"})


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{shown(value)} is neither true nor false")  # noqa: TRY004 - of the payload, not of the code
    return value


def _status(value: Any) -> str:
    if value not in STATUSES:
        raise ValueError(f"{shown(value)} is neither {' nor '.join(STATUSES)}")
    return str(value)


def _fact(value: Any) -> str:
    return word(value, LIMITS["value"])


FIELDS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "key": word,
    "revision": word,
    "at": utc_moment,
    "event": lambda value: word(value, LIMITS["event"]),
    "zones": lambda value: word(value, LIMITS["zone"]),
    "severity": Severity,
    "colour": Colour,
    "phase": word,
    "sensor": word,
    "value": number,
    "unit": lambda value: word(value, 40),
    "lat": number,
    "lon": number,
    "onset": moment,
    "expires": moment,
    "ended": _truth,
    "status": _status,
    "simulated": _truth,
    "headline": lambda value: word(value, LIMITS["headline"]),
}


class Origin(Options):
    """Where a field comes from: the `path` into an item, or a constant `value`. `map` translates the words found; a
    word it does not list is a violation, never passed on."""

    path: Path | None = None
    value: str | int | float | bool | None = None
    map: Mapping[str, str | bool] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.path is None) == (self.value is None):
            raise ValueError("needs either a path or a value")
        return self

    @property
    def words(self) -> frozenset[object]:
        """All it can say, as far as that stands in the configuration."""
        if self.map is not None:
            return frozenset(self.map.values())
        return frozenset() if self.value is None else frozenset({self.value})


class Config(Options):
    """`each` leads to the items of a payload that holds several; without it the payload is one. `fields` are those of
    a Signal (`lat` and `lon` for its point) and `fact.NAME`; `key` is needed. Without `revision` it is a digest of
    what was read. `status` takes the place of `ended`: a word that it `stands` is one of the present, so that an alert
    which ended by itself meanwhile is raised anew; without it a repeat is no news."""

    each: Path | None = None
    fields: Mapping[str, Origin] = Field(min_length=1)

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: Mapping[str, Origin]) -> Mapping[str, Origin]:
        for name in fields:
            if name not in FIELDS and not _FACT.fullmatch(name):
                raise ValueError(f"{name!r} is no field; there are {', '.join(FIELDS)} and fact.NAME")
        if "key" not in fields:
            raise ValueError("key is missing: it tells one matter from another")
        if ("lat" in fields) != ("lon" in fields):
            raise ValueError("lat and lon go together")
        if "status" in fields and "ended" in fields:
            raise ValueError("status says whether it has ended: leave out ended")
        if "status" in fields and (unknown := fields["status"].words.difference(STATUSES)):
            raise ValueError(f"status is {' or '.join(STATUSES)}, not {min(map(str, unknown))!r}")
        return fields


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal for each item. An item whose key, colour, severity, value, zone, `ended` or `status` cannot be
    read is lost whole, for without it the signal would say something else; other fields are left out. A path that leads
    nowhere leaves its field empty."""
    notes = Notes()
    document = load(payload, limit=MAX_DOCUMENT)
    try:
        items = [document] if config.each is None else every(config.each, document)
    except ValueError as error:
        raise Fault("each", str(error)) from None
    if len(items) > MAX_ITEMS:
        raise Fault("each", f"leads to {len(items)} items; at most {MAX_ITEMS} are read")
    return notes.heard(_signals(items, config, received, notes))


def _signals(items: Any, config: Config, received: Received, notes: Notes) -> Iterator[Signal]:
    for i, item in enumerate(items):
        fields: dict[str, Any] = {}
        try:
            for name, origin in config.fields.items():
                _take(f"[{i}].{name}", name, origin, item, fields, notes)
            yield _signal(f"[{i}]", fields, received)
        except Fault as fault:
            notes.fault(fault)


_OTHERWISE: Final = frozenset({"lat", "lon", "status"})
"""Fields a Signal holds under other names."""
_SPARE: Final = frozenset({"headline", "event", "unit", "onset", "expires", "at", "lat", "lon"})
"""Fields without which a signal still says the same, if less."""


def _take(where: str, name: str, origin: Origin, item: Any, fields: dict[str, Any], notes: Notes) -> None:
    read_as: Callable[[Any], Any] = FIELDS.get(name, _fact)
    try:
        found = [_translated(value, origin) for value in _found(origin, item, several=name in _SEVERAL)]
        values = [read_as(value) for value in found if value is not None]
    except ValueError as error:
        if name not in _SPARE and name in FIELDS:
            raise Fault(where, str(error)) from None
        notes.odd(where, f"left out: {error}")
        return
    if values:
        fields[name] = tuple(values) if name in _SEVERAL else values[0]


def _found(origin: Origin, item: Any, *, several: bool) -> list[Any]:
    if origin.path is None:
        return [origin.value]
    found = [value for value in every(origin.path, item) if value is not None]
    if several:
        return [one for value in found for one in (value if isinstance(value, list) else [value])]
    if len(found) > 1:
        raise ValueError(f"{origin.path} leads to {len(found)} values; which one is meant cannot be known")
    return found


def _translated(value: Any, origin: Origin) -> Any:
    if origin.map is None:
        return value
    name = str(value).lower() if isinstance(value, bool) else str(value)
    if name not in origin.map:
        raise ValueError(f"{shown(value)} is not in the map")
    return origin.map[name]


def _signal(where: str, fields: dict[str, Any], received: Received) -> Signal:
    if "key" not in fields:
        raise Fault(f"{where}.key", "leads to nothing")
    digest = sha256(orjson.dumps(fields, default=str, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]
    facts = tuple(Pair(name.removeprefix("fact."), text) for name, text in fields.items() if name not in FIELDS)
    own = {name: value for name, value in fields.items() if name in FIELDS and name not in _OTHERWISE}
    if "status" in fields:
        own |= {"ended": fields["status"] == "over", "stands": fields["status"] == "stands"}
    try:
        point = Point(fields["lat"], fields["lon"]) if "lat" in fields and "lon" in fields else None
    except ValueError as error:
        raise Fault(f"{where}.lat", str(error)) from None
    given = {"revision": digest, "at": received.at, **own}
    return Signal(received.source, point=point, facts=facts, **given)
