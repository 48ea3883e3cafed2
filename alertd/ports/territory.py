"""Zones: the only thing an audience is chosen by."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from alertd.domain.alert import Area
from alertd.domain.geo import Polygon


@dataclass(frozen=True, slots=True)
class Zone:
    """A configured zone: its code (e.g. ISTAT 048028), name, outer rings, and the code's naming scheme."""

    code: str
    name: str
    polygons: tuple[Polygon, ...]
    scheme: str = "ISTAT"


@dataclass(frozen=True, slots=True)
class Coverage:
    """A selected zone and the share of it (0 to 1) that was meant; the rest of it is overspill."""

    zone: Zone
    share: float


class Surveyor(Protocol):
    """What a preview asks of a territory."""

    def coverage(self, area: Area) -> Sequence[Coverage]:
        """Every zone the area selects and how much of it was meant. Raises ValueError as `settle`."""
        ...


class Territory(Protocol):
    @property
    def zones(self) -> Sequence[Zone]:
        """All zones, by name."""
        ...

    def find(self, code_or_name: str) -> Zone | None:
        """The zone of that code or that name (case and accents aside). Raises ValueError: several have it."""
        ...

    def settle(self, area: Area) -> Area:
        """The area with everything filled in: `zones` as codes (those named, and those its shapes intersect),
        and for a named zone its description, polygons and geocode where the area had none.

        Raises ValueError: an unknown zone, an invalid shape, or an area that selects no zone at all.
        """
        ...
