"""Earthquakes: felt where the table says so, revised under one key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from alertd.domain.geo import Point
from alertd.domain.signal import Heard
from alertd.ingest.readers import ingv
from alertd.ingest.readers.received import Received

SAMPLE = Path(__file__).parents[3] / "shared" / "samples" / "ingv" / "ingv_emilia_2012-05-29.txt"
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
PLACES = {"048028": Point(43.73, 11.02), "048017": Point(43.77, 11.25), "036022": Point(44.85, 11.14)}
HEADER = (
    "#EventID|Time|Latitude|Longitude|Depth/Km|Author|Catalog|Contributor|ContributorID|MagType|Magnitude|MagAuthor"
    "|EventLocationName|EventType"
)


def event(name="1", magnitude="4.1", lat="43.70", lon="11.05", kind="earthquake", time="2026-11-22T05:58:59.770000"):
    return f"{name}|{time}|{lat}|{lon}|8.1|SURVEY-INGV||||ML|{magnitude}|--|3 km SE Empoli (FI)|{kind}"


def read(*rows: str, header: str = HEADER, places=None, **options) -> Heard:
    payload = "\n".join([header, *rows]).encode()
    return ingv.read(
        payload, ingv.Config(**options), Received("ingv", NOW, places=PLACES if places is None else places)
    )


def test_an_event_is_felt_in_the_zones_within_its_reach_nearest_first():
    heard = read(event())
    (signal,) = heard.signals
    assert not heard.violations
    assert (signal.key, signal.value, signal.unit) == ("1", 4.1, "ML")
    assert signal.zones == ("048028", "048017")
    assert signal.at == datetime(2026, 11, 22, 5, 58, 59, 770000, tzinfo=UTC)
    assert signal.point == Point(43.70, 11.05)
    facts = {fact.value_name: fact.value for fact in signal.facts}
    assert (facts["depth_km"], facts["nearest_km"], facts["felt_km"]) == ("8.1", "4", "70")
    assert not signal.ended


def test_a_revision_updates_and_one_that_is_felt_nowhere_ends():
    first, same, larger, moved, small, blast = (
        read(row).signals[0]
        for row in (
            event(),
            event(),
            event(magnitude="5.0"),
            event(lat="43.80"),
            event(magnitude="1.9"),
            event(kind="quarry blast"),
        )
    )
    assert {one.key for one in (first, same, larger, moved, small, blast)} == {"1"}
    assert first.revision == same.revision
    assert len({one.revision for one in (first, larger, moved, small, blast)}) == 5
    assert (small.ended, small.zones) == (True, ())
    assert (blast.ended, blast.zones) == (True, ())
    assert larger.zones == ("048028", "048017", "036022")


@pytest.mark.parametrize("payload", [b"", b"\n", b"  \r\n"])
def test_no_content_is_no_event(payload):
    assert ingv.read(payload, ingv.Config(), Received("ingv", NOW, places=PLACES)) == Heard(())


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("|", " | ").replace("#", "# ").replace("Km", "km").removesuffix(" | EventType"),
        HEADER.upper(),
        "\ufeff" + HEADER,
    ],
)
def test_headers_as_they_are_spelled_elsewhere(header):
    heard = read(event().replace("|", " | "), header=header)
    assert [(signal.zones[0], signal.value) for signal in heard.signals] == [("048028", 4.1)]


def test_columns_are_known_by_name_not_by_place():
    heard = read("4.1|11.05|43.7|2026-11-22T05:58:59|7", header="#Magnitude|Longitude|Latitude|Time|EventID")
    assert heard.signals[0].key == "7"
    assert heard.signals[0].zones == ("048028", "048017")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (event(magnitude="--"), "is not a number"),
        (event(lat="91"), "latitude must lie"),
        (event(lon="nan"), "is not a number"),
        (event(time="29/05/2012"), "is not a time"),
        (event(name=""), "is not a text"),
        ("1|2", "has 2 columns of 14"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_others_are_read(row, message):
    heard = read(row, event("2"))
    assert [signal.key for signal in heard.signals] == ["2"]
    assert [(v.where, v.fatal) for v in heard.violations] == [("line 2", True)]
    assert message in heard.violations[0].message


def test_a_page_of_html_is_no_list_of_events():
    heard = ingv.read(b"<html>503</html>", ingv.Config(), Received("ingv", NOW, places=PLACES))
    assert [v.where for v in heard.violations] == ["line 1"]


def test_without_places_nothing_is_felt_and_that_is_said():
    heard = read(event(), places={})
    assert heard.signals[0].ended
    assert [(v.where, v.fatal) for v in heard.violations] == [("places", True)]


def test_the_table_must_rise():
    with pytest.raises(ValidationError, match="greater magnitude"):
        ingv.Config(felt=[{"magnitude": 4, "km": 50}, {"magnitude": 4, "km": 60}])
    with pytest.raises(ValidationError, match="no shorter reach"):
        ingv.Config(felt=[{"magnitude": 4, "km": 50}, {"magnitude": 5, "km": 40}])
    config = ingv.Config(felt=[{"magnitude": 3, "km": 10}, {"magnitude": 4, "km": 50}])
    assert [config.reach(magnitude) for magnitude in (2.9, 3.0, 3.99, 4.0, 9.0)] == [0, 10, 10, 50, 50]


@pytest.mark.parametrize(
    ("here", "there", "km"),
    [
        (Point(0, 0), Point(0, 1), 111.195),  # a degree of the equator of a sphere of 6371.0088 km
        (Point(90, 0), Point(-90, 0), 20015.115),
        (Point(45, 179.5), Point(45, -179.5), 78.626),
        (Point(43.7696, 11.2558), Point(43.7696, 11.2558), 0.0),
    ],
)
def test_distances(here, there, km):
    assert ingv.distance_km(here, there) == pytest.approx(km, abs=0.01)


@pytest.mark.skipif(not SAMPLE.exists(), reason="no ../shared/samples/ingv beside this clone")
def test_the_evening_of_the_emilia_earthquake():
    heard = ingv.read(SAMPLE.read_bytes(), ingv.Config(), Received("ingv", NOW, places=PLACES))
    assert not heard.violations
    assert len(heard.signals) == 8
    assert [
        signal.key for signal in heard.signals if not signal.ended
    ] == []  # 2.9 reaches 10 km, San Possidonio is 18 away
    near = ingv.Config(felt=[{"magnitude": 2.5, "km": 25}])
    felt = ingv.read(SAMPLE.read_bytes(), near, Received("ingv", NOW, places=PLACES))
    assert [(signal.key, signal.zones) for signal in felt.signals if not signal.ended] == [("863291", ("036022",))]
