"""The Department's bulletin: the right colour for a civil date, one revision for each change, and nothing unpacked that
could harm."""

import zipfile
from datetime import datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import shapefile

from alertd.cap.reader import read as read_cap
from alertd.domain import alert as cap
from alertd.domain.signal import Colour, Heard, Violation
from alertd.ingest.readers import dpc
from alertd.ingest.readers.dpc_bulletin import Bulletin, Risk, colours_at, newer
from alertd.ingest.readers.received import Fault, Notes, Received
from tests.support.dpc import GREEN, ORANGE, RED, YELLOW, bulletin_zip, packed, row, table

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
ROME = ZoneInfo("Europe/Rome")
needs_samples = pytest.mark.skipif(not (SAMPLES / "dpc").exists(), reason="no ../shared/samples/dpc beside this clone")

FIRST = bulletin_zip("20260118_1515", [row("Tosc-A1", YELLOW)], [row("Tosc-A1", ORANGE)])
SECOND = bulletin_zip("20260119_1600", [row("Tosc-A1", RED)], [row("Tosc-A1")])
CORRECTION = bulletin_zip("20260119_1830", [row("Tosc-A1", ORANGE)], [row("Tosc-A1", YELLOW)])
CONFIG = dpc.Config(zones=("Tosc-A1",), each="overall")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ROME)


def received(text: str = "2026-01-18T15:20") -> Received:
    return Received("dpc", at(text))


def opened(payload: bytes) -> Bulletin:
    notes = Notes()
    found = dpc.bulletin(payload, ROME, notes)
    assert not notes.violations
    return found


def said(heard: Heard) -> dict[str, tuple[str, bool]]:
    assert len({signal.key for signal in heard.signals}) == len(heard.signals)
    return {signal.key: (signal.revision, signal.ended) for signal in heard.signals}


def test_the_colour_of_the_day_across_the_afternoon_issue_and_a_correction():
    held = newer(None, opened(FIRST))
    assert held.issued == at("2026-01-18T15:15")
    timeline = []
    for moment, arrives in (
        ("2026-01-18T16:01", None),
        ("2026-01-19T00:00", None),
        ("2026-01-19T10:00", None),
        ("2026-01-19T15:59", FIRST),
        ("2026-01-19T16:01", SECOND),
        ("2026-01-19T18:29", FIRST),  # an older one that arrives late
        ("2026-01-19T18:31", CORRECTION),
        ("2026-01-19T18:40", SECOND),
        ("2026-01-20T10:00", None),
        ("2026-01-21T10:00", None),
    ):
        held = newer(held, opened(arrives)) if arrives else held
        zone = colours_at(held, at(moment), ROME).get("Tosc-A1")
        timeline.append(zone.overall if zone else None)
    assert timeline == [
        *(Colour.YELLOW, Colour.ORANGE, Colour.ORANGE, Colour.ORANGE, Colour.RED, Colour.RED, Colour.ORANGE),
        *(Colour.ORANGE, Colour.YELLOW, None),
    ]


def test_the_civil_date_is_the_departments_whatever_the_offset_of_now():
    late = datetime.fromisoformat("2026-01-18T23:30:00+00:00")  # half past midnight in Rome
    assert colours_at(opened(FIRST), late, ROME)["Tosc-A1"].overall is Colour.ORANGE


def test_one_change_one_new_revision_and_a_poll_without_change_the_same():
    first = said(dpc.read(FIRST, CONFIG, received()))
    assert first == {
        "Tosc-A1/criticita/2026-01-18": ("gialla", False),
        "Tosc-A1/criticita/2026-01-19": ("arancione", False),
    }
    assert said(dpc.read(FIRST, CONFIG, received("2026-01-18T15:25"))) == first
    morning = said(dpc.read(FIRST, CONFIG, received("2026-01-19T10:00")))
    assert morning == {"Tosc-A1/criticita/2026-01-19": ("arancione", False)}
    second = said(dpc.read(SECOND, CONFIG, received("2026-01-19T16:01")))
    assert second == {
        "Tosc-A1/criticita/2026-01-19": ("rossa", False),
        "Tosc-A1/criticita/2026-01-20": ("verde", True),
    }
    corrected = dpc.read(CORRECTION, CONFIG, received("2026-01-19T18:31"))
    assert said(corrected)["Tosc-A1/criticita/2026-01-19"] == ("arancione", False)
    assert {signal.at for signal in corrected.signals} == {at("2026-01-19T18:30")}


