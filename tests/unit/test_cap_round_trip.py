"""Whatever the model can hold is written as a document the OASIS schema accepts, and read back as the same Alert.

In-house alone stay our id, the channels and the zones; XML cannot hold some characters, and CAP no fraction of a
second: those are what `as_written` says, and nothing else.
"""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from alertd.cap.reader import read
from alertd.cap.writer import _uri, writable, write
from alertd.domain.alert import Alert, Area, Info, Pair, Resource
from tests.unit.test_cap_writer import INFO, NS, PLAIN, SCHEMA, alerts, changed


def as_written(alert: Alert) -> Alert:
    """What of an alert a CAP document carries."""
    return replace(
        alert,
        id="",
        channels=None,
        source=_text(alert.source),
        restriction=_text(alert.restriction),
        addresses=_text(alert.addresses),
        note=_text(alert.note),
        incidents=_text(alert.incidents),
        code=tuple(map(writable, alert.code)),
        info=tuple(map(_info, alert.info)),
    )


def _text(text: str | None) -> str | None:
    return None if text is None else writable(text)


def _info(info: Info) -> Info:
    texts = {
        name: _text(getattr(info, name))
        for name in ("event", "audience", "sender_name", "headline", "description", "instruction", "contact")
    }
    times = {name: _second(getattr(info, name)) for name in ("effective", "onset", "expires")}
    return replace(
        info,
        **texts,  # type: ignore[arg-type]
        **times,  # type: ignore[arg-type]
        web=_uri(info.web),
        event_code=_pairs(info.event_code),
        parameter=_pairs(info.parameter),
        resource=tuple(map(_resource, info.resource)),
        area=tuple(map(_area, info.area)),
    )


def _second(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(microsecond=0)


def _pairs(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    return tuple(Pair(writable(pair.value_name), writable(pair.value)) for pair in pairs)


def _resource(resource: Resource) -> Resource:
    return Resource(
        writable(resource.resource_desc),
        writable(resource.mime_type),
        resource.size,
        _uri(resource.uri),
        _text(resource.deref_uri),
        _text(resource.digest),
    )


def _area(area: Area) -> Area:
    return replace(area, area_desc=writable(area.area_desc), zones=(), geocodes=_pairs(area.geocodes))


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    if not SCHEMA.exists():
        pytest.skip(f"the OASIS schema is not at {SCHEMA}")
    return etree.XMLSchema(etree.parse(SCHEMA))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(alert=alerts)
def test_written_valid_and_read_the_same(schema: etree.XMLSchema, alert: Alert) -> None:
    document = write(alert)
    root = etree.fromstring(document)
    schema.assertValid(root)
    assert root.findtext("c:identifier", namespaces=NS) == alert.identifier
    assert len(root.findall("c:info", NS)) == len(alert.info)
    reading = read(document)
    assert reading.alerts == (as_written(alert),)
    assert reading.every_violation() == ()
    assert write(replace(reading.alerts[0], id="x")) == document


@settings(max_examples=300, deadline=None)
@given(link=st.text(max_size=30) | st.text("abc:/?#[]@%.0è ", max_size=20))
def test_any_link_is_written_valid(schema: etree.XMLSchema, link: str) -> None:
    document = write(changed(PLAIN, info=(changed(INFO, web=link),)))
    schema.assertValid(etree.fromstring(document))
    (again,) = read(document).alerts
    assert write(again) == document


@pytest.mark.parametrize(
    "link",
    [
        "https://a.it/ü?x=1&z=è#f",
        "http://[::1]:8470/a",
        "mailto:a@b.it",
        "https://u:p@a.it/a%20b",
        "a/b?c",
        "#x",
        "tel:+39055",
        "urn:oid:1.2.3",
    ],
)
def test_a_good_link_is_written_as_it_is(link: str) -> None:
    (again,) = read(write(changed(PLAIN, info=(changed(INFO, web=link),)))).alerts
    assert again.info[0].web == link
