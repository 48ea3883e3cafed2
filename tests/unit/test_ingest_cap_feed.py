"""Indexes of CAP messages, as real issuers publish them and as they should not."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertd.cap.reader import read as read_cap
from alertd.ingest.readers.cap_feed import Config, Index, entries

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="no ../shared/samples beside this clone")
BASE = "https://feeds.example.org/cap/index.atom"


def atom(*items: str) -> Index:
    body = "".join(f"<entry>{item}</entry>" for item in items)
    return entries(f'<feed xmlns="http://www.w3.org/2005/Atom">{body}</feed>'.encode(), Config(), BASE)


def rss(*items: str) -> Index:
    body = "".join(f"<item>{item}</item>" for item in items)
    return entries(f'<rss version="2.0"><channel>{body}</channel></rss>'.encode(), Config(), BASE)


ENTRY = "<id>a</id><updated>2026-11-22T06:00:00+01:00</updated><title>T</title><link href='1.xml'/>"


def test_an_entry_of_atom():
    index = atom(ENTRY)
    assert not index.violations
    (entry,) = index.entries
    assert (entry.id, entry.title, entry.link) == ("a", "T", "https://feeds.example.org/cap/1.xml")
    assert entry.updated == datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
    assert entry.inline is None


def test_the_link_to_cap_goes_before_one_to_a_web_page():
    links = (
        '<link href="https://a.example/page" type="text/html"/>'
        '<link rel="self" href="https://a.example/self"/>'
        '<link rel="related" href="https://a.example/x.cap" type="application/cap+xml"/>'
    )
    assert atom(ENTRY.replace("<link href='1.xml'/>", links)).entries[0].link == "https://a.example/x.cap"


def test_an_item_of_rss():
    dated = "<pubDate>Thu, 01 Jan 2026 05:09:13 +0100</pubDate><link>https://a.example/1.xml</link>"
    index = rss(
        f"<guid>g1</guid>{dated}", f"{dated}", "<guid>https://a.example/2.xml</guid>" + dated.partition("<link>")[0]
    )
    assert [(entry.id, entry.link) for entry in index.entries] == [
        ("g1", "https://a.example/1.xml"),
        ("https://a.example/1.xml", "https://a.example/1.xml"),
        ("https://a.example/2.xml", "https://a.example/2.xml"),
    ]
    assert index.entries[0].updated == datetime(2026, 1, 1, 4, 9, 13, tzinfo=UTC)


def test_an_enclosure_of_cap_and_one_that_is_a_picture():
    picture = '<enclosure url="https://a.example/p.png" type="image/png"/>'
    cap = '<enclosure url="https://a.example/e.xml" type="application/cap+xml"/>'
    index = rss(f"<guid>g</guid><link>https://a.example/l</link>{picture}{cap}")
    assert index.entries[0].link == "https://a.example/e.xml"


@pytest.mark.parametrize("href", ["javascript:alert(1)", "file:///etc/passwd", "ftp://a.example/x", "http://["])
def test_a_link_that_cannot_be_followed_is_none(href):
    index = atom(ENTRY.replace("1.xml", href))
    assert not index.entries
    assert index.violations[-1].fatal


def test_two_entries_with_one_id_are_one_the_later():
    older = ENTRY.replace("06:00", "05:00").replace("1.xml", "0.xml")
    index = atom(older, ENTRY, older)
    assert [entry.link for entry in index.entries] == ["https://feeds.example.org/cap/1.xml"]
    assert len(index.violations) == 2


def test_a_message_written_as_text_into_its_content():
    document = '&lt;alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">&lt;/alert>'
    index = atom(f'<id>a</id><updated>2026-11-22T06:00:00Z</updated><content type="text">{document}</content>')
    assert index.entries[0].inline == b'<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"></alert>'
    assert not index.violations


def test_dates_nobody_can_read_leave_the_time_open():
    assert atom(ENTRY.replace("2026-11-22T06:00:00+01:00", "today")).entries[0].updated is None
    assert rss("<guid>g</guid><link>https://a.example/1</link><pubDate>99</pubDate>").entries[0].updated is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<html><body>500</body></html>",
        b"<feed",
        b"{}",
        b"<!DOCTYPE feed [<!ENTITY a 'b'>]><feed/>",
        "<?xml version='1.0' encoding='utf-16'?><!DOCTYPE feed [<!ENTITY a 'b'>]><feed>&a;</feed>".encode("utf-16"),
        b"<feed xmlns='http://www.w3.org/2005/Atom'>" + b"<a>" * 5_000,
        b"<rss><channel>" + b"<item/>" * 10_001 + b"</channel></rss>",
        b" " * (16 * 2**20 + 1),
    ],
)
def test_what_is_no_feed_is_refused_with_one_reason(payload):
    index = entries(payload, Config())
    assert not index.entries
    assert [violation.fatal for violation in index.violations] == [True]


def test_a_doctype_in_the_text_of_an_entry_is_only_text():
    assert atom(ENTRY + "<summary><![CDATA[<!DOCTYPE html><p>]]></summary>").entries


@needs_samples
@pytest.mark.parametrize(
    ("name", "links", "inline", "faults"),
    [
        ("amber.atom", [""], [True], []),
        (
            "au-bom-en.rss.xml",
            [
                "https://severeweather.wmo.int/v2/cap-alerts/au-bom-en/2026/01/01/05/01/02-dc6fc32e272f13d57f3fb683aa6bd3b8.xml"
            ],
            [False],
            [],
        ),
        ("earthquake_index.atom", ["http://earthquake.usgs.gov/earthquakes/catalogs/cap/us2010apcd"], [False], []),
        ("empty_weather_index.atom", [], [], []),
        ("invalid.rss", [], [], [("line 5", True)]),
        ("no_id.atom", [], [], [("line 9", True)]),
        ("no_link.atom", [], [], [("line 9", True)]),
        (
            "ny_index.rss",
            [
                "http://www.nyalert.gov/Public/News/GetCapAlert.aspx?capID=NYAlert-ALLHAZALERT-3167113",
                "http://www.nyalert.gov/Public/News/GetCapAlert.aspx?capID=NYAlert-ALLHAZALERT-3162202",
            ],
            [False, False],
            [],
        ),
        (
            "weather.atom",
            [
                "http://www.weather.gov/alerts-beta/wwacapget.php?x=DC20120829202900LWXAirQualityAlertLWX20120831040000DC",
            ],
            [True],
            [],
        ),
    ],
)
def test_every_feed_of_the_samples(name, links, inline, faults):
    index = entries((SAMPLES / "feeds" / name).read_bytes(), Config())
    assert [entry.link for entry in index.entries] == links
    assert [entry.inline is not None for entry in index.entries] == inline
    assert [(violation.where, violation.fatal) for violation in index.violations] == faults
    assert all(entry.id and entry.updated for entry in index.entries)


@needs_samples
def test_the_weather_index_and_the_messages_inside_the_others():
    index = entries((SAMPLES / "feeds" / "weather_index.atom").read_bytes(), Config())
    assert index.entries
    assert all(entry.link.startswith("http://www.weather.gov/alerts-beta/wwacapget.php?x=") for entry in index.entries)
    assert not index.violations
    for name, identifier in (
        ("amber.atom", "http://doj.dc.gov/amber12345"),
        ("weather.atom", "NOAA-NWS-ALERTS-MT20120830100700TFXFlashFloodWatchTFX20120830180000MT"),
    ):
        (entry,) = entries((SAMPLES / "feeds" / name).read_bytes(), Config()).entries
        (alert,) = read_cap(entry.inline).alerts
        assert alert.identifier == identifier


@needs_samples
def test_the_feed_that_is_an_attack():
    index = entries((SAMPLES / "cap" / "hostile" / "xee.atom").read_bytes(), Config())
    assert not index.entries
    assert "DOCTYPE" in index.violations[0].message
