"""Every reader, whatever it is given, answers with signals and violations and never with an exception."""

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from alertd.domain.geo import Point
from alertd.domain.signal import Heard
from alertd.domain.texts import text_fault
from alertd.ingest.readers import cap_feed
from alertd.ingest.readers.received import MAX_VIOLATIONS, Fault, Notes, Received
from alertd.ingest.readers.registry import MODULES, Reader, reader
from alertd.ingest.readers.values import moment, number
from tests.support.dpc import ORANGE, bulletin_zip, packed, row, table

NOW = datetime(2026, 1, 18, 16, 0, tzinfo=UTC)
OPTIONS = {
    "alertmanager": {},
    "chirpstack": {"fields": {"level": "m", "a": ""}},
    "dpc": {"zones": ("Tosc-A1",)},
    "ingv": {},
    "json_path": {"value": "$.a", "time": "$.time", "id": "$.b"},
    "mapped": {"each": "$[*]", "fields": {"key": {"path": "$.a"}, "value": {"path": "$.b"}, "at": {"path": "$.time"}}},
    "meteoalarm": {"zones": ("IT016",)},
    "number": {},
    "sensorthings": {},
    "the_things_stack": {"fields": {"level": "m", "a": ""}, "missing": "zero"},
}
JSON_READERS = sorted(set(OPTIONS) - {"dpc", "ingv"})
NAMES = re.findall(
    r"\S+",
    """alerts alert status labels annotations fingerprint startsAt endsAt deviceInfo devEui object level a b time result
    @iot.id Datastream phenomenonTime warnings identifier sender sent msgType info area geocode valueName value parameter
    references end_device_ids device_id uplink_message decoded_payload f_cnt simulated polygon severity category event
    truncatedAlerts version deduplicationId uuid areaDesc language""",
)
WORDS = [
    "firing",
    "resolved",
    "Alert",
    "Update",
    "Cancel",
    "EMMA_ID",
    "IT016",
    "awareness_level",
    "awareness_type",
    "3; x",
    "Met",
]
WORDS += [
    "2026-11-22T06:00:00Z",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-14:00",
    "a,b,2026-11-22T06:00:00Z",
    "1e5",
    "",
]

leaves = st.one_of(
    *(st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False)),
    *(st.sampled_from(WORDS), st.text(max_size=20)),
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=8)
    ),
    max_leaves=40,
)
PLACES = {"048028": Point(43.73, 11.02)}
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def answer(name: str, payload: bytes, topic: str = "") -> Heard:
    one = reader(name)
    heard = one.read(payload, one.config(**OPTIONS[name]), Received("s", NOW, topic, PLACES))
    assert isinstance(heard, Heard)
    assert len(heard.violations) <= MAX_VIOLATIONS + 1
    for signal in heard.signals:
        assert signal.source == "s"
        assert signal.key
        assert signal.revision
        assert signal.at.utcoffset() is not None
        assert signal.colour is None or name == "dpc"
        for text in (signal.key, signal.event, signal.headline, signal.sensor, *(pair.value for pair in signal.facts)):
            assert text_fault(text, 10_000) is None
    return heard


@pytest.mark.parametrize("name", sorted(OPTIONS))
@FUZZ
@given(payload=st.binary(max_size=400), topic=st.text(max_size=30))
def test_arbitrary_bytes(name, payload, topic):
    answer(name, payload, topic)


@pytest.mark.parametrize("name", JSON_READERS)
@FUZZ
@given(document=documents)
def test_arbitrary_json(name, document):
    answer(name, json.dumps(document).encode("utf-8", "surrogatepass"), "t")


def _shaped(name: str, inner: object) -> object:
    """Arbitrary members where the reader looks for them."""
    some = inner if isinstance(inner, dict) else {"a": inner}
    info = {
        "parameter": [{"valueName": "awareness_level", "value": "3"}, {"valueName": "awareness_type", "value": "1"}],
        "area": [{"areaDesc": "T", "geocode": [{"valueName": "EMMA_ID", "value": "IT016"}]}],
    }
    match name:
        case "alertmanager":
            return {"alerts": [{"status": "firing", "labels": some, "fingerprint": "f", "startsAt": WORDS[11], **some}]}
        case "chirpstack":
            return {"deviceInfo": {"devEui": "e"}, "object": some, **some}
        case "the_things_stack":
            return {"end_device_ids": {"device_id": "d"}, "uplink_message": {"decoded_payload": some, **some}, **some}
        case "meteoalarm":
            said = {
                "identifier": "i",
                "sender": "s",
                "sent": "x",
                "msgType": "Update",
                "info": [{**info, **some}],
                **some,
            }
            return {"warnings": [{"alert": said, "uuid": inner}]}
        case "mapped":
            return [{"a": "k", **some}, inner]
        case _:
            return {"result": 1, **some}