def test_a_signal_says_zone_risk_and_day_and_no_phase():
    payload = bulletin_zip("20260118_1515", [row("Tosc-A1", hydraulic=YELLOW)], [row("Tosc-A1", ORANGE)])
    heard = dpc.read(payload, dpc.Config(zones=("Tosc-A1",)), received())
    one = next(signal for signal in heard.signals if signal.key == "Tosc-A1/idraulico/2026-01-18")
    assert (one.colour, one.zones, one.phase, one.severity, one.event) == (
        Colour.YELLOW,
        ("Tosc-A1",),
        None,
        None,
        "idraulico",
    )
    assert one.onset == at("2026-01-18T00:00")
    assert one.expires == at("2026-01-18T23:59:59")
    assert {fact.value_name: fact.value for fact in one.facts}["zone_name"] == "Località"
    assert len(heard.signals) == 6
    assert [signal.key for signal in heard.signals if signal.ended] == [
        "Tosc-A1/idrogeologico/2026-01-18",
        "Tosc-A1/temporali/2026-01-18",
    ]


def test_a_zone_that_is_not_there_is_named_and_so_is_one_nobody_knows():
    config = dpc.Config(zones=("Tosc-A1", "Tosc-Z9"), known=frozenset({"Tosc-A1", "Tosc-Z9"}))
    payload = bulletin_zip("20260118_1515", [row("Tosc-A1"), row("Tosc-Q")], [row("Tosc-A1"), row("Tosc-Q")])
    heard = dpc.read(payload, config, received())
    assert [(v.where, v.fatal) for v in heard.violations] == [
        ("zone Tosc-Z9", True),
        ("zone Tosc-Z9", True),
        ("zone Tosc-Q", False),
    ]
    assert {signal.zones for signal in heard.signals} == {("Tosc-A1",)}


def test_an_overall_colour_no_risk_explains_is_told_as_well():
    odd = ("Tosc-A1", "x", RED, GREEN, YELLOW, GREEN)
    heard = dpc.read(bulletin_zip("20260118_1515", [odd], [row("Tosc-A1")]), dpc.Config(zones=("Tosc-A1",)), received())
    assert said(heard)["Tosc-A1/criticita/2026-01-18"] == ("rossa", False)
    assert heard.violations == (Violation("zone Tosc-A1", "is rossa as a whole, which none of its risks is"),)


def test_a_colour_that_cannot_be_read_is_lost_alone_and_loudly():
    odd = ("Tosc-A1", "x", YELLOW, "ALLERTA VIOLA", YELLOW, YELLOW)
    heard = dpc.read(bulletin_zip("20260118_1515", [odd], [row("Tosc-A1")]), dpc.Config(zones=("Tosc-A1",)), received())
    assert "Tosc-A1/idrogeologico/2026-01-18" not in said(heard)
    assert said(heard)["Tosc-A1/temporali/2026-01-18"] == ("gialla", False)
    assert heard.violations == (
        Violation("today.dbf row 1 Tosc-A1 Idrogeo", "'ALLERTA VIOLA' does not end in a colour", fatal=True),
    )


def test_an_old_bulletin_says_nothing_and_that_is_said():
    heard = dpc.read(FIRST, CONFIG, received("2026-01-20T10:00"))
    assert not heard.signals
    assert "says nothing of 2026-01-20" in heard.violations[0].message


def test_the_latest_issue_of_several_is_read_and_a_missing_day_is_said():
    payload = packed(
        {
            "all/20260118_1515_today.dbf": table([row("Tosc-A1", YELLOW)]),
            "../../20260118_1630_today.dbf": table([row("Tosc-A1", RED)]),  # a path is only a name here
        }
    )
    heard = dpc.read(payload, CONFIG, received())
    assert said(heard) == {"Tosc-A1/criticita/2026-01-18": ("rossa", False)}
    assert [v.message for v in heard.violations] == ["the issue of 20260118_1630 has no file for tomorrow"]


def _encrypted() -> bytes:
    marked = bytearray(FIRST)
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = marked.find(mark)
        while start >= 0:
            marked[start + offset] |= 1
            start = marked.find(mark, start + 4)
    return bytes(marked)


