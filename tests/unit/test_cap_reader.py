"""What a CAP document says is what the Alert says; what it says wrongly is said with its line; nothing is made up."""

from datetime import UTC, datetime

import pytest

from alertd.cap.document import Limits
from alertd.cap.reader import Reading, read
from alertd.domain.alert import (
    Alert,
    Category,
    Certainty,
    Pair,
    Purpose,
    Reference,
    ResponseType,
    Severity,
    Status,
    Urgency,
)
from tests.unit.cap_samples import AREA, CAP12, HEAD, SQUARE, WORDS, alert, info

CAP11 = "urn:oasis:names:tc:emergency:cap:1.1"
CAP10 = "http://www.incident.com/cap/1.0"


def one(data: bytes, **options: object) -> Alert:
    (found,) = read(data, **options).alerts  # type: ignore[arg-type]
    return found


def said(reading: Reading) -> list[str]:
    return [f"{v.where}: {v.message}" for v in reading.every_violation()]


def broken(head: str = HEAD, infos: str | None = None, **more: str) -> tuple[Alert | None, str]:
    """The alert, if it could be read, and its violations in one text."""
    reading = read(alert(head, infos, **more))
    return (reading.alerts or (None,))[0], "\n".join(said(reading))


def test_a_plain_alert_has_no_violation() -> None:
    assert said(read(alert())) == []
    read_ = one(alert())
    assert (read_.id, read_.sent, read_.status, read_.purpose) == (
        "",
        "2026-11-22T06:00:00+01:00",
        Status.EXERCISE,
        Purpose.EMERGENCY,
    )
    (area,) = read_.info[0].area
    assert str(area.polygons[0]) == "43.7,11.0 43.7,11.1 43.8,11.1 43.8,11.0 43.7,11.0"
    assert area.zones == ()


def test_everything_an_alert_can_hold() -> None:
    head = HEAD.replace(
        "<scope>Public</scope>",
        "<source>S</source><scope>Restricted</scope><restriction>R</restriction><addresses>A &quot;B C&quot;</addresses><code>x</code><code>alertd:purpose=service</code><note>N</note><references>a@b,1,2026-11-22T05:00:00-00:00\n  c@d,2,2026-11-22T05:30:00+01:00</references><incidents>I J</incidents>",
    )
    resource = "<resource><resourceDesc>map</resourceDesc><mimeType>image/png</mimeType><size>12</size><uri>https://a.it/ü?x=1&amp;y</uri><derefUri>aGk=</derefUri><digest>d</digest></resource>"
    words = WORDS.replace(
        "<urgency>", "<responseType>Shelter</responseType><responseType>None</responseType><urgency>"
    ).replace("</event>", "</event>")
    rest = (
        "<audience>all</audience><eventCode><valueName>SAME</valueName><value>SVR</value></eventCode>"
        "<effective>2026-11-22T06:00:00-00:00</effective><onset>2026-11-22T07:00:00+01:00</onset><expires>2026-11-22T23:59:59+01:00</expires>"
        "<senderName>PC</senderName><headline> H </headline><description>a\nb</description><instruction/><web>https://a.it</web><contact>055</contact>"
        "<parameter><valueName>unknown:thing</valueName><value> v </value></parameter>" + resource
    )
    area = f"<area><areaDesc>x</areaDesc><polygon>{SQUARE}</polygon><circle>43.7,11.0 2.50</circle><geocode><valueName>Z</valueName><value>Tosc-A1</value></geocode><altitude>10.5</altitude><ceiling>200</ceiling></area>"
    assert said(read(alert(head, info(words, rest, area)))) == []
    got = one(alert(head, info(words, rest, area)))
    assert (got.source, got.restriction, got.addresses, got.note, got.incidents) == ("S", "R", 'A "B C"', "N", "I J")
    assert (got.code, got.purpose) == (("x",), Purpose.SERVICE)
    assert got.references == (
        Reference("a@b", "1", "2026-11-22T05:00:00-00:00"),
        Reference("c@d", "2", "2026-11-22T05:30:00+01:00"),
    )
    (said_,) = got.info
    assert said_.response_type == (ResponseType.SHELTER, ResponseType.NONE)
    assert (said_.headline, said_.description, said_.instruction) == (" H ", "a\nb", "")
    assert said_.effective == datetime(2026, 11, 22, 6, tzinfo=UTC)
    assert said_.parameter == (Pair("unknown:thing", " v "),)
    assert (said_.resource[0].size, said_.resource[0].uri, said_.resource[0].deref_uri) == (
        12,
        "https://a.it/ü?x=1&y",
        "aGk=",
    )
    assert (said_.area[0].circles[0].radius_km, said_.area[0].altitude, said_.area[0].ceiling) == (2.5, 10.5, 200.0)