@pytest.mark.parametrize("name", JSON_READERS)
@FUZZ
@given(inner=documents)
def test_arbitrary_members_where_they_are_looked_for(name, inner):
    answer(name, json.dumps(_shaped(name, inner)).encode(), "v1.1/Datastreams(1)/Observations")


@FUZZ
@given(cells=st.lists(st.lists(st.text(max_size=12), max_size=15), max_size=5))
def test_arbitrary_lines_of_events(cells):
    header = "#EventID|Time|Latitude|Longitude|Magnitude|MagType|EventType"
    answer("ingv", "\n".join([header, *("|".join(row) for row in cells)]).encode("utf-8", "replace"))


ZIP = bulletin_zip("20260118_1515", [row("Tosc-A1", ORANGE)], [row("Tosc-A1")])
DBF = table([row("Tosc-A1", ORANGE)])


def changed(data: bytes, changes: list[tuple[int, int]]) -> bytes:
    broken = bytearray(data)
    for at, byte in changes:
        broken[at % len(broken)] = byte
    return bytes(broken)


changes = st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), min_size=1, max_size=12)


@FUZZ
@given(changes=changes, cut=st.none() | st.integers(0, 3_000))
def test_a_damaged_archive(changes, cut):
    answer("dpc", changed(ZIP, changes)[:cut])


@settings(FUZZ, max_examples=400)
@given(changes=changes, cut=st.none() | st.integers(0, 800), head=st.binary(max_size=80))
def test_a_damaged_table_in_a_sound_archive(changes, cut, head):
    today = changed(DBF, changes)[:cut]
    answer("dpc", packed({"20260118_1515_today.dbf": today, "20260118_1515_tomorrow.dbf": head + DBF[len(head) :]}))


@FUZZ
@given(
    payload=st.binary(max_size=300)
    | st.builds(
        lambda parts: (
            "<feed xmlns='http://www.w3.org/2005/Atom'><entry>" + "".join(parts) + "</entry></feed>"
        ).encode(),
        st.lists(
            st.sampled_from(["<id>a</id>", "<id/>", "<link href='x'/>", "<link/>", "<updated>x</updated>", "<content>"])
            | st.sampled_from(["</content>", "<link href='http://[' type='application/cap+xml'/>", "&#x1;", "<x:y/>"])
            | st.text(alphabet="ab<>&'\"é\u202e", max_size=5),
            max_size=8,
        ),
    )
)
def test_arbitrary_feeds(payload):
    index = cap_feed.entries(payload, cap_feed.Config(), "https://a.example/")
    assert all(entry.id and (entry.link or entry.inline) for entry in index.entries)


def test_every_reader_is_found_by_its_name():
    assert set(OPTIONS) <= set(MODULES)
    for name, options in OPTIONS.items():
        found = reader(name)
        assert isinstance(found, Reader)
        config = found.config(**options)
        with pytest.raises(ValidationError):
            found.config(**options, surprise=1)
        with pytest.raises(ValidationError):
            type(config).__setattr__(config, next(iter(type(config).model_fields)), 1)
    with pytest.raises(KeyError):
        reader("telex")


def test_violations_of_one_payload_are_bounded():
    notes = Notes()
    for i in range(1_000):
        notes.lost(f"line {i}", "is wrong")
    assert len(notes.violations) == MAX_VIOLATIONS + 1
    assert notes.violations[-1].message == "900 more violations are not listed"


def test_a_fault_says_where():
    assert str(Fault("line 3", "is empty")) == "line 3: is empty"


@given(value=st.floats() | st.integers() | st.text() | st.booleans() | st.none())
def test_a_number_is_finite_or_refused(value):
    try:
        read = number(value)
    except ValueError:
        return
    assert abs(read) <= 1e15
    assert not isinstance(value, bool)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T00:00:00Z",
        "2026-11-22T25:00:00Z",
        "2026-W01-1T00:00:00Z",
        "20261122T060000Z",
        "٢٠٢٦-11-22T06:00:00Z",
        "2026-11-22T06:00:00+25:00",
        "2026-11-22",
    ],
)
def test_times_of_no_calendar(text):
    with pytest.raises(ValueError):
        moment(text)
