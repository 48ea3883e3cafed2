"""The territory as a map: zones by code and name, and what a drawn shape selects of them."""

import difflib
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial

import shapely
from shapely.geometry.base import BaseGeometry

from alertd.domain.alert import WHOLE_TERRITORY, Area, Pair
from alertd.domain.geo import Polygon
from alertd.ports.territory import Coverage, Zone
from alertd.territory.shapes import disc, outline

EPSILON_DEG2 = 1e-9
"""About ten square metres: two borders that only touch overlap by less, through rounding."""

SLIVER = 1e-3
"""Of a shape smaller than that: the share of it that must lie in a zone."""

MAX_SHAPES = 100
MAX_POINTS = 20_000
MAX_FILLED_POINTS = 10_000
MAX_GEOCODES = 500
_MAX_DESC = 1_000


class MappedTerritory:
    """Implements `alertd.ports.territory.Territory` and `Surveyor`. Immutable; a reload makes another."""

    def __init__(self, zones: Iterable[tuple[Zone, BaseGeometry]], *, name: str = "") -> None:
        """`zones` with their boundaries; codes differ. `name` describes the whole territory."""
        ordered = sorted(zones, key=lambda pair: (_fold(pair[0].name), pair[0].code))
        self._zones = tuple(zone for zone, _ in ordered)
        self._boundaries = [boundary for _, boundary in ordered]
        self._tree = shapely.STRtree(self._boundaries)
        shapely.prepare(self._boundaries)
        self._by_code = {zone.code.casefold(): zone for zone in self._zones}
        self._by_name: dict[str, list[Zone]] = {}
        for zone in self._zones:
            self._by_name.setdefault(_fold(zone.name), []).append(zone)
        self._name = name

    @property
    def zones(self) -> Sequence[Zone]:
        return self._zones

    def find(self, code_or_name: str) -> Zone | None:
        """The zone of that code, else of that name. Raises ValueError where several have the name."""
        zone = self._by_code.get(code_or_name.strip().casefold())
        if zone is not None:
            return zone
        folded = _fold(code_or_name)
        named = self._by_name.get(folded, []) if folded else []
        if len(named) > 1:
            codes = " or ".join(z.code for z in named)
            raise ValueError(f"{code_or_name!r} names {len(named)} zones: write the code, {codes}")
        return named[0] if named else None

    def settle(self, area: Area) -> Area:
        """See the port. The polygons and geocodes filled in are those of named zones alone: CAP reads an area
        as the union of all it holds, so the codes of zones a shape merely touches would widen it."""
        if WHOLE_TERRITORY in area.zones:
            return self._whole(area)
        named = [self._named(zone) for zone in area.zones]
        selected = [*named, *(zone for zone, _ in self._drawn(area, named))]
        if not selected:
            raise ValueError("selects no zone: name a zone, or draw a polygon or a circle")
        unique = list(dict.fromkeys(zone.code for zone in selected))
        return replace(
            area,
            zones=tuple(unique),
            area_desc=area.area_desc.strip() or _described([self._by_code[c.casefold()] for c in unique]),
            polygons=area.polygons if area.polygons or area.circles else _outlines(named),
            geocodes=_with_codes(area.geocodes, named),
        )

    def coverage(self, area: Area) -> Sequence[Coverage]:
        """Every zone the area selects, with the share of it that was meant: 1 for a named one, less where a
        shape covers a part; the rest is overspill. Raises ValueError as `settle`."""
        if WHOLE_TERRITORY in area.zones:
            return tuple(Coverage(zone, 1.0) for zone in self._zones)
        named = [self._named(zone) for zone in area.zones]
        meant = {zone.code: Coverage(zone, 1.0) for zone in named}
        parts: dict[str, list[BaseGeometry]] = {}
        for zone, shape in self._drawn(area, named):
            parts.setdefault(zone.code, []).append(shape)
        for index, zone in enumerate(self._zones):
            if zone.code in parts and zone.code not in meant:
                meant[zone.code] = Coverage(zone, _share(self._boundaries[index], parts[zone.code]))
        return tuple(meant.values())

    def _whole(self, area: Area) -> Area:
        """All zones by code; no polygons, which would make the CAP document huge."""
        if area.polygons or area.circles:
            raise ValueError('"*" is the whole territory: a polygon or circle beside it would say less')
        few = len(self._zones) <= MAX_GEOCODES
        return replace(
            area,
            zones=(WHOLE_TERRITORY,),
            area_desc=area.area_desc.strip() or self._name or _described(self._zones) or WHOLE_TERRITORY,
            geocodes=_with_codes(area.geocodes, self._zones if few else ()),
        )

    def _named(self, code_or_name: str) -> Zone:
        zone = self.find(code_or_name)
        if zone is not None:
            return zone
        raise ValueError(f"unknown zone {code_or_name[:100]!r}{self._hint(_fold(code_or_name[:100]))}")

    def _hint(self, wanted: str) -> str:
        known = {name: zones[0] for name, zones in self._by_name.items()}
        begun = [name for name in known if wanted and name.startswith(wanted)]
        close = (begun or difflib.get_close_matches(wanted, known))[:3]
        meant = " or ".join(f"{known[name].name!r} ({known[name].code})" for name in close)
        return f"; did you mean {meant}?" if meant else ""

    def _drawn(self, area: Area, named: Sequence[Zone]) -> list[tuple[Zone, BaseGeometry]]:
        """What each drawn shape selects; a shape that selects nothing is a mistake and is refused.

        The outlines of the named zones themselves, as `settle` fills them in, are not drawn shapes: an area
        settled twice stays as it is.
        """
        if not (area.polygons or area.circles):
            return []  # the common case: to hash a boundary of hundreds of points takes longer than all the rest
        own = {polygon for zone in named for polygon in zone.polygons}
        _refuse_too_much(area)
        found: list[tuple[Zone, BaseGeometry]] = []
        drawn: list[tuple[str, Callable[[], BaseGeometry]]] = [
            *((f"polygon {i}", partial(outline, p)) for i, p in enumerate(area.polygons) if p not in own),
            *((f"circle {i}", partial(disc, circle)) for i, circle in enumerate(area.circles)),
        ]
        for label, make in drawn:
            try:
                shape = make()
            except ValueError as error:
                raise ValueError(f"{label} {error}") from None
            selected = self._selected(shape)
            if not selected:
                raise ValueError(f"{label} selects no zone: it lies outside every configured one")
            found += ((zone, shape) for zone in selected)
        return found

    def _selected(self, shape: BaseGeometry) -> list[Zone]:
        shapely.prepare(shape)
        near = sorted(self._tree.query(shape, predicate="intersects"))
        return [self._zones[i] for i in near if _selects(shape, self._boundaries[i])]


