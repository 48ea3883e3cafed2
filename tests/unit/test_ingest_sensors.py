"""Readings of gauges and stations: each payload's value, unit, time and identity, or the reason why there is none."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from alertd.domain.geo import Point
from alertd.domain.signal import Heard
from alertd.ingest.readers import chirpstack, json_path, plain_number, sensorthings, the_things_stack
from alertd.ingest.readers.measured import MAX_READING
from alertd.ingest.readers.received import Received

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "sensors"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="no ../shared/samples/sensors beside this clone")
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)


def received(topic: str = "") -> Received:
    return Received("fiume", NOW, topic)


def values(heard: Heard) -> dict[str, float | None]:
    return {signal.sensor: signal.value for signal in heard.signals}


def wheres(heard: Heard) -> list[tuple[str, bool]]:
    return [(violation.where, violation.fatal) for violation in heard.violations]


# --- SensorThings ---

OBSERVATION = {"@iot.id": 7, "phenomenonTime": "2026-11-22T05:59:00Z", "result": 3.42}
TOPIC = "v1.1/Datastreams(42)/Observations"


def observed(document: object, topic: str = TOPIC, **options) -> Heard:
    return sensorthings.read(json.dumps(document).encode(), sensorthings.Config(**options), received(topic))


def test_an_observation_is_one_reading_of_its_datastream():
    heard = observed(OBSERVATION, unit="m", sensors={"42": "Pesa a Montelupo"})
    (signal,) = heard.signals
    assert not heard.violations
    assert (signal.source, signal.sensor, signal.key) == ("fiume", "Pesa a Montelupo", "Pesa a Montelupo")
    assert (signal.value, signal.unit, signal.revision) == (3.42, "m", "7")
    assert signal.at == datetime(2026, 11, 22, 5, 59, tzinfo=UTC)


def test_the_end_of_an_interval_the_result_time_and_the_arrival_in_that_order():
    interval = {**OBSERVATION, "phenomenonTime": "2026-11-22T05:00:00Z/2026-11-22T05:50:00+00:00"}
    assert observed(interval).signals[0].at.minute == 50
    result = {"result": 1, "resultTime": "2026-11-22T05:40:00Z"}
    assert observed(result).signals[0].at.minute == 40
    heard = observed({"result": 1})
    assert heard.signals[0].at == NOW
    assert wheres(heard) == [("resultTime", False)]
    heard = observed({**OBSERVATION, "phenomenonTime": "2026-11-22T05:59:00"})
    assert "no offset" in heard.violations[0].message


def test_a_datastream_named_by_the_observation_or_by_nothing():
    assert observed({**OBSERVATION, "Datastream": {"@iot.id": "a"}}, "").signals[0].sensor == "Datastreams(a)"
    assert observed(OBSERVATION, "v1.1/Datastreams('x-1')/Observations").signals[0].sensor == "Datastreams(x-1)"
    assert wheres(observed(OBSERVATION, "")) == [("Datastream", True)]


@pytest.mark.parametrize("result", [True, None, "high", {"a": 1}, [], "1e999", "NaN", "0x10", "1_000", "٣", 1e16, ""])
def test_a_result_that_is_no_number_is_refused(result):
    heard = observed({**OBSERVATION, "result": result})
    assert not heard.signals
    assert wheres(heard) == [("result", True)]


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b'{"result": NaN}', "is not JSON"),
        (b'{"result": Infinity}', "is not JSON"),
        (b'{"result": 1e400}', "is not JSON"),
        (b'{"result": 1e-400}', "is no measurement"),
        (b'{"result": 1E+200}', "is no measurement"),
        (b'{"result": 0.' + b"1" * 100_000 + b"}", "is no measurement"),
        (b'{"result": ' + b"1" * 60 + b"}", "is no measurement"),
        (b'{"result": 1, "result": 2}', "names 'result' twice"),
        (b'{"a": {"x": 1, "x": ":"}, "result": 2}', "names 'x' twice"),
        (b"[" * 200 + b"]" * 200, "nested more than 40 deep"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"a":' * 41 + b"1" + b"}" * 41, "nested more than 40 deep"),
        (b" " * (MAX_READING + 1), "at most 262144 are read"),
        (b"\xff\xfe", "is not JSON"),
        (b'"\\ud800"', "is not JSON"),
        (b"[]", "an array, not an object"),
        (b"", "is not JSON"),
    ],
)
def test_json_that_could_be_read_in_two_ways_is_refused(payload, message):
    heard = sensorthings.read(payload, sensorthings.Config(), received(TOPIC))
    assert not heard.signals
    (violation,) = heard.violations
    assert message in violation.message
    assert violation.fatal
    assert len(violation.message) < 200


def test_colons_digits_and_escapes_in_texts_are_no_members_and_no_numbers():
    tricky = {**OBSERVATION, "note": 'a:"b":\\' + "1" * 80 + '\\" e999 : "', "x:y": {"": "", ":": [":"]}}
    assert values(observed(tricky)) == {"Datastreams(42)": 3.42}


# --- ChirpStack ---


@needs_samples
def test_the_real_chirpstack_uplink_with_numbers_as_texts():
    payload = (SAMPLES / "chirpstack_v4_up_real_fragment.json").read_bytes()
    config = chirpstack.Config(fields={"temp_SOIL": "°C", "temp_DS18B20": "°C", "BatV": "V", "level": "m"})
    heard = chirpstack.read(payload, config, received())
    device = "a8404187d187106e"
    assert values(heard) == {f"{device}/temp_SOIL": 13.25, f"{device}/temp_DS18B20": 0.0, f"{device}/BatV": 3.301}
    assert wheres(heard) == [("object.level", True)]
    soil = heard.signals[0]
    assert (soil.unit, soil.revision) == ("°C", "9ffbc7be-916a-4597-9d64-0713a3d5e030/temp_SOIL")
    assert soil.at == datetime(2024, 6, 20, 8, 48, 38, 863512, tzinfo=UTC)
    assert soil.point is None  # the gateway's place is not the sensor's


UPLINK = {
    "deduplicationId": "d-1",
    "time": "2026-11-22T05:59:00.123456789+00:00",
    "deviceInfo": {"devEui": "A8404187D187106E"},
    "object": {"level": "2.10"},
}


def uplinked(document: object, topic: str = "", **options) -> Heard:
    config = chirpstack.Config(**{"fields": {"level": "m"}, **options})
    return chirpstack.read(json.dumps(document).encode(), config, received(topic))


def test_chirpstack_passes_over_what_is_no_uplink_and_devices_it_does_not_hear():
    assert values(uplinked(UPLINK, "application/1/device/a8/event/up")) == {"a8404187d187106e/level": 2.1}
    assert uplinked({"x": 1}, "application/1/device/a8/event/join") == Heard(())
    assert uplinked({"x": 1}, "/v1/ingest/lora?event=status") == Heard(())
    assert uplinked(UPLINK, devices={"ffff"}) == Heard(())
    assert uplinked(UPLINK, devices={"A8404187D187106E"}).signals


def test_chirpstack_without_codec_without_identity_and_with_words_for_numbers():
    without = {name: value for name, value in UPLINK.items() if name != "object"}
    assert "needs a codec" in uplinked(without).violations[0].message
    unnamed = uplinked({**UPLINK, "deduplicationId": ""})
    assert wheres(unnamed) == [("deduplicationId", False)]
    assert unnamed.signals[0].revision == f"{int(unnamed.signals[0].at.timestamp())}123456=2.1"
    assert wheres(uplinked({**UPLINK, "object": {"level": "n/a"}})) == [("object.level", True)]
    assert wheres(uplinked({"object": {}})) == [("deviceInfo", True)]


# --- The Things Stack ---


@needs_samples
def test_the_documented_uplink_of_the_things_stack_is_simulated():
    payload = (SAMPLES / "tts_v3_uplink_docs.json").read_bytes()
    config = the_things_stack.Config(fields={"temperature": "°C"})
    heard = the_things_stack.read(payload, config, received())
    (signal,) = heard.signals
    assert (signal.sensor, signal.value, signal.simulated) == ("dev1/temperature", 1.0, True)
    assert signal.point == Point(37.97155556731436, 23.72678801175413)
    assert signal.at == NOW  # the document's times are cut off
    assert wheres(heard) == [("uplink_message.received_at", False)]


TTS = {
    "end_device_ids": {"device_id": "pesa-1"},
    "uplink_message": {
        "session_key_id": "k",
        "decoded_payload": {"battery": 3.6},
        "received_at": "2026-11-22T05:59:00.5Z",
    },
}


def stacked(document: object, topic: str = "", **options) -> Heard:
    config = the_things_stack.Config(**{"fields": {"level": "m"}, **options})
    return the_things_stack.read(json.dumps(document).encode(), config, received(topic))


def test_an_absent_field_is_zero_only_where_the_configuration_says_so():
    ignored = stacked(TTS)
    assert not ignored.signals
    assert wheres(ignored) == [("uplink_message.decoded_payload.level", True)]
    zero = stacked(TTS, missing="zero")
    assert values(zero) == {"pesa-1/level": 0.0}
    assert wheres(zero) == [("uplink_message.decoded_payload.level", False)]
    assert zero.signals[0].revision == "k/0/level"  # a frame counter of zero is left out too
    assert not zero.signals[0].simulated


def test_an_uplink_nobody_decoded_is_never_zero():
    undecoded = {**TTS, "uplink_message": {"frm_payload": "AA=="}}
    heard = stacked(undecoded, missing="zero")
    assert not heard.signals
    assert "payload formatter" in heard.violations[0].message


def test_the_things_stack_passes_over_joins_and_other_devices():
    assert stacked({}, "v3/app@t/devices/pesa-1/join") == Heard(())
    assert stacked({}, "v3/app@t/devices/pesa-1/down/ack") == Heard(())
    assert stacked(TTS, devices={"other"}) == Heard(())
    assert wheres(stacked({**TTS, "end_device_ids": {}})) == [("end_device_ids.device_id", True)]


# --- a number, and any JSON ---


def test_a_topic_of_many_devices_and_a_line_break_is_looked_through_once_and_is_no_uplink():
    """A pattern that tried anew from each of them would hold up everybody for seconds."""
    document = {"end_device_ids": {"device_id": "d"}, "uplink_message": {"decoded_payload": {"level": 1}}}
    assert len(stacked(document, "v3/a/devices/d/up").signals) == 1
    assert stacked(document, "v3/a" + "/devices/d" * 6_000 + "/up\nx") == Heard(())


def test_a_plain_number_is_a_reading_of_its_topic():
    config = plain_number.Config(unit="m", sensors={"gauge/1": "Pesa"})
    (signal,) = plain_number.read(b" 3.42\n", config, received("gauge/1")).signals
    assert (signal.sensor, signal.value, signal.unit, signal.at) == ("Pesa", 3.42, "m", NOW)
    assert plain_number.read(b"-1", config, received("gauge/2")).signals[0].sensor == "gauge/2"
    assert plain_number.read(b"1", plain_number.Config(sensor="Elsa"), received()).signals[0].sensor == "Elsa"


@pytest.mark.parametrize(
    "payload", [b"", b"3,42", b"nan", b"inf", b"1e99999", b"true", b"0x1F", b"1 2", b"9" * 65, b"\xff"]
)
def test_what_is_no_plain_number_is_refused(payload):
    heard = plain_number.read(payload, plain_number.Config(sensor="a"), received())
    assert not heard.signals
    assert wheres(heard) == [("payload", True)]


def test_a_reading_found_by_json_path():
    config = json_path.Config(
        value="$.data[?@.name=='level'].value", time="$.at", id="$.seq", device="$.station", unit="m"
    )
    document = {"seq": 9, "station": "PE-1", "at": "2026-11-22T05:59:00", "data": [{"name": "level", "value": "2.5"}]}
    (signal,) = json_path.read(json.dumps(document).encode(), config, received()).signals
    assert (signal.sensor, signal.value, signal.revision) == ("PE-1", 2.5, "9")
    assert signal.at == datetime(2026, 11, 22, 5, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"v": [1, 2]}, "leads to 2 values"),
        ({}, "leads to nothing"),
        ({"v": [False]}, "False is not a number"),
        ({"v": [None]}, "leads to nothing"),
    ],
)
def test_a_path_that_leads_to_no_single_number(document, message):
    heard = json_path.read(json.dumps(document).encode(), json_path.Config(value="$.v[*]"), received("t"))
    assert not heard.signals
    assert message in heard.violations[0].message


@pytest.mark.parametrize(
    "given",
    [
        {"value": "level"},
        {"value": "$["},
        {"value": "$." + "a" * 600},
        {"value": "$.a || $.b"},
        {},
        {"value": "$.a", "typo": 1},
        {"value": "$.a", "device": "$.b", "sensor": "c"},
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(given):
    with pytest.raises(ValidationError):
        json_path.Config(**given)
