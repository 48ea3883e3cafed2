"""A polygon that is written plainly is read by a short cut, which must say nothing else than the careful reading."""

import copy
import pickle
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertd.cap.reader import read
from alertd.cap.shapes import Unreadable, careful, plain, polygon
from alertd.domain.alert import Area, Pair
from alertd.domain.geo import MAX_POINTS_READ, Point, Polygon
from tests.unit.cap_samples import SQUARE, alert, info

LATITUDES = st.decimals(-89, 89, places=4).map(str)
LONGITUDES = st.decimals(-179, 179, places=2).map(str)
PLAIN_PAIRS = st.builds("{},{}".format, LATITUDES, LONGITUDES)
WRITTEN = (
    "90 90.0 -90.000 90.0001 89.9999 -91 180 -180.0 180.0001 181.5 -189 179.999 170 -99 100 190 200 "
    "08 007.5 +1.5 5. .5 - + 1e1 1_0 nan inf -0 0.0 ٤.٥ 1-2 1.2.3 --1 -+1 1, ,1 89.999999999999999999999 179.999999999999999999999 "
    "90.000000000000000000001 180.000000000000000000001"
)
NUMBERS = WRITTEN.split()
ODD = st.sampled_from(NUMBERS)
PAIRS = (
    PLAIN_PAIRS
    | st.builds("{},{}".format, ODD, LONGITUDES)
    | st.builds("{},{}".format, LATITUDES, ODD)
    | st.builds("{}{}{}".format, LATITUDES, st.sampled_from([", ", " ,", ";", "", ",,"]), LONGITUDES)
)
BLANKS = st.sampled_from(["  ", "\n", "\t", "\x0b", "\xa0", "\u2003", ",", ""])


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Of a polygon; with one point, blank, end or both ends that are often none or unlike the others."""
    pairs = draw(st.lists(PLAIN_PAIRS, min_size=1, max_size=6))
    odd = draw(st.sampled_from(["point", "blank", "end", "around", "first and last"]))
    at = draw(st.integers(0, len(pairs) - 1))
    if odd == "point":
        pairs[at] = draw(PAIRS)
    elif odd == "first and last":
        pairs[0] = draw(PAIRS)
    pairs.append(draw(PAIRS) if odd == "end" else pairs[0])
    blanks = [" "] * (len(pairs) - 1)
    if odd == "blank":
        blanks[at] = draw(BLANKS)
    around = draw(BLANKS) if odd == "around" else ""
    ring = pairs[0] + "".join(blank + pair for blank, pair in zip(blanks, pairs[1:], strict=True))
    return draw(st.sampled_from([around + ring, ring + around]))


def carefully(text: str) -> Polygon | None:
    try:
        return careful(text, text.count(","))
    except Unreadable:
        return None


@given(texts() | st.text(alphabet="0123456789.,- \n", max_size=60))
@example("1,2 3,4 5,6 1.0,2")
@example("1,2 3,4 5,6 11,2")
@example("1,2 3,4 5,6 1,2 ")
@example("1,2 3,4 1,2")
@example("89.9,179.9 3,4 5,6 89.9,179.9\n")
def test_the_short_cut_reads_nothing_else_than_the_careful_reading(text: str) -> None:
    short, slow = plain(text, text.count(",")), carefully(text)
    if short is None:
        return
    assert slow is not None
    assert short.points == slow.points
    assert all(type(point) is Point for point in short.points)
    assert len(short.points) == text.count(",")  # by which they are counted
    assert (str(short), repr(short)) == (str(slow), repr(slow))


@pytest.mark.parametrize("number", [*NUMBERS, ""])
def test_the_short_cut_takes_no_number_that_the_careful_reading_does_not(number: str) -> None:
    for pair in (f"{number},2", f"1,{number}"):
        for text in (f"{pair} 3,4 5,6 {pair}", f"3,4 {pair} 5,6 3,4"):
            assert plain(text, text.count(",")) in (None, carefully(text))


@given(st.lists(PLAIN_PAIRS, min_size=3, max_size=20))
def test_what_is_written_as_nearly_all_are_takes_the_short_cut(pairs: list[str]) -> None:
    text = " ".join([*pairs, pairs[0]])
    assert plain(text, text.count(",")) == carefully(text) is not None


@pytest.mark.parametrize("count", [MAX_POINTS_READ, MAX_POINTS_READ + 1])
def test_the_short_cut_has_the_same_most(count: int) -> None:
    text = " ".join(["1.5,2.5"] * count)
    if count <= MAX_POINTS_READ:
        assert len(polygon(text).points) == count
    else:
        with pytest.raises(Unreadable, match="at most 10000"):
            polygon(text, count)


def test_a_ring_that_is_made_later_is_a_polygon_like_any_other() -> None:
    def ring() -> Polygon:
        made = plain(SQUARE, 5)
        assert made is not None
        return made

    known = Polygon.parse(SQUARE)
    assert ring() == known
    assert known == ring()
    assert hash(ring()) == hash(known)
    assert str(ring()) == str(known)
    assert copy.deepcopy(ring()) == copy.copy(ring()) == pickle.loads(pickle.dumps(ring())) == known
    with pytest.raises(FrozenInstanceError):
        ring().points = ()  # type: ignore[misc]
    with pytest.raises(AttributeError, match="point"):
        ring().point  # type: ignore[attr-defined]  # noqa: B018


def test_points_are_made_once_and_when_somebody_asks() -> None:
    asked = []

    def make() -> tuple[Point, ...]:
        asked.append(1)
        return Polygon.parse(SQUARE).points

    ring = Polygon.later(make)
    assert asked == []
    assert ring.points is ring.points
    assert asked == [1]


def test_what_is_read_is_of_the_domain_s_own_classes_and_frozen() -> None:
    area = "<area><areaDesc>x</areaDesc><geocode><valueName>Z</valueName><value>1</value></geocode></area>"
    (found,) = read(alert(infos=info(area=area))).alerts
    (made,) = found.info[0].area
    assert made == Area("x", geocodes=(Pair("Z", "1"),))
    for value, field in ((made, "altitude"), (made.geocodes[0], "value")):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field, None)
        assert not hasattr(value, "__dict__")
