"""The listener against a broker that says what the test wants: nothing is acknowledged that was not judged, nothing is
met twice that could not be read, and nothing is taken that cannot be held."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
import structlog

from alertd.domain.signal import Heard
from alertd.ingest.hearing import Hearing
from alertd.ingest.mqtt import wire
from alertd.ingest.mqtt.link import HIGH, MOST_BYTES, Link, Lost, opened
from alertd.ingest.mqtt.listener import Listener
from alertd.ingest.mqtt.wire import Publish
from alertd.ingest.pulse import Pulse
from alertd.ingest.rules import Rule
from alertd.ingest.source import SourceSpec, Subscribed
from tests.support.clock import START, ManualClock, RealClock
from tests.support.desk_stand import DeskStand, spec, territory
from tests.support.mqtt_script import ScriptedBroker, publish, scripted

PATIENCE = 180.0
FLOOD = Rule.model_validate(
    {
        "name": "piena",
        "template": "piena",
        "zones": ["048028"],
        "match": {"source": "pesa"},
        "reading": {"above": 2.5, "clear": 2.0},
    }
)


class _Impatient(RealClock):
    """A second is as short as it can be, so that nothing is waited for; it is the day on which the desk's clock stands."""

    def __init__(self) -> None:
        self._began = self.monotonic()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic() - self._began)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(min(seconds, 0.001) if seconds < 15 else seconds)


class _Ear(Hearing):
    """Notes what was read where, and fails on what it is told to."""

    def __init__(self, heard: SourceSpec | None = None) -> None:
        super().__init__(heard or spec("pesa", sensor="pesa-1"), territory)
        self.read: list[tuple[int, bool]] = []

    def heard(self, payload: bytes, at: datetime, topic: str = "") -> Heard:
        self.read.append((len(payload), threading.current_thread() is threading.main_thread()))
        if payload == b"break":
            raise RuntimeError("a fault of ours")
        return super().heard(payload, at, topic)


class _Pipe(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


class _Stand:
    def __init__(self, heard: SourceSpec | None = None) -> None:
        self.house = DeskStand(FLOOD)
        self.ear = _Ear(heard)
        self.pulse = Pulse(self.ear.spec, self.house.clock, self.house.gauges, structlog.get_logger())

    def counted(self, outcome: str) -> float:
        return float(self.house.gauges.payloads.labels("pesa", outcome)._value.get())

    def dropped(self) -> float:
        return float(self.house.gauges.dropped.labels("pesa")._value.get())


@asynccontextmanager
async def _listening(broker: ScriptedBroker, stand: _Stand | None = None) -> AsyncIterator[_Stand]:
    stand = stand or _Stand()
    await stand.house.start()
    async with scripted(broker) as port:
        way = Subscribed(url=f"mqtt://127.0.0.1:{port}", topics=("a",), username="u", password="p")
        gauges, log = stand.house.gauges, structlog.get_logger()
        listener = Listener(stand.ear, way, stand.pulse, stand.house.desk.take, _Impatient(), lambda: 0.0, gauges, log)
        task = asyncio.create_task(listener.run())
        try:
            yield stand
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.002)


async def test_messages_are_acknowledged_in_order_once_they_were_read() -> None:
    broker = ScriptedBroker(b"".join(publish("a", b"1", number) for number in (7, 8, 300)) + publish("a", b"1"))
    async with _listening(broker) as stand:
        await _until(lambda: broker.acked == [7, 8, 300] and stand.counted("good") == 4)
    assert broker.hellos[0].endswith(b"\x00\x0balertd-pesa\x00\x01u\x00\x01p")


async def test_a_large_message_is_read_off_the_loop_and_a_huge_one_not_at_all() -> None:
    sizes = (3, 70_000, MOST_BYTES, 4)
    broker = ScriptedBroker(b"".join(publish("a", b"1" * size, size % 1000 + 1) for size in sizes))
    async with _listening(broker) as stand:
        await _until(lambda: broker.acked == [size % 1000 + 1 for size in sizes])
        await _until(lambda: stand.counted("good") == 2)
    assert stand.ear.read == [(3, True), (70_000, False), (4, True)]
    assert stand.dropped() == 1


async def test_a_message_our_reader_fails_on_is_counted_and_never_met_again() -> None:
    broker = ScriptedBroker(publish("a", b"break", 1) + publish("a", b"1.5", 2))
    async with _listening(broker) as stand:
        await _until(lambda: broker.acked == [1, 2])
        assert (stand.counted("good"), stand.counted("bad")) == (1, 1)


async def test_a_source_that_says_nothing_readable_is_not_ready_and_each_message_is_counted() -> None:
    broker = ScriptedBroker(b"".join(publish("a", b"x%d" % number, number) for number in range(1, 201)))
    async with _listening(broker) as stand:
        await _until(lambda: len(broker.acked) == 200)
        assert (stand.counted("good"), stand.counted("bad")) == (0, 200)
        assert not stand.pulse.status().ready
        assert "the message cannot be read: payload: 'x" in stand.pulse.status().detail
        broker.says(publish("a", b"x", 201) + publish("a", b"1.5", 202))
        await _until(lambda: stand.pulse.status().ready)
        assert (stand.counted("good"), stand.counted("bad")) == (1, 201)


