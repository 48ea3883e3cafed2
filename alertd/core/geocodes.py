"""Areas of documents other systems wrote: which configured zones their geocodes name.

A geocode counts where its value is a zone's code (never a name) and its valueName speaks of the zone's scheme: the
same six digits are a municipality under ISTAT and a county under FIPS6. What it names is added to what the shapes of
the area select, since CAP reads an area as the union of all it holds (3.2.4).
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from alertd.domain.alert import Area, Info, Pair
from alertd.domain.problems import Problem
from alertd.ports.territory import Territory


def zoned(infos: Iterable[Info], territory: Territory) -> tuple[Info, ...]:
    """The infos with the zones that the geocodes of each area name."""
    return tuple(replace(info, area=tuple(_zoned(area, territory) for area in info.area)) for info in infos)


def nowhere(infos: Iterable[Info]) -> Iterator[Problem]:
    """Areas of which nothing selects a zone, once `zoned`. Whether a shape does is the territory's business."""
    for i, info in enumerate(infos):
        for j, area in enumerate(info.area):
            if not (area.zones or area.polygons or area.circles):
                told = ", ".join(f"{pair.value_name}={pair.value}" for pair in area.geocodes)[:200]
                why = f"none of its geocodes is a configured zone ({told})" if told else "it has no geocode either"
                yield Problem(("info", i, "area", j), f"selects no zone: no polygon or circle, and {why}")


def _zoned(area: Area, territory: Territory) -> Area:
    named = (_zone(pair, territory) for pair in area.geocodes)
    codes = dict.fromkeys(code for code in named if code is not None)
    return replace(area, zones=tuple(codes)) if codes else area


def _zone(geocode: Pair, territory: Territory) -> str | None:
    value = geocode.value.strip()
    try:
        zone = territory.find(value)
    except ValueError:  # several zones have that name, and a name is no code
        return None
    if zone is None or zone.code.casefold() != value.casefold():
        return None
    return zone.code if _letters(zone.scheme) in _letters(geocode.value_name) else None


def _letters(name: str) -> str:
    """`ISTAT`, `istat_code` and `urn:istat:comune` speak of one scheme."""
    return "".join(character for character in name.casefold() if character.isalnum())
