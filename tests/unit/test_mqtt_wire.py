"""MQTT's packets: however the bytes are cut the same, whatever the bytes are never more than refused."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alertd.ingest.mqtt import wire
from alertd.ingest.mqtt.topics import Wanted
from alertd.ingest.mqtt.wire import Connack, NotMqtt, Oversize, Packet, Pong, Publish, Stream, Suback
from tests.support.mqtt_script import publish

MOST = 2_000
_TOPICS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)
_MESSAGES = st.builds(Publish, _TOPICS, st.binary(max_size=300), st.integers(0, 65_535), st.booleans())
_LARGE = st.builds(Publish, _TOPICS, st.integers(MOST, 20_000).map(lambda size: b"x" * size), st.integers(0, 65_535))
_OTHERS = st.sampled_from(
    [(b"\x20\x02\x01\x00", Connack(True, 0)), (b"\xd0\x00", Pong()), (b"\x90\x04\0\1\1\x80", Suback((1, 128)))]
)


def _written(message: Publish) -> bytes:
    return publish(message.topic, message.payload, message.packet, retained=message.retained)


def _expected(message: Publish) -> Packet:
    octets = 2 + len(message.topic.encode()) + (2 if message.packet else 0) + len(message.payload)
    return message if octets <= MOST else Oversize(message.topic, octets, message.packet)


def _read(data: bytes, cuts: list[int]) -> tuple[list[Packet], Stream]:
    stream, found, at = Stream(MOST), [], 0
    for cut in [*cuts, len(data)]:
        stream.feed(data[at : at + cut])
        at += cut
        found += stream.packets()
    return found, stream


@given(
    st.lists(st.one_of((_MESSAGES | _LARGE).map(lambda m: (_written(m), _expected(m))), _OTHERS)),
    st.lists(st.integers(1, 5_000)),
)
def test_however_the_bytes_are_cut_the_packets_are_the_same(said: list[tuple[bytes, Packet]], cuts: list[int]) -> None:
    found, stream = _read(b"".join(data for data, _ in said), cuts)
    assert found == [packet for _, packet in said]
    assert stream.waiting == 0


@given(st.binary(max_size=200), st.lists(st.integers(1, 20)))
@example(b"\x32\x02\x00\x00", [])
@example(b"\x30\x00", [])
@example(b"\x30\xff\xff\xff\xff\x01", [1, 1, 1, 1, 1])
@example(b"\x30\xff\xff\xff\x7f\xff\xff", [])
def test_whatever_the_bytes_are_they_are_read_or_refused(data: bytes, cuts: list[int]) -> None:
    try:
        found, stream = _read(data, cuts)
    except NotMqtt:
        return
    assert stream.waiting <= len(data)
    assert all(isinstance(packet, Packet) for packet in found)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x34\x07\x00\x01a\x00\x01hi", "a QoS that was not asked for"),
        (b"\x32\x05\x00\x01a\x00\x00", "without an identifier"),
        (b"\x30\x03\x00\x05a", "ends within its topic"),
        (b"\xf0\x00", "type 15"),
        (b"\x62\x02\x00\x01", "type 6"),
        (b"\x20\xff\xff\xff\x7f", "that is no message"),
        (b"\x30\x80\x80\x80\x80\x01", "more than four bytes"),
    ],
)
def test_what_no_broker_says_is_refused_with_its_reason(data: bytes, why: str) -> None:
    with pytest.raises(NotMqtt, match=why):
        _read(data, [])


def test_what_we_say_is_as_the_standard_writes_it() -> None:
    assert wire.connect("a", 30, None, None) == b"\x10\x0d\x00\x04MQTT\x04\x00\x00\x1e\x00\x01a"
    assert wire.connect("a", 30, "u", "p") == b"\x10\x13\x00\x04MQTT\x04\xc0\x00\x1e\x00\x01a\x00\x01u\x00\x01p"
    assert wire.subscribe(1, ["a/b"]) == b"\x82\x08\x00\x01\x00\x03a/b\x01"
    assert wire.subscribe(1, ["x" * 200])[:3] == b"\x82\xcd\x01"
    assert wire.pubacks([1, 65_535]) == b"\x40\x02\x00\x01\x40\x02\xff\xff"


@pytest.mark.parametrize(
    ("topic_filter", "topic", "means"),
    [
        ("stations/+/level", "stations/pesa/level", True),
        ("stations/+/level", "stations/pesa/rain", False),
        ("stations/+/level", "stations/level", False),
        ("stations/+", "stations/", True),
        ("stations/#", "stations", True),
        ("stations/#", "stations/a/b", True),
        ("#", "a/b", True),
        ("#", "$SYS/uptime", False),
        ("+/uptime", "$SYS/uptime", False),
        ("$SYS/#", "$SYS/uptime", True),
        ("a", "a/b", False),
        ("a/b", "a", False),
        ("$share/halls/stations/+", "stations/x", True),
        ("$share/halls/stations/+", "halls/x", False),
    ],
)
def test_a_filter_means_what_the_standard_says(topic_filter: str, topic: str, means: bool) -> None:
    wanted = Wanted(["nothing/like/it", topic_filter])
    assert wanted(topic) is means
    assert wanted(topic) is means  # as remembered


def test_what_is_remembered_of_topics_is_bounded_whatever_they_are() -> None:
    wanted = Wanted(["#"])
    tracemalloc.start()
    try:
        for number in range(2_000):
            assert wanted(f"{number}/{'x' * 20_000}")
        assert tracemalloc.get_traced_memory()[0] < 1 << 20
    finally:
        tracemalloc.stop()
