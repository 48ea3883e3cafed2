"""What a request may say, field by field."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.alert import MsgType
from alertd.domain.problems import Invalid
from alertd.web.api.body import parse
from alertd.web.api.convert import submission_of
from alertd.web.api.schemas import EXAMPLE, AlertIn


def faults(**changes: Any) -> list[tuple[str | int, ...]]:
    """Where the example alert is wrong once its Info was changed."""
    alert = copy.deepcopy(EXAMPLE)
    alert["info"][0].update(changes)
    return where(alert)


def where(alert: Any) -> list[tuple[str | int, ...]]:
    try:
        parse(json.dumps(alert).encode(), AlertIn)
    except Invalid as error:
        return [problem.loc for problem in error.problems]
    return []


def test_the_contracts_example_is_taken() -> None:
    assert faults() == []


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T06:00:00+01:00",
        "2026-11-22T06:00:00Z",
        "2026-11-22t06:00:00.123456789z",
        "2026-11-22T06:00:00-00:00",
    ],
)
def test_times_are_rfc_3339(moment: str) -> None:
    assert faults(onset=moment) == []


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-22T06:00:00",
        "2026-11-22 06:00:00Z",
        "2026-11-22",
        "1700000000",
        1700000000,
        "2026-02-30T06:00:00Z",
        "2026-11-22T06:00:60Z",
        "2026-11-22T06:00:00+24:00",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "２026-11-22T06:00:00Z",
        "",
        True,
    ],
)
def test_what_is_no_time_with_an_offset(moment: Any) -> None:
    assert faults(expires=moment) == [("info", 0, "expires")]


@pytest.mark.parametrize(
    ("area", "loc"),
    [
        ({}, ()),
        ({"area_desc": "qui"}, ()),
        ({"polygon": ["43.73,11.01 43.74,11.03 43.72,11.04 43.73,11.01"]}, ()),
        ({"area_desc": "qui", "polygon": ["43.73,11.01 43.74,11.03 43.73,11.01"]}, ("polygon", 0)),
        ({"area_desc": "qui", "polygon": ["43.73,11.01 43.74,11.03 43.72,11.04 43.7,11.0"]}, ("polygon", 0)),
        ({"area_desc": "qui", "polygon": ["x"]}, ("polygon", 0)),
        ({"area_desc": "qui", "polygon": [7]}, ("polygon", 0)),
        ({"area_desc": "qui", "polygon": "43.73,11.01"}, ("polygon",)),
        ({"area_desc": "qui", "circle": ["91,0 1"]}, ("circle", 0)),
        ({"area_desc": "qui", "circle": ["43,11 nan"]}, ("circle", 0)),
        ({"zone": 48028}, ("zone",)),
        ({"zone": "x", "altitude": "high"}, ("altitude",)),
        ({"zone": "x", "colour": "red"}, ("colour",)),
    ],
)
def test_areas_that_cannot_be(area: dict[str, Any], loc: tuple[str | int, ...]) -> None:
    assert faults(area=[area]) == [("info", 0, "area", 0, *loc)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("event", ""),
        ("event", " "),
        ("event", "due\nrighe"),
        ("event", "\x00"),
        ("headline", "Subject: x\r\nBcc: y"),
        ("headline", "x" * 1001),
        ("description", "\x08"),
        ("description", "\ufffe"),
        ("web", "javascript:alert(1)"),
        ("web", "https://a b"),
        ("web", "ftp://a"),
        ("language", "it_IT"),
        ("language", "i"),
        ("category", []),
        ("category", ["met"]),
        ("urgency", "Now"),
    ],
)
def test_what_a_channel_could_not_carry(field: str, value: Any) -> None:
    assert faults(**{field: value})[0][:3] == ("info", 0, field)


def test_restricted_says_to_whom() -> None:
    assert where({**EXAMPLE, "scope": "Restricted"}) == [()]
    assert where({**EXAMPLE, "scope": "Restricted", "restriction": "COC"}) == []
    assert where({**EXAMPLE, "scope": "Private"}) == [()]
    assert where({**EXAMPLE, "scope": "Private", "addresses": "sindaco"}) == []


@pytest.mark.parametrize("key", ["identifier", "sender", "sent", "references", "id", "state"])
def test_identity_is_the_servers(key: str) -> None:
    assert where({**EXAMPLE, key: "mine"}) == [(key,)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.data())
def test_any_value_in_any_place_is_taken_or_refused(data: st.DataObject) -> None:
    alert = copy.deepcopy(EXAMPLE)
    place: Any = alert
    while True:
        key = data.draw(st.sampled_from(list(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    faulty = where(alert)
    if not faulty:
        submission_of(parse(json.dumps(alert).encode(), AlertIn), MsgType.ALERT, "it")
