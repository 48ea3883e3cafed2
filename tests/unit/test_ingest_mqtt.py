"""Messages of a broker that are large."""

import threading
from dataclasses import dataclass
from datetime import datetime

import structlog

from alertd.domain.signal import Heard
from alertd.ingest.hearing import Hearing
from alertd.ingest.mqtt import MOST_BYTES, Listener
from alertd.ingest.pulse import Pulse
from alertd.ingest.source import Subscribed
from tests.support.desk_stand import DeskStand, spec, territory


@dataclass
class Message:
    topic: str
    payload: bytes


async def test_a_large_message_is_read_off_the_loop_and_a_huge_one_not_at_all() -> None:
    stand = DeskStand()
    source = spec("pesa", sensor="pesa-1")
    read: list[tuple[int, bool]] = []

    class Watched(Hearing):
        def heard(self, payload: bytes, at: datetime, topic: str = "") -> Heard:
            read.append((len(payload), threading.current_thread() is threading.main_thread()))
            return super().heard(payload, at, topic)

    pulse = Pulse(source, stand.clock, stand.gauges, structlog.get_logger())
    way = Subscribed(url="mqtt://127.0.0.1", topics=("a",))
    hearing = Watched(source, territory)
    listener = Listener(hearing, way, pulse, stand.desk.take, stand.clock, lambda: 0.0, stand.gauges)
    sizes = (3, 70_000, MOST_BYTES + 1)
    await listener._read([Message("a", b"1" * size) for size in sizes])
    assert read == [(3, True), (70_000, False)]
    assert stand.gauges.dropped.labels("pesa")._value.get() == 1
    assert "1048577 bytes; at most 1048576" in pulse.status().detail
