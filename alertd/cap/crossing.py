"""Whether the outline of a polygon crosses itself, in bounded time."""

from collections.abc import Sequence
from typing import Final

from alertd.domain.geo import Point

_PATIENCE: Final = 300_000
"""Pairs of edges that are looked at, of all outlines together. A coast needs some tens of thousands."""
_TRIANGLE: Final = 4

_Edge = tuple[float, float, float, float, Point, Point]
"""West, east, south, north, and its ends."""


class Wearied(Exception):
    """Whether this outline crosses itself would take too long to see."""


class Sweeps:
    """Outlines that are looked at one after the other, with one patience for all of them."""

    __slots__ = ("_patience", "_seen")

    def __init__(self, patience: int = _PATIENCE) -> None:
        self._patience = patience
        self._seen: dict[int, tuple[Sequence[Point], Point | None]] = {}

    def crossing(self, points: Sequence[Point]) -> Point | None:
        """Near which point two edges of a closed ring properly cross, None where none do. Raises Wearied.

        Edges that only touch are not found, so that rounding of shared vertices accuses nobody. Edges are swept from
        west to east: only those are compared whose longitudes overlap. The same points, which translations share, are
        looked at once.
        """
        if len(points) <= _TRIANGLE:
            return None
        if id(points) not in self._seen:
            self._seen[id(points)] = (points, self._swept(points))  # they are kept, so that no others get their id
        return self._seen[id(points)][1]

    def _swept(self, points: Sequence[Point]) -> Point | None:
        edges = sorted(map(_edge, points, points[1:]), key=lambda edge: edge[0])
        active: list[_Edge] = []
        for edge in edges:
            west, _, south, north, a, b = edge
            if self._patience < len(active):
                raise Wearied
            self._patience -= len(active)
            active = [other for other in active if other[1] >= west]
            for _, _, low, high, c, d in active:
                if low <= north and high >= south and _cross(a, b, c, d):
                    return a
            active.append(edge)
        return None


def _edge(a: Point, b: Point) -> _Edge:
    return (min(a.lon, b.lon), max(a.lon, b.lon), min(a.lat, b.lat), max(a.lat, b.lat), a, b)


def _cross(a: Point, b: Point, c: Point, d: Point) -> bool:
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: Point, b: Point, p: Point) -> int:
    """On which side of the line from a to b a point lies; 0 on it."""
    turn = (b.lon - a.lon) * (p.lat - a.lat) - (b.lat - a.lat) * (p.lon - a.lon)
    return (turn > 0) - (turn < 0)
