"""Earthquakes as FDSN event text (FDSN Web Services 1.2, event, format=text), as INGV serves it.

Magnitude and origin are revised, so the key is the EventID and the revision what was found. An event that is felt in
none of our zones is `ended`: where it was thought to be felt before, the matter is over; where not, nothing begins.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Self

from pydantic import Field, model_validator

from alertd.domain.alert import Pair
from alertd.domain.geo import Point
from alertd.domain.signal import Heard, Signal
from alertd.domain.texts import LIMITS
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers, bounded
from alertd.ingest.readers.values import facts_of, line, number, utc_moment, word

MAX_TEXT: Final = 4 * 1024 * 1024
MAX_EVENTS: Final = 10_000
EARTH_KM: Final = 6371.0088
"""The mean radius of the Earth (IUGG)."""

_NEEDED: Final = ("eventid", "time", "latitude", "longitude", "magnitude")


class Felt(Options):
    """From this magnitude on, an event is felt as far as so many kilometres from its epicentre."""

    magnitude: float = Field(ge=-2, le=10)
    km: float = Field(gt=0, le=2_000)


class Config(Options):
    """`felt` by rising magnitude; below the first nothing is felt. The table here is a cautious start for shallow
    earthquakes, not a seismological statement: an office sets its own. `types` of event that count."""

    felt: tuple[Felt, ...] = Field(
        (
            Felt(magnitude=2.5, km=10),
            Felt(magnitude=3.0, km=20),
            Felt(magnitude=3.5, km=40),
            Felt(magnitude=4.0, km=70),
            Felt(magnitude=4.5, km=110),
            Felt(magnitude=5.0, km=160),
            Felt(magnitude=5.5, km=230),
            Felt(magnitude=6.0, km=320),
        ),
        min_length=1,
    )
    types: frozenset[str] = frozenset({"earthquake"})

    @model_validator(mode="after")
    def _rising(self) -> Self:
        for lower, upper in zip(self.felt, self.felt[1:], strict=False):
            if upper.magnitude <= lower.magnitude or upper.km < lower.km:
                raise ValueError("felt: each row needs a greater magnitude than the one above, and no shorter reach")
        return self

    def reach(self, magnitude: float) -> float:
        """Kilometres; 0 where nobody would feel it."""
        return max((row.km for row in self.felt if row.magnitude <= magnitude), default=0.0)


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal for each event: `value` the magnitude, `unit` its type, `zones` those whose place lies within reach,
    nearest first. An empty body (HTTP 204) says that there was none."""
    notes = Notes()
    rows = bounded(payload, MAX_TEXT).decode("utf-8", errors="replace").splitlines()
    first = next((i for i, row in enumerate(rows) if row.strip()), None)
    if first is None:
        return Heard(())
    columns = _columns(rows[first])
    if len(rows) - first - 1 > MAX_EVENTS:
        raise Fault("payload", f"{len(rows) - first - 1} events; at most {MAX_EVENTS} are read")
    if not received.places:
        notes.lost("places", "no zone has a place: no event can be said to be felt anywhere")
    return notes.heard(_signals(rows, first, columns, config, received, notes))


def _columns(header: str) -> dict[str, int]:
    """Column by name: `#EventID | Time | …`, spelled with or without blanks, `Depth/km` or `Depth/Km`."""
    names = [name.strip().lower() for name in header.lstrip("\ufeff# ").split("|")]
    columns = {name: i for i, name in enumerate(names)}
    if missing := [name for name in _NEEDED if name not in columns]:
        raise Fault("line 1", f"is no header of FDSN event text: {', '.join(missing)} missing")
    return columns


def _signals(
    rows: list[str], first: int, columns: Mapping[str, int], config: Config, received: Received, notes: Notes
) -> Iterator[Signal]:
    for i, row in enumerate(rows[first + 1 :], first + 2):
        if not row.strip() or row.startswith("#"):
            continue
        cells = [cell.strip() for cell in row.split("|")]
        if len(cells) <= max(columns[name] for name in _NEEDED):
            notes.lost(f"line {i}", f"has {len(cells)} columns of {len(columns)}")
            continue
        event = {name: cells[at] if at < len(cells) else "" for name, at in columns.items()}
        try:
            yield _signal(event, f"line {i}", config, received, notes)
        except ValueError as error:
            notes.lost(f"line {i}", str(error))


class _Reached(NamedTuple):
    km: float
    zone: str


def _signal(event: Mapping[str, str], where: str, config: Config, received: Received, notes: Notes) -> Signal:
    epicentre = Point(number(event["latitude"]), number(event["longitude"]))
    magnitude, kind = number(event["magnitude"]), event.get("magtype", "")
    what = event.get("eventtype") or "earthquake"
    reach = config.reach(magnitude) if what.lower() in config.types else 0.0
    places = sorted(_Reached(distance_km(epicentre, place), zone) for zone, place in received.places.items())
    felt = [reached for reached in places if reached.km <= reach] if reach else []
    facts = {
        "depth_km": event.get("depth/km"),
        "author": event.get("author"),
        "place": event.get("eventlocationname"),
        "nearest_km": f"{places[0].km:.0f}" if places else None,
        "felt_km": f"{reach:g}",
    }
    return Signal(
        received.source,
        key=word(event["eventid"], 100),
        revision=f"{kind} {magnitude:g} {epicentre} {what}",
        at=utc_moment(event["time"]),
        event=line(what, LIMITS["event"], notes, where),
        zones=tuple(reached.zone for reached in felt),
        value=magnitude,
        unit=line(kind, 40, notes, where),
        point=epicentre,
        ended=not felt,
        headline=line(event.get("eventlocationname"), LIMITS["headline"], notes, where),
        facts=_sound(facts, notes, where),
    )


def _sound(given: dict[str, str | None], notes: Notes, where: str) -> tuple[Pair, ...]:
    return facts_of({name: text for name, text in given.items() if text != "--"}, notes, where)


def distance_km(here: Point, there: Point) -> float:
    """Along the great circle, by the haversine formula; within 0.5 % of the ellipsoid's."""
    lat, to = math.radians(here.lat), math.radians(there.lat)
    half = math.sin((to - lat) / 2) ** 2
    half += math.cos(lat) * math.cos(to) * math.sin(math.radians(there.lon - here.lon) / 2) ** 2
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
