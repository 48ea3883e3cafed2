"""Points, polygons and circles as CAP 1.2 writes them (section 3.2.4): WGS 84, latitude first.

Values only. What a shape *selects* is the business of a `Territory` (see `alertd.ports.territory`).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Self

MAX_POLYGON_POINTS = 2_000
"""Of a boundary we write. Others write finer ones: a coastline of the NOAA has 6,842."""
MAX_POINTS_READ = 10_000
MIN_POLYGON_POINTS = 4
HALF_EARTH_KM = 20_040.0
POLE, ANTIMERIDIAN = 90.0, 180.0

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Point:
    """A WGS 84 position in decimal degrees."""

    lat: float
    lon: float

    def __post_init__(self) -> None:
        if not (-POLE <= self.lat <= POLE and -ANTIMERIDIAN <= self.lon <= ANTIMERIDIAN):
            raise ValueError(f"{self}: latitude must lie in -90..90 and longitude in -180..180")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read CAP's `lat,lon`. Raises ValueError naming the text."""
        try:
            lat, lon = (_number(part) for part in text.split(","))
        except ValueError:
            raise ValueError(f"{text[:60]!r} is not a 'lat,lon' pair") from None
        return cls(lat, lon)

    def __str__(self) -> str:
        return f"{_decimal(self.lat)},{_decimal(self.lon)}"


class _Made:
    """Room for what is made when it is first asked for: the text of a shape, for a zone's boundary is written into
    every alert that names it; the points of one that was read, for a feed says again most of what it said before."""

    __slots__ = ("_make", "_text")
    _make: Callable[[], tuple[Point, ...]]
    _text: str


@dataclass(frozen=True, slots=True)
class Polygon(_Made):
    """A closed ring of at least four points, first and last the same."""

    points: tuple[Point, ...]

    @classmethod
    def later(cls, make: Callable[[], tuple[Point, ...]]) -> Self:
        """The ring of the points that `make` gives, which must be as above: they are not looked at."""
        ring = object.__new__(cls)
        object.__setattr__(ring, "_make", make)
        return ring

    if not TYPE_CHECKING:  # who checks types knows the field

        def __getattr__(self, name: str) -> tuple[Point, ...]:
            """`points`, where they are not made yet."""
            if name != "points":
                raise AttributeError(name, name=name, obj=self)
            object.__setattr__(self, "points", self._make())
            return self.points

    def __post_init__(self) -> None:
        if len(self.points) < MIN_POLYGON_POINTS:
            raise ValueError("a polygon needs at least four points, the last repeating the first")
        if len(self.points) > MAX_POINTS_READ:
            raise ValueError(f"a polygon of {len(self.points)} points: at most {MAX_POINTS_READ} are read")
        if self.points[0] != self.points[-1]:
            raise ValueError("a polygon's last point must repeat its first")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read CAP's blank-separated `lat,lon` pairs. Raises ValueError saying what is wrong."""
        return cls(tuple(Point.parse(pair) for pair in text.split()))

    def __str__(self) -> str:
        try:
            return self._text
        except AttributeError:
            text = " ".join([f"{point.lat!r},{point.lon!r}" for point in self.points])  # a boundary has hundreds
            text = text if "e" not in text else " ".join(map(str, self.points))
            object.__setattr__(self, "_text", text)
            return text


@dataclass(frozen=True, slots=True)
class Circle:
    """A centre and a radius in kilometres."""

    center: Point
    radius_km: float

    def __post_init__(self) -> None:
        if not 0 <= self.radius_km <= HALF_EARTH_KM:
            raise ValueError(f"a radius of {self.radius_km} km does not fit on the Earth")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read CAP's `lat,lon radius`. Raises ValueError saying what is wrong."""
        center, _, radius = text.strip().partition(" ")
        try:
            kilometres = _number(radius)
        except ValueError:
            raise ValueError(f"{text[:60]!r} is not a 'lat,lon radius' circle") from None
        return cls(Point.parse(center), kilometres)

    def __str__(self) -> str:
        return f"{self.center} {_decimal(self.radius_km)}"


def _number(text: str) -> float:
    """A plain decimal; float() alone would also take `1_0`, `nan` and the digits of other scripts."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text)


def _decimal(number: float) -> str:
    """The shortest text that reads back as this number, without exponent: other readers take only digits."""
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text else text