def _bomb() -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("20260118_1515_today.dbf", b"\0" * 200_000_000)
    return file.getvalue()


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"", "cannot be opened"),
        (b"<html>", "cannot be opened"),
        (packed({"readme.txt": b"x"}), "holds no file named like"),
        (packed({f"{i}.txt": b"" for i in range(600)}), "more than 500 files"),
        (packed({"20261399_2599_today.dbf": b""}), "no time of issue"),
        (packed({"20260118_1515_today.dbf": b"junk"}), "no DBF that can be read"),
        (packed({"20260118_1515_today.dbf": table([("x",)], [("Zona_all", 9)])}), "has no column Criticita"),
        (packed({"20260118_1515_today.dbf": table([row("Tosc-A1")])[:-100]}), "no DBF that can be read"),
        (_encrypted(), "is encrypted"),
        (_bomb(), "is larger than 4194304 bytes"),
        (FIRST[: len(FIRST) // 2], "cannot be opened"),
    ],
)
def test_archives_that_are_none_or_mean_harm(payload, message):
    heard = dpc.read(payload, CONFIG, received())
    assert not heard.signals
    assert any(message in violation.message for violation in heard.violations), heard.violations
    assert any(violation.fatal for violation in heard.violations)


def test_a_member_packed_by_another_method_is_not_read():
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("20260118_1515_today.dbf", table([row("Tosc-A1")]))
    assert "method that is not read" in dpc.read(file.getvalue(), CONFIG, received()).violations[0].message


def test_no_bulletin_at_all_is_a_fault_that_names_where():
    with pytest.raises(Fault, match="zip: cannot be opened"):
        dpc.bulletin(b"nothing", ROME, Notes())


# --- the Department's real files ---


def _sample_zip(stamp: str = "20260118_1515") -> bytes:
    days = {day: (SAMPLES / "dpc" / f"20260118_1515_{day}.dbf").read_bytes() for day in ("today", "tomorrow")}
    return packed({f"{stamp}_{day}.dbf": content for day, content in days.items()})


def _sample_colours(day: str) -> dict[str, str]:
    """Read here by the last word alone, apart from the code that is tested."""
    with shapefile.Reader(
        dbf=BytesIO((SAMPLES / "dpc" / f"20260118_1515_{day}.dbf").read_bytes()), encoding="latin-1"
    ) as rows:
        return {r["Zona_all"]: r["Criticita"].split("/")[-1].split()[-1].lower() for r in rows.iterRecords()}


@needs_samples
@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-01-18T15:59", "today"),
        ("2026-01-18T16:01", "today"),
        ("2026-01-19T10:00", "tomorrow"),
        ("2026-01-19T15:59", "tomorrow"),
    ],
)
def test_every_zone_of_the_sample_has_its_colour(moment, day):
    expected = {code: "verde" if colour == "allerta" else colour for code, colour in _sample_colours(day).items()}
    found = colours_at(opened(_sample_zip()), at(moment), ROME)
    assert {code: str(zone.overall) for code, zone in found.items()} == expected
    assert len(found) == 170
    assert found["Tosc-A1"].overall is Colour.GREEN


@needs_samples
def test_every_zone_of_the_sample_after_the_next_issue_and_its_correction():
    first = opened(_sample_zip())
    zones = list(first.today)
    issue = opened(bulletin_zip("20260119_1600", [row(zone, ORANGE) for zone in zones], [row(zone) for zone in zones]))
    fixed = opened(bulletin_zip("20260119_1700", [row(zone, YELLOW) for zone in zones], [row(zone) for zone in zones]))
    held = newer(newer(first, issue), first)
    assert {z.overall for z in colours_at(held, at("2026-01-19T16:01"), ROME).values()} == {Colour.ORANGE}
    held = newer(newer(held, fixed), issue)
    after = colours_at(held, at("2026-01-19T17:01"), ROME)
    assert {z.overall for z in after.values()} == {Colour.YELLOW}
    assert after.keys() == first.today.keys()


@needs_samples
def test_the_zip_and_the_cap_of_one_bulletin_say_the_same():
    document = (SAMPLES / "cap" / "dpc" / "Cap_20260118_1515.xml").read_bytes()
    reading = read_cap(document)
    (alert,) = reading.alerts
    config = dpc.Config(zones=tuple(opened(_sample_zip()).today))
    packed_says = said(dpc.read(_sample_zip(), config, received()))
    heard = dpc.of_alert(alert, config, received(), reading.every_violation())
    assert not heard.violations
    assert said(heard) == packed_says
    assert len(packed_says) == 170 * 3 * 2
    red = {signal.zones[0] for signal in heard.signals if signal.colour is Colour.RED}
    assert red
    assert {signal.severity for signal in heard.signals if signal.colour is Colour.RED} == {cap.Severity.EXTREME}


# --- its CAP, made here ---


