"""CAP's shapes: what is read, what is refused, and that writing reads back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.geo import MAX_POINTS_READ, Circle, Point, Polygon

POINTS = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
CIRCLES = st.builds(Circle, POINTS, st.floats(0, 20_000))
POLYGONS = st.lists(POINTS, min_size=3, max_size=30).map(lambda ps: Polygon((*ps, ps[0])))


@given(POINTS)
def test_a_point_reads_back(point: Point) -> None:
    assert Point.parse(str(point)) == point
    assert "e" not in str(point)


@given(POLYGONS)
def test_a_polygon_reads_back(polygon: Polygon) -> None:
    assert Polygon.parse(str(polygon)) == polygon


@given(CIRCLES)
def test_a_circle_reads_back(circle: Circle) -> None:
    assert Circle.parse(str(circle)) == circle


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "nan,0", "0,inf", "1_0,2", "91,0", "0,181", "١,٢", "1;2"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Point.parse(text)


@pytest.mark.parametrize("text", ["43.7,11.0", "43.7,11.0 x", "43.7,11.0 -1", "43.7,11.0 nan", "43.7,11.0 99999", ""])
def test_what_is_no_circle_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Circle.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "at least four"),
        ("1,1 2,2 1,1", "at least four"),
        ("1,1 1,2 2,2 2,1", "repeat its first"),
        (" ".join(["1,1"] * (MAX_POINTS_READ + 1)), "at most 10000"),
    ],
)
def test_what_is_no_polygon_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Polygon.parse(text)


def test_small_numbers_are_written_out() -> None:
    assert str(Point(1e-7, -0.00002)) == "0.0000001,-0.00002"


def test_not_a_number_is_nowhere() -> None:
    with pytest.raises(ValueError):
        Point(math.nan, 0)
