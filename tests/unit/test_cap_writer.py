"""What the writer makes of times, links and text; that all it writes is valid, test_cap_round_trip.py shows."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from alertd.cap.writer import NAMESPACE, writable, write
from alertd.domain import alert as cap
from alertd.domain.geo import Circle, Point, Polygon

SCHEMA = Path(__file__).parents[3] / "shared" / "standards" / "CAP-v1.2.xsd"
NS = {"c": NAMESPACE}

text = st.text(max_size=30)
some = st.none() | text
keys = st.from_regex(r"[A-Za-z0-9._@:-]{1,30}", fullmatch=True)
moments = st.datetimes(
    min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - the offset comes from the strategy
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(
        [
            UTC,
            timezone(timedelta(hours=1)),
            timezone(timedelta(hours=-9, minutes=-30)),
            timezone(timedelta(0)),
            timezone(timedelta(seconds=2996)),
        ]
    ),
)
links = st.none() | st.sampled_from(["https://a.example.it/x?y=1&z=è", "mailto:a@b.it", "https://a.it/a b<c>"])
points = st.builds(Point, st.floats(-90, 90), st.floats(-180, 180))
polygons = st.lists(points, min_size=3, max_size=6).map(lambda p: Polygon((*p, p[0])))
circles = st.builds(Circle, points, st.floats(0, 20_000))
pairs = st.lists(st.builds(cap.Pair, text, text), max_size=2).map(tuple)
feet = st.none() | st.floats(-1e9, 1e9)
areas = st.builds(
    cap.Area,
    area_desc=text,
    zones=st.just(("048028",)),
    polygons=st.lists(polygons, max_size=2).map(tuple),
    circles=st.lists(circles, max_size=2).map(tuple),
    geocodes=pairs,
    altitude=feet,
    ceiling=feet,
)
resources = st.builds(
    cap.Resource,
    resource_desc=text,
    mime_type=text,
    size=st.none() | st.integers(0),
    uri=links,
    deref_uri=some,
    digest=some,
)
infos = st.builds(
    cap.Info,
    language=st.from_regex(r"[a-z]{2,3}(-[A-Z]{2})?", fullmatch=True),
    category=st.lists(st.sampled_from(cap.Category), min_size=1, max_size=3).map(tuple),
    event=text,
    response_type=st.lists(st.sampled_from(cap.ResponseType), max_size=3).map(tuple),
    urgency=st.sampled_from(cap.Urgency),
    severity=st.sampled_from(cap.Severity),
    certainty=st.sampled_from(cap.Certainty),
    audience=some,
    event_code=pairs,
    effective=st.none() | moments,
    onset=st.none() | moments,
    expires=st.none() | moments,
    sender_name=some,
    headline=some,
    description=some,
    instruction=some,
    web=links,
    contact=some,
    parameter=pairs,
    resource=st.lists(resources, max_size=2).map(tuple),
    area=st.lists(areas, max_size=2).map(tuple),
)
sents = st.just("2026-11-22T06:00:00+01:00") | st.just("2026-11-22T06:00:00-00:00")
references = st.lists(st.builds(cap.Reference, keys, keys, sents), min_size=1, max_size=3).map(tuple)
names = st.text(min_size=1).filter(lambda text: writable(text).strip())
alerts = st.builds(
    cap.Alert,
    id=keys,
    identifier=keys,
    sender=keys,
    sent=sents,
    status=st.sampled_from(cap.Status),
    msg_type=st.sampled_from(cap.MsgType),
    scope=st.sampled_from(cap.Scope),
    purpose=st.sampled_from(cap.Purpose),
    info=st.lists(infos, max_size=2).map(tuple),
    channels=st.none(),
    source=some,
    restriction=names,
    addresses=names,
    code=st.lists(text, max_size=2).map(tuple),
    note=some,
    references=references,
    incidents=some,
)
PLAIN = cap.Alert("1", "i-1", "pc@comune.example.it", "2026-11-22T06:00:00+01:00", cap.Status.ACTUAL, cap.MsgType.ALERT, cap.Scope.PUBLIC, cap.Purpose.EMERGENCY, ())  # fmt: skip
INFO = cap.Info(
    "it-IT", (cap.Category.MET,), "Temporali", cap.Urgency.EXPECTED, cap.Severity.SEVERE, cap.Certainty.LIKELY
)


def changed(thing: object, **changes: object):
    from dataclasses import replace

    return replace(thing, **changes)  # type: ignore[type-var]


def one(document: bytes, path: str) -> str | None:
    found = etree.fromstring(document).findtext(path, namespaces=NS)
    return None if found is None else str(found)


@given(moment=moments)
def test_times_are_the_same_moment_in_caps_format(moment: datetime) -> None:
    written = one(write(changed(PLAIN, info=(changed(INFO, expires=moment),))), ".//c:expires")
    assert written is not None
    assert len(written) == len("2026-11-22T06:00:00+01:00")
    assert datetime.fromisoformat(written) == moment.replace(microsecond=0)
    assert not written.endswith("+00:00")


@pytest.mark.parametrize("zero", [UTC, timezone(timedelta(0))])
def test_utc_is_minus_zero(zero: timezone) -> None:
    info = changed(INFO, onset=datetime(2026, 11, 22, 6, 0, tzinfo=zero))
    assert one(write(changed(PLAIN, info=(info,))), ".//c:onset") == "2026-11-22T06:00:00-00:00"


def test_sent_and_references_are_kept_byte_for_byte() -> None:
    reference = cap.Reference("a@b.it", "i-0", "2026-11-22T05:00:00-00:00")
    document = write(changed(PLAIN, msg_type=cap.MsgType.UPDATE, references=(reference, reference)))
    assert one(document, "c:sent") == PLAIN.sent
    assert one(document, "c:references") == f"{reference} {reference}"


def test_numbers_have_no_exponent() -> None:
    area = cap.Area("x", circles=(Circle(Point(1e-07, -0.00001), 1e-05),), altitude=1e-06)
    document = write(changed(PLAIN, info=(changed(INFO, area=(area,)),)))
    assert one(document, ".//c:circle") == "0.0000001,-0.00001 0.00001"
    assert one(document, ".//c:altitude") == "0.000001"


def test_purpose_is_a_code_unless_emergency() -> None:
    assert one(write(PLAIN), "c:code") is None
    service = changed(PLAIN, purpose=cap.Purpose.SERVICE, code=("x",))
    codes = [c.text for c in etree.fromstring(write(service)).findall("c:code", NS)]
    assert codes == ["x", "alertd:purpose=service"]
    again = changed(service, code=tuple(codes))
    assert [c.text for c in etree.fromstring(write(again)).findall("c:code", NS)] == codes


def test_what_xml_cannot_hold_is_left_out() -> None:
    info = changed(INFO, description="a\x00b\x0b\ud800c\ufffed\r\ne\rf<&>]]>\U0001f30a")
    assert one(write(changed(PLAIN, info=(info,))), ".//c:description") == "abcd\ne\nf<&>]]>\U0001f30a"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"identifier": "a b"}, "identifier"),
        ({"identifier": ""}, "identifier"),
        ({"sender": "a,b"}, "sender"),
        ({"sender": "a<b"}, "sender"),
        ({"sender": "a\x00b"}, "sender"),
        ({"sent": "2026-11-22T06:00:00Z"}, "sent"),
        ({"sent": "2026-11-22T06:00:00.5+01:00"}, "sent"),
        ({"msg_type": cap.MsgType.CANCEL}, "references"),
        ({"scope": cap.Scope.RESTRICTED}, "restriction"),
        ({"scope": cap.Scope.PRIVATE}, "addresses"),
        ({"scope": cap.Scope.PRIVATE, "addresses": "\x00 "}, "addresses"),
        ({"info": (changed(INFO, category=()),)}, "category"),
        ({"info": (changed(INFO, language="it_IT"),)}, "language"),
        ({"info": (changed(INFO, expires=datetime(2026, 1, 1)),)}, "offset"),  # noqa: DTZ001
        ({"info": (changed(INFO, area=(cap.Area("x", altitude=float("nan")),)),)}, "decimal"),
    ],
)
def test_what_cap_cannot_hold_is_refused_by_name(wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        write(changed(PLAIN, **wrong))