def an_alert(*infos: cap.Info, **given) -> cap.Alert:
    return cap.Alert(
        **{
            "id": "",
            "identifier": "DPC_1",
            "sender": "2.49.0.0.380.1",
            "sent": "2026-01-18T15:14:00+01:00",
            "status": cap.Status.ACTUAL,
            "msg_type": cap.MsgType.ALERT,
            "scope": cap.Scope.PUBLIC,
            "purpose": cap.Purpose.EMERGENCY,
            "info": infos,
            **given,
        }
    )


def an_info(event: str, zone: str = "Tosc-A1", onset: str | None = "2026-01-18T12:00") -> cap.Info:
    return cap.Info(
        language="it",
        category=(cap.Category.MET,),
        event=event,
        urgency=cap.Urgency.EXPECTED,
        severity=cap.Severity.SEVERE,
        certainty=cap.Certainty.LIKELY,
        onset=at(onset) if onset else None,
        area=(cap.Area("Casentino", geocodes=(cap.Pair("Zona di Allerta", zone),)),),
    )


def test_what_the_cap_does_not_name_is_over_but_not_where_a_part_was_not_read():
    orange = an_info("MODERATA CRITICITA' PER RISCHIO IDRAULICO / ALLERTA ARANCIONE:")
    config = dpc.Config(zones=("Tosc-A1",))
    heard = dpc.of_alert(an_alert(orange), config, received())
    assert len(heard.signals) == 6
    begun = [signal for signal in heard.signals if not signal.ended]
    assert [(signal.key, signal.colour) for signal in begun] == [("Tosc-A1/idraulico/2026-01-18", Colour.ORANGE)]
    assert {signal.colour for signal in heard.signals if signal.ended} == {None}

    partly = dpc.of_alert(an_alert(orange, an_info("ALLERTA LILLA")), config, received())
    assert [signal.key for signal in partly.signals] == ["Tosc-A1/idraulico/2026-01-18"]
    lossy = dpc.of_alert(an_alert(orange), config, received(), [Violation("line 9", "lost", fatal=True)])
    assert [signal.key for signal in lossy.signals] == ["Tosc-A1/idraulico/2026-01-18"]


def test_the_worse_of_two_levels_for_one_zone_risk_and_day_counts_and_an_unknown_risk_is_not_dropped():
    heard = dpc.of_alert(
        an_alert(
            an_info("ELEVATA CRITICITA' PER RISCHIO TEMPORALI / ALLERTA ROSSA:"),
            an_info("ORDINARIA CRITICITA' PER RISCHIO TEMPORALI / ALLERTA GIALLA:"),
            an_info("CRITICITA' PER RISCHIO VALANGHE / ALLERTA ARANCIONE:"),
        ),
        dpc.Config(zones=("Tosc-A1",)),
        received(),
    )
    colours = {signal.key: signal.colour for signal in heard.signals if not signal.ended}
    assert colours == {
        "Tosc-A1/criticita/2026-01-18": Colour.ORANGE,
        "Tosc-A1/temporali/2026-01-18": Colour.RED,
    }
    assert [v.where for v in heard.violations] == ["info[2].event"]


def test_a_drill_in_cap_is_simulated_and_another_sender_is_not_heard():
    config = dpc.Config(zones=("Tosc-A1",))
    drill = dpc.of_alert(an_alert(status=cap.Status.EXERCISE), config, received())
    assert all(signal.simulated for signal in drill.signals)
    for given in ({"sender": "other"}, {"msg_type": cap.MsgType.CANCEL}, {"sent": "yesterday"}):
        heard = dpc.of_alert(an_alert(**given), config, received())
        assert not heard.signals
        assert heard.violations[0].fatal


def test_an_info_of_no_day_or_no_zone_is_said():
    nowhere = an_info("PER RISCHIO IDRAULICO / ALLERTA GIALLA")
    nowhere = cap.Info(**{**{f: getattr(nowhere, f) for f in cap.Info.__slots__}, "area": (cap.Area("Toscana"),)})
    heard = dpc.of_alert(
        an_alert(an_info("PER RISCHIO IDRAULICO / ALLERTA GIALLA", onset=None), nowhere), CONFIG, received()
    )
    assert [v.where for v in heard.violations] == ["info[0]", "info[1].area"]
    assert not heard.signals


def test_risks_are_named_as_the_bulletin_names_them():
    assert [str(risk) for risk in Risk] == ["criticita", "idrogeologico", "temporali", "idraulico"]