async def test_what_an_older_session_subscribed_to_is_not_read() -> None:
    broker = ScriptedBroker(publish("b", b"9.9", 1) + publish("a", b"1.5", 2))
    async with _listening(broker) as stand:
        await _until(lambda: broker.acked == [1, 2])
    assert [size for size, _ in stand.ear.read] == [3]
    assert stand.dropped() == 1


async def test_a_retained_reading_that_says_no_time_is_not_taken_to_be_of_now() -> None:
    """The gauge may have died years ago, at high water: each new subscription would bring it back."""
    broker = ScriptedBroker(publish("a", b"9.9", 1, retained=True) + publish("a", b"1.5", 2))
    async with _listening(broker) as stand:
        await _until(lambda: broker.acked == [1, 2])
        assert stand.counted("good") == stand.dropped() == 1
    assert stand.house.core.steps == []


@pytest.mark.parametrize(("minutes", "raised"), [(30, ["raise"]), (90, [])])
async def test_a_retained_reading_is_of_its_own_time(minutes: int, raised: list[str]) -> None:
    stand = _Stand(spec("pesa", "json_path", value="$.v", time="$.t", sensor="pesa-1"))
    at = (START - timedelta(minutes=minutes)).isoformat().encode()
    broker = ScriptedBroker(publish("a", b'{"v": 3.0, "t": "' + at + b'"}', 1, retained=True))
    async with _listening(broker, stand):
        await _until(lambda: broker.acked == [1])
    assert [kind for kind, *_ in stand.house.core.steps] == raised


async def test_nothing_is_acknowledged_while_what_follows_cannot_be_kept() -> None:
    stand = _Stand()
    stand.house.store.broken = True
    broker = ScriptedBroker(publish("a", b"3.0", 1) + publish("a", b"3.1", 2))
    async with _listening(broker, stand):
        await _until(lambda: bool(stand.ear.read))
        for _ in range(100):  # the listener asks again and again
            await asyncio.sleep(0.001)
        assert broker.acked == []
        assert stand.house.core.steps == []
        stand.house.store.broken = False
        await _until(lambda: broker.acked == [1, 2])
    assert [kind for kind, *_ in stand.house.core.steps] == ["raise"]


async def test_what_was_not_acknowledged_comes_again_and_fires_once() -> None:
    stand = _Stand()
    stand.house.store.broken = True
    first, again = publish("a", b"3.0", 1), publish("a", b"3.0", 1, again=True)
    broker = ScriptedBroker(first, again)
    async with _listening(broker, stand):
        await _until(lambda: bool(stand.ear.read))
        broker.hangs_up()
        stand.house.store.broken = False
        await _until(lambda: broker.connected == 2 and broker.acked == [1])
    assert [kind for kind, *_ in stand.house.core.steps] == ["raise"]


async def test_a_connection_that_is_refused_says_why_and_is_tried_again() -> None:
    broker = ScriptedBroker(code=4)
    async with _listening(broker) as stand:
        await _until(lambda: broker.connected > 2)
    assert not stand.pulse.status().ready
    assert "bad user name or password" in stand.pulse.status().detail


async def test_a_topic_that_is_refused_is_said() -> None:
    broker = ScriptedBroker(grants=0x80)
    async with _listening(broker) as stand:
        await _until(lambda: broker.connected > 2)
    assert "refuses the topics a" in stand.pulse.status().detail


async def test_what_is_no_mqtt_is_said() -> None:
    broker = ScriptedBroker(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    async with _listening(broker) as stand:
        await _until(lambda: "which no broker sends" in stand.pulse.status().detail)


async def test_a_broker_that_does_not_read_what_we_say_is_left() -> None:
    clock = ManualClock()
    stand, link, wire_end = _Stand(), Link(), _Pipe()
    link.connection_made(wire_end)
    way = Subscribed(url="mqtt://127.0.0.1", topics=("a",))
    gauges, log = stand.house.gauges, structlog.get_logger()
    listener = Listener(stand.ear, way, stand.pulse, stand.house.desk.take, clock, lambda: 0.0, gauges, log)
    pinging = asyncio.create_task(listener._ping(link))
    link.pause_writing()
    for _ in range(3):
        link.data_received(publish("a", b"1"))  # so that it is not for its silence
        await clock.advance(15)
    assert wire_end.aborted
    await pinging
    with pytest.raises(Lost, match="does not read what we say"):
        await link.send(wire.PINGREQ)


async def test_what_is_not_read_stays_with_the_broker() -> None:
    """However much it has to say, a few hundred kilobytes of it are held here; all of it is read in the end."""
    many = 60_000
    broker = ScriptedBroker(b"".join(publish("a", b"1" * 200, number % 60_000 + 1) for number in range(many)))
    async with scripted(broker) as port:
        link = await opened("127.0.0.1", port, None, wire.connect("x", 30, None, None), PATIENCE)
        await link.send(wire.subscribe(1, ["a"]))
        await _until(lambda: not link.reading)
        assert link.stream.waiting < HIGH + (1 << 20)
        read = 0
        async with asyncio.timeout(PATIENCE):
            while read < many:
                await link.some()
                read += sum(isinstance(packet, Publish) for packet in link.stream.packets())
                link.emptied()
        link.leave()
        with pytest.raises(OSError, match="left"):
            await link.send(wire.PINGREQ)