@pytest.mark.parametrize("name", ["identifier", "sender", "sent", "status", "msgType", "scope"])
@pytest.mark.parametrize("how", ["missing", "empty", "another"])
def test_what_names_a_message_is_there_once_or_nothing_is_read(name: str, how: str) -> None:
    start, end = HEAD.index(f"<{name}>"), HEAD.index(f"</{name}>") + len(name) + 3
    element = HEAD[start:end]
    instead = {"missing": "", "empty": f"<{name}/>", "another": element + f"<{name}>Test</{name}>"}[how]
    got, violations = broken(HEAD.replace(element, instead))
    assert got is None
    assert name in violations


@pytest.mark.parametrize("wrong", ["actual", "ACTUAL", "Real", "Actual2", "Actual,Test"])
def test_an_unknown_status_is_never_actual(wrong: str) -> None:
    got, violations = broken(HEAD.replace("Exercise", wrong))
    assert got is None
    assert f"line 6: status {wrong!r} is none of Actual" in violations


def test_markup_in_a_status_does_not_hide_the_rest_of_it() -> None:
    assert broken(HEAD.replace("Exercise", "Actual<b>ly not</b>"))[0] is None


@pytest.mark.parametrize(
    "wrong", ["yesterday", "2026-11-22T06:00:00", "2026-13-22T06:00:00+01:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_time_that_is_none_is_no_time(wrong: str) -> None:
    assert broken(HEAD.replace("2026-11-22T06:00:00+01:00", wrong))[0] is None
    got, violations = broken(infos=info(rest=f"<expires>{wrong}</expires>"))
    assert got is not None
    assert got.info[0].expires is None
    assert f"line 16: expires {wrong!r}" in violations


def test_times_of_all_spellings_are_the_same_moment() -> None:
    spellings = [
        "2026-11-22T06:00:00-00:00",
        "2026-11-22T06:00:00Z",
        "2026-11-22T06:00:00.000Z",
        " 2026-11-22T07:00:00+01:00\n",
        "2026-11-21T24:00:00-06:00",
    ]
    got = [one(alert(infos=info(rest=f"<onset>{s}</onset>"))).info[0].onset for s in spellings]
    assert got == [datetime(2026, 11, 22, 6, tzinfo=UTC)] * 5
    assert "fraction or a Z" in broken(infos=info(rest="<onset>2026-11-22T06:00:00Z</onset>"))[1]
    assert broken(infos=info(rest="<onset>2026-11-22T06:00:00Z</onset>"), namespace=CAP11)[1] == ""


def test_sent_is_kept_byte_for_byte() -> None:
    for sent in ("2026-11-22T06:00:00-00:00", "2026-11-22T06:00:00+00:00", "2026-11-22T06:00:00Z"):
        assert one(alert(HEAD.replace("2026-11-22T06:00:00+01:00", f"\n {sent} "))).sent == sent


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("43.7,11.0 43.7,11.1 43.8,11.1 43.8,11.0", "last point must repeat"),
        ("43.7,11.0 43.7,11.1 43.7,11.0", "at least four points"),
        ("43.7,11.0 43.7,11.1,43.8 11.1 43.7,11.0", "point 2 of the polygon, '43.7,11.1,43.8'"),
        ("43.7,11.0 43.7 11.1 43.8,11.1 43.8,11.0 43.7,11.0", "point 2"),
        ("43.7, 11.0 43.7, 11.1 43.8, 11.1 43.7, 11.0", "point 1"),
        ("93.7,11.0 43.7,11.1 43.8,11.1 93.7,11.0", "outside latitude"),
        ("43.7,191.0 43.7,11.1 43.8,11.1 43.7,191.0", "outside latitude"),
        ("nan,11.0 43.7,11.1 43.8,11.1 nan,11.0", "point 1"),
        ("1e1,11.0 43.7,11.1 43.8,11.1 1e1,11.0", "point 1"),
        ("4_3,11.0 43.7,11.1 43.8,11.1 4_3,11.0", "point 1"),
        ("٤,11.0 43.7,11.1 43.8,11.1 ٤,11.0", "point 1"),
        ("1-2,11.0 43.7,11.1 43.8,11.1 1-2,11.0", "point 1"),
        (",".join(["1"] * 60_000), "at most"),
        ("", "polygon is empty"),
    ],
)
def test_a_broken_polygon_is_no_polygon(text: str, says: str) -> None:
    got, violations = broken(infos=info(area=AREA.replace("</polygon>", f"</polygon><polygon>{text}</polygon>")))
    assert got is not None
    assert [str(polygon).split()[0] for polygon in got.info[0].area[0].polygons] == ["43.7,11.0"]
    assert says in violations