def _selects(shape: BaseGeometry, boundary: BaseGeometry) -> bool:
    """Whether an intersecting shape shares more than a border with the zone."""
    if not shape.area or boundary.covers(shape) or shape.contains(boundary):
        return True
    return bool(shape.intersection(boundary).area > min(EPSILON_DEG2, SLIVER * shape.area))


def _share(boundary: BaseGeometry, shapes: Sequence[BaseGeometry]) -> float:
    covered = shapely.union_all(shapes).intersection(boundary).area
    return float(min(1.0, covered / boundary.area))


def _refuse_too_much(area: Area) -> None:
    if len(area.polygons) + len(area.circles) > MAX_SHAPES:
        raise ValueError(f"has over {MAX_SHAPES} polygons and circles; draw fewer, or name zones")
    if sum(len(p.points) for p in area.polygons) > MAX_POINTS:
        raise ValueError(f"has over {MAX_POINTS} points in its polygons; simplify them, or name zones")


def _outlines(named: Sequence[Zone]) -> tuple[Polygon, ...]:
    """Where many zones are named their codes suffice: a CAP document must stay small enough to pass on."""
    polygons = tuple(p for zone in named for p in zone.polygons)
    return polygons if sum(len(p.points) for p in polygons) <= MAX_FILLED_POINTS else ()


def _with_codes(given: tuple[Pair, ...], zones: Sequence[Zone]) -> tuple[Pair, ...]:
    codes = (Pair(zone.scheme, zone.code) for zone in zones)
    return tuple(dict.fromkeys((*given, *codes)))


def _described(zones: Sequence[Zone]) -> str:
    """The zones' names in a row, cut at a name where there are too many."""
    text = ", ".join(zone.name for zone in zones)
    return text if len(text) <= _MAX_DESC else text[:_MAX_DESC].rpartition(", ")[0] + ", …"


def _fold(name: str) -> str:
    """Case, accents, hyphens, apostrophes and blanks aside."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    kept = "".join(c if c.isalnum() else " " for c in plain if not unicodedata.combining(c))
    return " ".join(kept.split())
