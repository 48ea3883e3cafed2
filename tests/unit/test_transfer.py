"""What was exported is imported as it was; what cannot be read is told by line."""

import csv
import io
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.citizens.subscriber_form import SubscriberRow, read
from alertd.core.citizens.transfer import MAX_LINE, Row, fields_of, lines, read_ndjson, write_ndjson
from alertd.core.citizens.transfer_csv import read_csv, write_csv
from alertd.domain.alert import Purpose, Severity
from alertd.domain.subscriber import Cohort, Consent, Endpoint, EndpointState, Preference, Subscriber
from tests.support.citizens import PUSH_TEXT, chunked

NOW = datetime(2026, 11, 21, 10, 0, 0, 123456, tzinfo=UTC)

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=40)
zones = st.lists(words.filter(lambda z: "|" not in z and z.strip() == z), min_size=1, max_size=4, unique=True)
addresses = st.one_of(
    words.filter(lambda a: not a.startswith("{")),
    st.sampled_from(["+393331234567", "-100123", "@canale", "=cmd|'/c calc'!A1", "'=x", "''", "'hello", PUSH_TEXT]),
)
endpoints = st.builds(Endpoint, channel=words, address=addresses, state=st.sampled_from(EndpointState), id=st.just(0))
consents = st.builds(
    Consent,
    source=words,
    given_at=st.datetimes(timezones=st.just(UTC)),
    confirmed_at=st.none() | st.datetimes(timezones=st.just(UTC)),
)
people = st.builds(
    Subscriber,
    id=st.from_regex(r"[A-Za-z0-9_-]{1,16}", fullmatch=True),
    preference=st.builds(
        Preference,
        language=st.sampled_from(["it", "it-IT", "sr-Latn-RS"]),
        zones=zones.map(tuple),
        purposes=st.frozensets(st.sampled_from(Purpose), min_size=1),
        min_severity=st.sampled_from(Severity),
    ),
    cohort=st.sampled_from(Cohort),
    endpoints=st.lists(endpoints, min_size=1, max_size=3).map(tuple),
    consent=consents,
    created_at=st.just(NOW),
    updated_at=st.just(NOW),
)
people = people.filter(lambda one: one.cohort is not Cohort.OFFICERS or Purpose.EMERGENCY in one.preference.purposes)
rosters = st.lists(people, max_size=5, unique_by=lambda s: s.id)


async def stream(subscribers: list[Subscriber]):
    for subscriber in subscribers:
        yield subscriber


async def joined(chunks) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def rows(reading) -> list[Row]:
    return [row async for row in reading]


def same(row: Row, subscriber: Subscriber) -> bool:
    assert row.fields is not None, row.error
    ours, theirs = read(SubscriberRow, row.fields), read(SubscriberRow, fields_of(subscriber))
    return ours == theirs


@given(roster=rosters, size=st.integers(1, 200))
async def test_ndjson_round_trip(roster: list[Subscriber], size: int) -> None:
    text = await joined(write_ndjson(stream(roster)))
    back = await rows(read_ndjson(chunked(text, size)))
    assert [row.line for row in back] == list(range(1, len(roster) + 1))
    assert all(map(same, back, roster))


@given(roster=rosters, size=st.integers(1, 200), semicolons=st.booleans())
async def test_csv_round_trip_without_formulas(roster: list[Subscriber], size: int, semicolons: bool) -> None:
    text = await joined(write_csv(stream(roster)))
    for cells in csv.reader(io.StringIO(text.decode(), newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)
    if semicolons:  # as a spreadsheet in Italy would save it
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=";").writerows(csv.reader(io.StringIO(text.decode(), newline="")))
        text = b"\xef\xbb\xbf" + out.getvalue().encode()
    back = await rows(read_csv(chunked(text, size)))
    assert len(back) == len(roster)
    assert all(map(same, back, roster))


async def test_lines_are_numbered_and_bounded() -> None:
    text = b"one\r\n\n" + b"x" * (MAX_LINE + 1) + b"\nfour\n" + b"y" * (MAX_LINE * 3)
    for size in (7, 4096, len(text)):
        found = [line async for line in lines(chunked(text, size))]
        assert found == [(1, b"one"), (2, b""), (3, None), (4, b"four"), (5, None)]


async def test_a_line_of_exactly_the_limit_is_taken() -> None:
    text = b"x" * MAX_LINE + b"\n"
    assert [line async for line in lines(chunked(text, 1000))] == [(1, b"x" * MAX_LINE)]


async def test_ndjson_faults_are_told_by_line() -> None:
    text = b'{"a":1}\n\n[1]\n{"a":\n\x1e{"b":2}\n"\xff"\n' + b"z" * (MAX_LINE + 5)
    back = await rows(read_ndjson(chunked(text, 10)))
    assert [(r.line, r.fields, r.error.split(":")[0]) for r in back] == [
        (1, {"a": 1}, ""),
        (3, None, "not a JSON object"),
        (4, None, "not JSON"),
        (5, {"b": 2}, ""),
        (6, None, "not JSON"),
        (7, None, f"longer than {MAX_LINE} bytes"),
    ]


@pytest.mark.parametrize(
    ("first", "error"),
    [
        (b"language,zones\n", "missing: channel, address"),
        (b"language,zones,channel,address,colour\n", "unknown columns: colour"),
        (b"language,zones,channel,address,address\n", "named twice"),
        (b'language,"zones\n', "not CSV"),
        (b"\xff\xfel\x00\n", "not UTF-8"),
    ],
)
async def test_csv_needs_a_good_first_line(first: bytes, error: str) -> None:
    (row,) = await rows(read_csv(chunked(first + b"it,048028,mail,a@example.org\n", 9)))
    assert row.line == 1
    assert error in row.error


async def test_csv_faults_are_told_by_line() -> None:
    text = (
        b"Language;Zones;Channel;Address\r\n"
        b"it;Empoli|048028;mail;a@example.org\r\n"
        b"it;Empoli;mail\r\n"
        b'it;Empoli;mail;"open\r\n'
        b"\r\n"
        b"it;Empoli;push;{not json\r\n"
        b"it;Empoli;bot;'-100\r\n"
    )
    back = await rows(read_csv(chunked(text, 11)))
    assert [(r.line, r.error.split(":")[0]) for r in back] == [
        (2, ""),
        (3, "3 cells where the first line names 4 columns"),
        (4, "not CSV"),
        (6, "address"),
        (7, ""),
    ]
    assert back[0].fields == {
        "language": "it",
        "zones": ["Empoli", "048028"],
        "endpoints": [{"channel": "mail", "address": "a@example.org"}],
    }
    assert back[4].fields is not None
    assert back[4].fields["endpoints"] == [{"channel": "bot", "address": "-100"}]


async def test_push_subscriptions_stay_objects() -> None:
    subscriber = Subscriber(
        "s1",
        Preference("it", ("*",)),
        Cohort.PUBLIC,
        (Endpoint("push", PUSH_TEXT),),
        Consent("web", NOW, NOW),
        NOW,
        NOW,
    )
    text = await joined(write_ndjson(stream([subscriber])))
    assert orjson.loads(text)["endpoints"][0]["subscription"]["keys"]["auth"]