@pytest.mark.parametrize(
    "text", ["43.7,11.0", "43.7 11.0 1", "43.7,11.0 -1", "43.7,11.0 1e9", "43.7,11.0 x", "95,11 2", "1,2 30000"]
)
def test_a_broken_circle_is_no_circle(text: str) -> None:
    got, violations = broken(infos=info(area=f"<area><areaDesc>x</areaDesc><circle>{text}</circle></area>"))
    assert got is not None
    assert got.info[0].area[0].circles == ()
    assert "circle" in violations


def test_decimals_survive() -> None:
    ring = "43.7012345678901,-11.000000000000001 43.7,11.1 43.80,11.1 43.7012345678901,-11.000000000000001"
    got = one(alert(infos=info(area=f"<area><areaDesc>x</areaDesc><polygon>{ring}</polygon></area>")))
    assert (
        str(got.info[0].area[0].polygons[0].points[0]) == "43.7012345678901,-11.000000000000002"
    )  # float's own nearest
    assert float("-11.000000000000001") == -11.000000000000002


def test_enumerations_are_not_guessed() -> None:
    words = WORDS.replace("Severe<", "Catastrophic<").replace("Expected<", " expected<").replace("Met<", "Weather<")
    got, violations = broken(infos=info(words))
    assert got is not None
    assert (got.info[0].severity, got.info[0].urgency, got.info[0].category) == (Severity.UNKNOWN, Urgency.EXPECTED, ())
    assert "severity 'Catastrophic' is none of" in violations
    assert "urgency ' expected' is read as 'Expected'" in violations
    assert "category 'Weather' is none of" in violations


def test_out_of_order_is_read_and_said_once() -> None:
    area = (
        "<area><areaDesc>x</areaDesc><geocode><valueName>Z</valueName><value>1</value></geocode>"
        + f"<polygon>{SQUARE}</polygon>" * 3
        + "</area>"
    )
    got, violations = broken(infos=info(area=area))
    assert got is not None
    assert len(got.info[0].area[0].polygons) == 3
    assert violations.splitlines() == ["line 22: polygon comes after geocode; CAP wants it before"]


def test_what_cap_has_not_is_said_and_left() -> None:
    got, violations = broken(
        end="<x><status>Actual</status></x><s xmlns='urn:other'>1</s>",
        infos=info(rest="<headline>a<b>c</b></headline>"),
    )
    assert got is not None
    assert got.info[0].headline == "ac"
    assert "headline holds elements" in violations
    assert "x is not an element of alert" in violations
    assert "s of namespace 'urn:other'" in violations


def test_the_second_of_what_may_stand_once() -> None:
    got, violations = broken(infos=info(rest="<headline>a</headline><headline>b</headline>"))
    assert got is not None
    assert got.info[0].headline == "a"
    assert "line 17: headline stands here a second time" in violations


def test_the_language_of_a_source() -> None:
    document = alert(infos=info().replace("<language>it-IT</language>", ""))
    assert one(document).info[0].language == "en-US"
    assert one(document, language="it-IT").info[0].language == "it-IT"
    assert one(alert(), language="de").info[0].language == "it-IT"


def test_the_purpose_is_the_least_urgent_said() -> None:
    def purpose(*codes: str) -> tuple[Purpose, tuple[str, ...]]:
        got = one(alert(HEAD + "".join(f"<code>{code}</code>" for code in codes)))
        return got.purpose, got.code

    assert purpose("alertd:purpose=event", "a") == (Purpose.EVENT, ("a",))
    assert purpose("alertd:purpose=emergency", "alertd:purpose=service") == (Purpose.SERVICE, ())
    assert purpose("alertd:purpose=party") == (Purpose.EMERGENCY, ("alertd:purpose=party",))


def test_references_that_are_none() -> None:
    got, violations = broken(HEAD + "<references>a@b,1,2026-11-22T05:00:00Z only,two a,,c</references>")
    assert got is not None
    assert [str(reference) for reference in got.references] == ["a@b,1,2026-11-22T05:00:00Z"]
    assert violations.count("is not 'sender,identifier,sent'") == 2


