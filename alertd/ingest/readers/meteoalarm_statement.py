"""The statements of one MeteoAlarm message that concern us: one per awareness type, period and zone, whatever the
number of languages it is made in."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

import shapely

from alertd.domain.geo import Polygon
from alertd.ingest.readers.json_in import mapping, sequence
from alertd.ingest.readers.received import Notes
from alertd.ingest.readers.values import moment, shown, word

MAX_INFOS, MAX_AREAS = 200, 2_000
EMMA_ID: Final = "EMMA_ID"
_LEADING: Final = re.compile(r"\s*([0-9]{1,2})\s*(?:;|$)")


class Statement(NamedTuple):
    """`level` and `kind` are the leading integers of awareness_level and awareness_type; `zone` an EMMA_ID, or the
    description of an area that our polygon meets. `info` is the one in the wanted language."""

    level: int
    kind: int
    zone: str
    area: str
    onset: datetime | None
    expires: datetime | None
    level_text: str
    kind_text: str
    info: dict[str, Any]


def statements(
    document: dict[str, Any], where: str, zones: tuple[str, ...], polygon: str | None, language: str, notes: Notes
) -> Iterator[Statement]:
    """In the order of their onset. Raises Fault where the message has no infos to read."""
    ours = None if polygon is None else _shape(polygon)
    said: dict[tuple[object, ...], Statement] = {}
    for i, info in enumerate(sequence(document.get("info"), f"{where}.info", limit=MAX_INFOS)):
        here = f"{where}.info[{i}]"
        places = dict(_places(mapping(info, here), here, zones, ours, notes))
        made = _statement(info, here, notes) if places else None
        if made is None:
            continue
        for zone, area in places.items():
            one = made._replace(zone=zone, area=area)
            same = (one.level, one.kind, zone, one.onset, one.expires)
            if same not in said or _speaks(info, language) > _speaks(said[same].info, language):
                said[same] = one
    yield from sorted(said.values(), key=lambda one: one.onset.timestamp() if one.onset else 0.0)


def _speaks(info: dict[str, Any], language: str) -> bool:
    return str(info.get("language", "")).lower().split("-")[0] == language.lower().split("-")[0]


def _statement(info: dict[str, Any], where: str, notes: Notes) -> Statement | None:
    level, kind = _parameter(info, "awareness_level"), _parameter(info, "awareness_type")
    numbers = [_LEADING.match(text) for text in (level, kind)]
    if numbers[0] is None or numbers[1] is None:
        notes.lost(where, f"awareness_level {shown(level)} or awareness_type {shown(kind)} opens with no number")
        return None
    onset, expires = _time(info, "onset", where, notes), _time(info, "expires", where, notes)
    return Statement(int(numbers[0][1]), int(numbers[1][1]), "", "", onset, expires, level, kind, info)


def _parameter(info: dict[str, Any], name: str) -> str:
    for pair in _listed(info.get("parameter")):
        if isinstance(pair, dict) and pair.get("valueName") == name and isinstance(pair.get("value"), str):
            return str(pair["value"])
    return ""


def _time(info: dict[str, Any], name: str, where: str, notes: Notes) -> datetime | None:
    if info.get(name) is None:
        return None
    try:
        return moment(info[name])
    except ValueError as error:
        notes.odd(f"{where}.{name}", f"left out: {error}")
        return None


def _places(
    info: dict[str, Any], where: str, zones: tuple[str, ...], ours: Any, notes: Notes
) -> Iterator[tuple[str, str]]:
    """Zone and description of every area that is ours."""
    for i, area in enumerate(sequence(info.get("area"), f"{where}.area", limit=MAX_AREAS)):
        here = f"{where}.area[{i}]"
        area = mapping(area, here)  # noqa: PLW2901
        try:
            named = word(area.get("areaDesc"), 1_000)
        except ValueError:
            named = ""
        codes = [
            pair["value"]
            for pair in _listed(area.get("geocode"))
            if isinstance(pair, dict) and pair.get("valueName") == EMMA_ID and isinstance(pair.get("value"), str)
        ]
        met = [code for code in codes if code in zones]
        yield from ((code, named) for code in met)
        if not met and ours is not None and _meets(area, ours, here, notes):
            yield word(codes[0]) if codes else named or here, named


def _meets(area: dict[str, Any], ours: Any, where: str, notes: Notes) -> bool:
    for text in _listed(area.get("polygon")):
        try:
            if _shape(text).intersects(ours):
                return True
        except (ValueError, AttributeError, shapely.GEOSException) as error:
            notes.odd(f"{where}.polygon", f"left out: {str(error)[:100]}")
    return False


def _shape(text: str) -> Any:
    ring = shapely.Polygon([(point.lon, point.lat) for point in Polygon.parse(text).points])
    return ring if ring.is_valid else shapely.make_valid(ring)


def _listed(value: Any) -> list[Any]:
    """Repeatable members may stand alone without their array."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
