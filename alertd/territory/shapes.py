"""CAP's shapes as shapely geometries: x is longitude, y is latitude, both in degrees (WGS 84)."""

import itertools
import math
import re

import shapely
from shapely import Polygon as Outline
from shapely.geometry.base import BaseGeometry

from alertd.domain.geo import MAX_POLYGON_POINTS, Circle, Point, Polygon

EARTH_RADIUS_KM = 6_371.0088
POINT_KM = 0.001
"""A circle under a metre is taken as the point it means."""

_SIDES = 128
_FINEST_DEG = 1e-5
_HALF_TURN = 180.0
_POLE = 90.0


def outline(polygon: Polygon) -> Outline:
    """The polygon as shapely sees it. Raises ValueError where it is not one, with shapely's reason."""
    _refuse_world_edges(polygon.points)
    shape = Outline([(point.lon, point.lat) for point in polygon.points])
    reason = shapely.is_valid_reason(shape)
    if reason != "Valid Geometry":
        raise ValueError(f"is not a valid polygon: {_lat_first(reason)}")
    return shape


def disc(circle: Circle) -> BaseGeometry:
    """The circle as a polygon of 128 sides around it on the sphere, or a point where it is under a metre.

    Raises ValueError where it reaches a pole or the antimeridian.
    """
    centre = circle.center
    if circle.radius_km < POINT_KM:
        return shapely.Point(centre.lon, centre.lat)
    # Around, not within: no place inside the circle is lost.
    arc = circle.radius_km / EARTH_RADIUS_KM / math.cos(math.pi / _SIDES)
    if math.degrees(arc) + abs(centre.lat) >= _POLE:
        raise ValueError("reaches a pole: such shapes are not taken; draw a smaller one")
    corners = [_towards(centre, arc, math.tau * i / _SIDES) for i in range(_SIDES)]
    if any(not -_HALF_TURN <= lon <= _HALF_TURN for lon, _ in corners):
        raise ValueError("crosses the antimeridian (longitude 180): such shapes are not taken; use two")
    return Outline(corners)


def rings(shape: BaseGeometry) -> tuple[Polygon, ...]:
    """The outer rings of a Polygon or MultiPolygon, as CAP writes them: simplified where they are too long."""
    outer = (shapely.get_exterior_ring(_shortened(part)) for part in shapely.get_parts(shape))
    paths = (shapely.get_coordinates(ring).tolist() for ring in outer)
    return tuple(Polygon(tuple(Point(lat, lon) for lon, lat in path)) for path in paths)


def _shortened(part: BaseGeometry) -> BaseGeometry:
    tolerance = _FINEST_DEG
    short: BaseGeometry = part
    while shapely.get_num_points(shapely.get_exterior_ring(short)) > MAX_POLYGON_POINTS:
        short = part.simplify(tolerance)
        tolerance *= 2
    return short


def _towards(centre: Point, arc: float, bearing: float) -> tuple[float, float]:
    """The (lon, lat) `arc` radians away along a great circle; lon may leave -180..180."""
    lat = math.radians(centre.lat)
    end = math.asin(math.sin(lat) * math.cos(arc) + math.cos(lat) * math.sin(arc) * math.cos(bearing))
    east = math.atan2(math.sin(bearing) * math.sin(arc) * math.cos(lat), math.cos(arc) - math.sin(lat) * math.sin(end))
    return centre.lon + math.degrees(east), math.degrees(end)


def _refuse_world_edges(points: tuple[Point, ...]) -> None:
    if any(abs(point.lat) >= _POLE for point in points):
        raise ValueError("reaches a pole: such shapes are not taken")
    for here, there in itertools.pairwise(points):
        if abs(here.lon - there.lon) > _HALF_TURN:
            raise ValueError("crosses the antimeridian (longitude 180): such shapes are not taken; use two")


def _lat_first(reason: str) -> str:
    """Shapely says `Self-intersection[x y]`; people who wrote `lat,lon` look for that."""
    return re.sub(r"\[(\S+) (\S+)\]", r" at \2,\1", reason)