def test_cap_10() -> None:
    head = HEAD.replace("<scope>", "<password>secret</password><scope>")
    words = WORDS.replace("Likely", "Very Likely")
    area = "<area><areaDesc>x</areaDesc><geocode>fips6=006109</geocode></area>"
    got, violations = broken(
        head, info(words, "<eventCode>same=CSW</eventCode><parameter>HSAS=ORANGE=3</parameter>", area), namespace=CAP10
    )
    assert violations == ""
    assert got is not None
    (said_,) = got.info
    assert said_.certainty is Certainty.LIKELY
    assert (said_.event_code, said_.parameter) == ((Pair("same", "CSW"),), (Pair("HSAS", "ORANGE=3"),))
    assert said_.area[0].geocodes == (Pair("fips6", "006109"),)
    assert "Very Likely" in broken(infos=info(words))[1]


def test_no_namespace_is_read_and_another_is_refused() -> None:
    got, violations = broken(namespace="")
    assert got is not None
    assert "no namespace" in violations
    assert broken(namespace="urn:oasis:names:tc:emergency:cap:9.9") == (
        None,
        "line 2: namespace 'urn:oasis:names:tc:emergency:cap:9.9' is none of CAP's",
    )


def envelope(status: str, *alerts: bytes) -> bytes:
    inside = b"".join(data.partition(b"\n")[2] for data in alerts)
    return (
        b'<d:EDXLDistribution xmlns:d="urn:oasis:names:tc:emergency:EDXL:DE:1.0"><d:distributionStatus>'
        + status.encode()
        + b"</d:distributionStatus><d:contentObject>"
        + inside
        + b"</d:contentObject></d:EDXLDistribution>"
    )


def test_an_exercise_s_envelope_holds_no_real_alert() -> None:
    real = alert(HEAD.replace("Exercise", "Actual"))
    assert len(read(envelope("Actual", real, alert())).alerts) == 2
    (refused, kept) = read(envelope("Exercise", real, alert())).found
    assert refused.alert is None
    assert "distributionStatus is 'Exercise'" in refused.violations[-1].message
    assert kept.alert is not None


def test_an_alert_within_an_alert_is_not_one_of_the_document() -> None:
    inner = alert(HEAD.replace("Exercise", "Actual").replace("i-1", "i-2")).partition(b"\n")[2].decode()
    (found,) = read(envelope("Actual", alert(end=f"<x>{inner}</x>"))).alerts
    assert found.identifier == "i-1"
    (found,) = read(alert(end=f"<x>{inner}</x>")).alerts
    assert found.identifier == "i-1"


def test_limits_are_said() -> None:
    def first(data: bytes, **limits: int) -> str:
        return "\n".join(said(read(data, limits=Limits(**limits))))

    assert "at most 10 are read" in first(alert(), octets=10)
    assert "too many elements" in first(alert(), marks=5)
    assert "more than 1 alerts" in first(envelope("Actual", alert(), alert()), alerts=1)
    assert "more than 1 infos; this one is not read" in first(alert(infos=info() * 2), infos=1)
    assert "at most 4 are read" in first(alert(), points=4)
    assert "derefUri has 8 characters" in first(
        alert(
            infos=info(
                rest="<resource><resourceDesc>a</resourceDesc><mimeType>a/b</mimeType><derefUri>aGkhaGkh</derefUri></resource>"
            )
        ),
        base64=7,
    )
    assert "nested more than 4 deep" in first(alert(end="<x><x><x><x><x/></x></x></x></x>"), depth=4)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_encodings(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    text = alert(infos=info(rest="<headline>è già</headline>")).decode().replace("UTF-8", declared)
    assert one(text.encode(encoding)).info[0].headline == "è già"


def test_comments_and_instructions_do_not_cut_a_text() -> None:
    got = one(alert(infos=info(rest="<headline>a<!-- x -->b<?p i?>c<![CDATA[<d>]]></headline>")))
    assert got.info[0].headline == "abc<d>"


def test_the_word_doctype_in_a_text_is_harmless() -> None:
    got = one(
        b"<!-- <!DOCTYPE x> -->"
        + alert(infos=info(rest="<headline><![CDATA[<!DOCTYPE html>]]></headline>")).partition(b"\n")[2]
    )
    assert got.info[0].headline == "<!DOCTYPE html>"


@pytest.mark.parametrize("category", Category)
def test_no_category_is_made_up(category: Category) -> None:
    assert one(alert(infos=info(WORDS.replace("Met", category)))).info[0].category == (category,)
    assert one(alert(infos=info(WORDS.replace("<category>Met</category>", "")))).info[0].category == ()


def test_every_namespace_of_cap_is_known() -> None:
    assert [read(alert(namespace=n)).found[0].version for n in (CAP12, CAP11, CAP10)] == ["1.2", "1.1", "1.0"]
