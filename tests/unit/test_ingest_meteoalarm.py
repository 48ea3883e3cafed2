"""MeteoAlarm's warnings: one signal for each statement about a zone of ours, Updates under the key they began with."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from alertd.cap.writer import write
from alertd.domain import alert as cap
from alertd.domain.signal import Heard
from alertd.ingest.readers import meteoalarm
from alertd.ingest.readers.received import Received

SAMPLE = Path(__file__).parents[3] / "shared" / "samples" / "meteoalarm" / "feed_italy_sample.json"
needs_sample = pytest.mark.skipif(not SAMPLE.exists(), reason="no ../shared/samples/meteoalarm beside this clone")
NOW = datetime(2026, 7, 31, 12, 0, tzinfo=UTC)
SENDER, SENT = "a@meteo.example", "2026-07-31T11:59:03+02:00"


def info(level="3; orange; Severe", kind="10; Rain", zone="IT016", language="en-GB", **given):
    return {
        "language": language,
        "category": ["Met"],
        "event": f"{language} event",
        "urgency": "Future",
        "severity": "Severe",
        "certainty": "Likely",
        "onset": "2026-07-31T20:00:00+02:00",
        "expires": "2026-08-01T02:00:00+02:00",
        "headline": f"{language} headline",
        "parameter": [{"valueName": "awareness_level", "value": level}, {"valueName": "awareness_type", "value": kind}],
        "area": [{"areaDesc": "Toscana", "geocode": [{"valueName": "EMMA_ID", "value": zone}]}],
        **given,
    }


def message(*infos, identifier="M1", kind="Alert", references=None, **given):
    said = {
        "identifier": identifier,
        "sender": SENDER,
        "sent": SENT,
        "status": "Actual",
        "msgType": kind,
        "scope": "Public",
        "info": list(infos),
        **given,
    }
    return {**said, "references": references} if references else said


def read(*messages, **options) -> Heard:
    config = meteoalarm.Config(**{"zones": ["IT016"], **options})
    feed = {"warnings": [{"alert": one, "uuid": f"u{i}"} for i, one in enumerate(messages)]}
    return meteoalarm.read(json.dumps(feed).encode(), config, Received("meteo", NOW))


ROOT = f"{SENDER},M1,{SENT}"


def test_one_signal_for_what_is_said_in_two_languages():
    heard = read(message(info(), info(language="it-IT")))
    (signal,) = heard.signals
    assert not heard.violations
    assert signal.key == f"{ROOT}#10@IT016"
    assert (signal.headline, signal.event, signal.zones) == ("it-IT headline", "it-IT event", ("IT016",))
    assert (signal.severity, signal.colour, signal.ended) == (cap.Severity.SEVERE, None, False)
    facts = {fact.value_name: fact.value for fact in signal.facts}
    assert (facts["awareness_level"], facts["awareness_type"], facts["uuid"]) == ("3", "10", "u0")
    assert signal.expires == datetime(2026, 8, 1, 0, 0, tzinfo=UTC)
    assert [one.language for one in signal.alert.info] == ["en-GB", "it-IT"]
    assert read(message(info(), info(language="de-DE")), language="fr").signals[0].headline == "en-GB headline"


def test_a_message_heard_again_says_the_same_and_an_update_says_more_under_the_same_key():
    first, again = (read(message(info())).signals[0] for _ in range(2))
    assert (first.key, first.revision) == (again.key, again.revision)
    update = read(message(info("4; red; Extreme"), identifier="M2", kind="Update", references=ROOT)).signals[0]
    assert update.key == first.key
    assert update.revision != first.revision


def test_an_update_of_several_takes_the_earliest_and_names_them_all():
    late = f"{SENDER},M9,2026-07-31T15:00:00+02:00"
    (signal,) = read(message(info(), identifier="M10", kind="Update", references=f"{late} {ROOT}")).signals
    assert signal.key == f"{ROOT}#10@IT016"
    facts = {fact.value_name: fact.value for fact in signal.facts}
    assert facts["references"] == f"{late} {ROOT}"
    assert facts["identity"] == f"{SENDER},M10,{SENT}"


def test_green_begins_nothing_and_ends_what_had_begun():
    green = info("1; green; Minor")
    assert read(message(green)) == Heard(())
    (signal,) = read(message(green, identifier="M2", kind="Update", references=ROOT)).signals
    assert (signal.key, signal.ended) == (f"{ROOT}#10@IT016", True)


def test_below_the_level_asked_for_is_green_too():
    yellow = info("2; yellow; Moderate")
    assert not read(message(yellow), min_level=3).signals
    assert not read(message(yellow)).signals[0].ended
    assert read(message(yellow, kind="Update", references=ROOT), min_level=3).signals[0].ended


def test_a_cancel_with_and_without_infos():
    (with_info,) = read(message(info(), identifier="M2", kind="Cancel", references=ROOT)).signals
    assert (with_info.key, with_info.ended) == (f"{ROOT}#10@IT016", True)
    (bare,) = read(message(identifier="M2", kind="Cancel", references=ROOT)).signals
    assert (bare.key, bare.ended, bare.zones) == (ROOT, True, ())
    assert not read(message(kind="Ack", references=ROOT)).signals


def test_types_zones_and_periods_are_apart():
    tomorrow = {"onset": "2026-08-01T20:00:00+02:00", "expires": "2026-08-02T02:00:00+02:00"}
    heard = read(
        message(info(**tomorrow), info(), info(kind="1; Wind"), info(zone="IT012"), info(kind="3; Thunderstorm")),
        types={10, 1},
    )
    assert [signal.key for signal in heard.signals] == [f"{ROOT}#10@IT016", f"{ROOT}#1@IT016", f"{ROOT}#10@IT016/2"]
    both = message(info(area=info()["area"] + info(zone="IT012")["area"]))
    assert [signal.zones for signal in read(both, zones=["IT012", "IT016"]).signals] == [("IT016",), ("IT012",)]


@pytest.mark.parametrize("level", ["3; orange; Severe", "3;orange", " 3 ; x", "3"])
def test_the_leading_integer_is_what_counts(level):
    assert read(message(info(level))).signals[0].facts[0].value == "3"


@pytest.mark.parametrize("level", ["orange", "", "3x; orange", "; 3", "-3; x"])
def test_a_level_without_its_number_is_lost_loudly(level):
    heard = read(message(info(level)))
    assert not heard.signals
    assert [(v.where, v.fatal) for v in heard.violations] == [("warnings[0].alert.info[0]", True)]


def test_what_is_not_actual_is_simulated():
    assert read(message(info(), status="Test")).signals[0].simulated
    assert not read(message(info())).signals[0].simulated


POLYGON = "43.6,11.0 43.8,11.0 43.8,11.3 43.6,11.3 43.6,11.0"


@pytest.mark.parametrize(
    ("drawn", "met"),
    [("43.7,11.1 43.9,11.1 43.9,11.5 43.7,11.5 43.7,11.1", True), ("45,9 46,9 46,10 45,9", False), ("45,9 46", False)],
)
def test_a_polygon_of_ours_meets_theirs(drawn, met):
    area = [{"areaDesc": "Valdarno", "polygon": [drawn], "geocode": []}]
    heard = read(message(info(area=area)), zones=[], polygon=POLYGON)
    assert [signal.zones for signal in heard.signals] == ([("Valdarno",)] if met else [])
    assert bool(heard.violations) == (drawn == "45,9 46")


def test_somewhere_must_be_named():
    for given in ({}, {"polygon": "1,2 3,4"}, {"zones": ["Toscana"]}, {"zones": ["IT016"], "min_level": 1}):
        with pytest.raises(ValidationError):
            meteoalarm.Config(**given)


def test_a_message_cap_cannot_hold_is_a_signal_without_alert():
    heard = read(message(info(urgency="Soon")))
    assert heard.signals[0].alert is None
    (violation,) = heard.violations
    assert violation.where == "warnings[0].alert: info[0].urgency"
    assert not violation.fatal
    extra = read(message(info(colour="red")))
    assert extra.signals[0].alert is None


@pytest.mark.parametrize("change", [{"identifier": None}, {"msgType": "Shout"}, {"info": "none"}, {"info": [1]}])
def test_one_message_that_cannot_be_read_does_not_harm_the_others(change):
    heard = read({**message(info()), **change}, message(info(), identifier="M2"))
    assert [signal.key for signal in heard.signals] == [f"{SENDER},M2,{SENT}#10@IT016"]
    assert [violation.fatal for violation in heard.violations] == [True]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"warnings": {}}', b'{"warnings": [1, null]}'])
def test_what_is_no_feed(body):
    heard = meteoalarm.read(body, meteoalarm.Config(zones=("IT016",)), Received("meteo", NOW))
    assert not heard.signals
    assert heard.violations


@needs_sample
def test_the_recorded_feed():
    regions = tuple(f"IT{n:03}" for n in range(1, 21))
    heard = meteoalarm.read(SAMPLE.read_bytes(), meteoalarm.Config(zones=regions), Received("meteo", NOW))
    assert not heard.violations
    recorded = json.loads(SAMPLE.read_text())["warnings"]
    expected = {
        (i["area"][0]["geocode"][0]["value"], *(p["value"].split(";")[0] for p in i["parameter"]))
        for w in recorded
        for i in w["alert"]["info"]
    }
    said = set()
    for signal in heard.signals:
        facts = {fact.value_name: fact.value for fact in signal.facts}
        said.add((*signal.zones, facts["awareness_level"], facts["awareness_type"]))
    assert said == expected
    assert len(heard.signals) == len(recorded) == 10
    assert [signal.ended for signal in heard.signals].count(True) == 1  # the green one, an Update
    assert all(signal.colour is None for signal in heard.signals)
    (lazio,) = (signal for signal in heard.signals if signal.alert.identifier.endswith("115902.089"))
    assert lazio.headline == "Allerta Onda Di Calore Arancione per l'Italia - Lazio"
    for signal in heard.signals:
        assert write(signal.alert)


@needs_sample
def test_the_alert_holds_every_text_of_the_message():
    recorded = json.loads(SAMPLE.read_text())["warnings"][0]
    config = meteoalarm.Config(zones=("IT012",))
    (signal,) = meteoalarm.read(json.dumps({"warnings": [recorded]}).encode(), config, Received("meteo", NOW)).signals
    written = write(signal.alert).decode()
    left = deepcopy(recorded["alert"])
    for one in left["info"]:
        for text in (one["headline"], one["instruction"], one["event"], one["senderName"], one["web"], one["onset"]):
            assert text.replace("&", "&amp;") in written
    assert left["references"] in written
