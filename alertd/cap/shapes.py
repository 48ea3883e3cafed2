"""Texts of polygons and circles (CAP 1.2, 3.2.4, WGS 84 `lat,lon`) → values, or the reason why there is none.

A broken shape is not mended: whatever it is closed or cut to, someone is warned who was not meant or the other way
round.
"""

import re
from functools import partial
from typing import Final

from alertd.cap.making import columns_maker
from alertd.domain.geo import ANTIMERIDIAN, MAX_POINTS_READ, MIN_POLYGON_POINTS, POLE, Circle, Point, Polygon

_LONGEST_CIRCLE: Final = 1_000
_DIGITS: Final = b"0123456789.+-"
_NUMBER: Final = r"[+-]?(\d+(\.\d*)?|\.\d+)"
_DECIMAL = re.compile(_NUMBER, re.ASCII)
_PAIR = re.compile(f"{_NUMBER},{_NUMBER}", re.ASCII)
_PLAIN = re.compile(r"(?:-?(?:[0-8]\d|\d)(?:\.\d++,|,)-?(?:1[0-7]\d|\d\d|\d)(?:\.\d++ | ))++", re.ASCII)
"""Pairs as nearly all are written, a blank after each."""

_points = columns_maker(Point)


class Unreadable(Exception):
    """This shape is not read, and why."""


def polygon(text: str, most: int = MAX_POINTS_READ) -> Polygon:
    """Raises Unreadable. Nothing is split before it is counted."""
    count = text.count(",")
    if count > most:
        raise Unreadable(f"the polygon has about {count:,} points; at most {most:,} are read")
    return plain(text, count) or careful(text, count)


def plain(text: str, count: int) -> Polygon | None:
    """The polygon of a text with so many commas, if it is written as nearly all are: one blank between points, no `+`,
    no latitude from 90 or longitude from 180 on, the last point spelt as the first. Any other may still be one.

    Less than a third of the careful reading's time: no number is made until somebody asks for the points.
    """
    ring = text.strip()
    if not MIN_POLYGON_POINTS <= count <= MAX_POINTS_READ or not _PLAIN.fullmatch(f"{ring} "):
        return None
    first = ring[: ring.index(" ")]
    return Polygon.later(partial(_plain_points, ring)) if ring.endswith(f" {first}") else None


def _plain_points(text: str) -> tuple[Point, ...]:
    numbers = list(map(float, text.replace(" ", ",").split(",")))
    return _points(numbers[::2], numbers[1::2])


def careful(text: str, count: int) -> Polygon:
    """The same of any text. Raises Unreadable."""
    pairs = text.split(None, count + 1)
    if len(pairs) != count or not count:
        raise Unreadable(_odd(pairs))
    listed = ";".join(pairs)
    try:
        # Without its digits it is one comma in each pair; then floats can be nothing but plain decimals.
        if listed.encode("ascii").translate(None, _DIGITS) != b",;" * (count - 1) + b",":
            raise Unreadable(_odd(pairs))
        numbers = list(map(float, listed.replace(";", ",").split(",")))
    except ValueError:
        raise Unreadable(_odd(pairs)) from None
    return _ring(numbers[::2], numbers[1::2])


def _ring(lats: list[float], lons: list[float]) -> Polygon:
    """What a Point checks is checked here for all of them at once."""
    if _beyond(lats, POLE) or _beyond(lons, ANTIMERIDIAN):
        raise Unreadable("a point of the polygon lies outside latitude -90..90 or longitude -180..180")
    try:
        return Polygon(_points(lats, lons))
    except ValueError as error:
        raise Unreadable(str(error)) from None


def _beyond(degrees: list[float], most: float) -> bool:
    return max(degrees) > most or min(degrees) < -most


def _odd(pairs: list[str]) -> str:
    """Which pair it is that cannot be read."""
    for number, good in enumerate(map(_PAIR.fullmatch, pairs), 1):
        if good is None:
            return f"point {number} of the polygon, {pairs[number - 1][:40]!r}, is not 'lat,lon'"
    return "the polygon is not a list of 'lat,lon' pairs"


def circle(text: str) -> Circle:
    """Raises Unreadable."""
    parts = text.strip()[: _LONGEST_CIRCLE + 1].split(None, 2)
    if len(text) > _LONGEST_CIRCLE or len(parts) != 2 or not _DECIMAL.fullmatch(parts[1]):  # noqa: PLR2004  a centre and a radius
        raise Unreadable(f"the circle {text[:40]!r} is not 'lat,lon radius'")
    try:
        return Circle.parse(f"{parts[0]} {parts[1]}")
    except ValueError as error:
        raise Unreadable(f"the circle cannot be: {error}") from None


def feet(text: str) -> float | None:
    """A height as xs:decimal writes it; None where it is none."""
    if not _DECIMAL.fullmatch(text.strip()):
        return None
    number = float(text)
    return number if abs(number) < float("inf") else None
