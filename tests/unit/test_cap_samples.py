"""Every real CAP document of the shared samples is read or refused as INDEX.md says is right, each for its reason."""

from dataclasses import dataclass

import pytest
from lxml import etree

from alertd.cap.check import checked
from alertd.cap.reader import read
from alertd.cap.writer import write
from alertd.domain.alert import MsgType, Severity, Status
from tests.unit.cap_samples import SAMPLES, SCHEMA, sample


@dataclass(frozen=True)
class Verdict:
    """How many alerts stand there, how many are read, and what must be said (each a part of some violation)."""

    stands: int = 1
    reads: int = 1
    says: tuple[str, ...] = ()


GOOD = Verdict()
VERDICTS = {
    "dpc/Cap_20260118_1515.xml": GOOD,
    "google/43b080713727.cap": GOOD,
    "google/australia.cap": GOOD,
    "google/bushfire_valid.edxlde": Verdict(7, 7),
    "google/canada.cap": GOOD,
    "google/canada_signed.cap": GOOD,
    "google/earthquake-iso8859-1.cap": GOOD,
    "google/earthquake.cap": GOOD,
    "google/no_optional_fields.cap": GOOD,
    "google/thunderstorm.cap": GOOD,
    "google/wcatwc-warning.cap": GOOD,
    # The INDEX says "polygon not closed", but this copy of the file holds no polygon at all; see the test below.
    "google/weather.cap": GOOD,
    "hostile/xee.atom": Verdict(0, 0, ("line 3: the document has a DOCTYPE",)),
    "hostile/xee.cap": Verdict(0, 0, ("line 3: the document has a DOCTYPE",)),
    "invalid/bushfire_invalid.edxlde": Verdict(7, 6, ("line 94: alert without identifier", "urgency 'Foobar'")),
    "invalid/canada_errors.cap": Verdict(says=("line 12: references is empty", "msgType Update needs references")),
    "invalid/earthquake_signed.cap": Verdict(says=("CAP 1.1 has no place for a Signature",)),
    "invalid/invalid.cap": Verdict(1, 0, ("alert without scope",)),
    "invalid/noaa_errors.cap": Verdict(
        says=("urgency is empty", "severity is empty", "certainty is empty", "line 66: point 7 of the polygon")
    ),
    "kde/alertswiss-TEST-1163.xml": Verdict(says=("line 5: sender comes after sent", "no category", "no certainty")),
    "kde/gdacs-cap_1001150.xml": GOOD,
    "kde/gdacs-cap_1023542.xml": Verdict(says=("line 98: point 144 of the polygon",)),
    "kde/ie-2.49.0.1.372.0.250413231648.N_Norm002_SmallCraft.xml": GOOD,
    "kde/kz-2.49.0.0.398.0-20250306-133701-0284797-00-EN.xml": GOOD,
    "kde/mow.DE-HE-KS-SE106-20250313-106-001.xml": Verdict(says=("line 26: expires comes after instruction",)),
    "kde/noaa-2.49.0.1.840.0.bde6c30c43ead9c23c42bea7977652a7de76d87d.002.1.xml": Verdict(
        says=("line 10: polygon comes after geocode",)
    ),
    "oasis/cap_amber_alert_example.xml": GOOD,
}


UNWRITABLE = {"invalid/canada_errors.cap": ["references"], "kde/alertswiss-TEST-1163.xml": ["category"]}
"""What the writer refuses, by the element it names."""


@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_of_the_index(name: str) -> None:
    reading, verdict = read(sample(name)), VERDICTS[name]
    assert (len(reading.found), len(reading.alerts)) == (verdict.stands, verdict.reads)
    said = [f"{v.where}: {v.message}" for v in reading.violations]
    said += [f"{v.where}: {v.message}" for found in reading.found for v in checked(found)]
    for wanted in verdict.says:
        assert any(wanted in one for one in said), (wanted, said)
    if not verdict.says:
        assert reading.every_violation() == ()


def test_every_sample_has_its_verdict() -> None:
    if not SAMPLES.exists():
        pytest.skip(f"the shared samples are not at {SAMPLES}")
    assert {str(file.relative_to(SAMPLES)) for file in SAMPLES.glob("*/*")} == set(VERDICTS)


@pytest.mark.parametrize("name", [name for name, verdict in VERDICTS.items() if verdict.reads])
def test_what_was_read_is_written_anew_and_read_the_same(name: str) -> None:
    """But for what has to be better before it may be written: then the writer says so by name."""
    schema = etree.XMLSchema(etree.parse(SCHEMA)) if sample(name) else None
    refused: list[str] = []
    for alert in read(sample(name)).alerts:
        try:
            document = write(alert)
        except ValueError as error:
            refused.append(str(error).partition(":")[0])
            continue
        schema.assertValid(etree.fromstring(document))
        again = read(document)
        assert again.alerts == (alert,)
        assert again.every_violation() == ()
    assert refused == UNWRITABLE.get(name, [])


def test_weather_keeps_its_geocodes_and_has_no_polygon() -> None:
    (alert,) = read(sample("google/weather.cap")).alerts
    (area,) = alert.info[0].area
    assert b"polygon" not in sample("google/weather.cap")
    assert [(pair.value_name, pair.value) for pair in area.geocodes] == [("FIPS6", "030049"), ("UGC", "MTZ014")]


def test_the_bulletin_of_the_department() -> None:
    (alert,) = read(sample("dpc/Cap_20260118_1515.xml"), language="it-IT").alerts
    assert (alert.identifier, alert.sender) == ("DPC_BULLETIN_2026_01_18_117394", "2.49.0.0.380.1")
    assert {info.language for info in alert.info} == {"it-IT"}
    assert {pair.value_name for info in alert.info for area in info.area for pair in area.geocodes} == {
        "Zona di Allerta"
    }
    assert any(info.severity is Severity.EXTREME for info in alert.info)
    (english,) = read(sample("dpc/Cap_20260118_1515.xml")).alerts
    assert {info.language for info in english.info} == {"en-US"}


def test_a_cancel_keeps_whom_it_references() -> None:
    (alert,) = read(sample("kde/mow.DE-HE-KS-SE106-20250313-106-001.xml")).alerts
    assert (alert.msg_type, alert.status) == (MsgType.CANCEL, Status.ACTUAL)
    (reference,) = alert.references
    assert str(reference) == "DE-HE-KS-SE106,mow.DE-HE-KS-SE106-20250313-106-000,2025-03-13T09:15:06-00:00"
    assert sum(len(polygon.points) for info in alert.info for area in info.area for polygon in area.polygons) == 28_053
