"""A source that is heard from an MQTT broker: QoS 1, in a session the broker keeps, connected again for ever.

A message is acknowledged when it was judged and what follows from it is durable: whatever a crash or a broken
connection takes away the broker sends again, and a reading that is repeated never alarms. Readings may come faster than
they can be judged. They are read and judged in slices, and after each the loop is everybody else's for as long; what
has to wait is left with the broker, and none is dropped here but what is too large, which is counted.
"""

import asyncio
import ssl
from contextlib import suppress
from datetime import datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.domain.signal import Heard, Signal, Violation
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.mqtt import wire
from alertd.ingest.mqtt.link import MOST_BYTES, Link, Lost, encrypted, opened
from alertd.ingest.mqtt.topics import Wanted
from alertd.ingest.mqtt.wire import Connack, NotMqtt, Oversize, Packet, Pong, Publish, Suback
from alertd.ingest.polling import Take
from alertd.ingest.pulse import Pulse
from alertd.ingest.source import Subscribed
from alertd.ports.clock import Chance, Clock

SLICE: Final = 0.002
REST: Final = 0.001
"""Seconds of reading, which judging makes twice as long, and of doing nothing. The store's thread needs the interpreter
too, and a loop that is never idle gives it away every 5 ms only: an accept would take a hundred times as long."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
KEEPALIVE: Final = 30
ASK_AGAIN: Final = 1.0
"""Seconds until it is tried again to make durable what a message led to."""
_SUBSCRIPTION: Final = 1
NOTHING: Final = Heard(())


class Listener:
    """`run` until cancelled."""

    def __init__(
        self,
        hearing: Hearing,
        way: Subscribed,
        pulse: Pulse,
        take: Take,
        clock: Clock,
        chance: Chance,
        gauges: Gauges,
        log: FilteringBoundLogger,
    ) -> None:
        self._hearing = hearing
        self._way = way
        self._pulse = pulse
        self._take = take
        self._clock = clock
        self._chance = chance
        self._log = log
        name = hearing.spec.name
        self._dropped = gauges.dropped.labels(name).inc
        self._brief = hearing.brief
        self._wanted = Wanted(way.topics)
        self._told: set[str] = set()
        self._client_id = way.client_id or f"alertd-{name}"

    async def run(self) -> None:
        attempt = 0
        await self._durably(NOTHING)  # before the rules remember there is nothing to hear it
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen()
            except ssl.SSLCertVerificationError as error:
                self._pulse.failed(f"the broker's certificate is not believed: {error.verify_message}"[:300])
            except TimeoutError:
                self._pulse.failed(f"the broker does not answer within {self._way.timeout.total_seconds():.0f} s")
            except (OSError, ValueError) as error:
                self._pulse.failed(f"the broker: {error}"[:300])
            attempt = attempt + 1 if self._clock.monotonic() - began < LONGEST_WAIT else 0
            await self._clock.sleep(self._wait(attempt))

    def _wait(self, attempt: int) -> float:
        """Full jitter, so that all who lost the same broker do not come back at once."""
        most: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt, 10))
        return most * (0.5 + 0.5 * self._chance())

    async def _listen(self) -> None:
        way = self._way
        tls = await asyncio.to_thread(encrypted, way) if way.tls else None
        password = way.password.get_secret_value() if way.password else None
        hello = wire.connect(self._client_id, KEEPALIVE, way.username, password)
        link = await opened(way.host, way.port, tls, hello, way.timeout.total_seconds())
        try:
            await link.send(wire.subscribe(_SUBSCRIPTION, way.topics))
            pinging = asyncio.create_task(self._ping(link))
            try:
                await self._read(link)
            finally:
                pinging.cancel()
                await asyncio.gather(pinging, return_exceptions=True)
        finally:
            link.leave()

    async def _ping(self, link: Link) -> None:
        """So that the broker knows that we are there (3.1.2.10), and we that it is. What is not read cannot answer."""
        moved, full = -1, False
        with suppress(Lost):
            while True:
                await self._clock.sleep(KEEPALIVE / 2)
                if link.reading and link.moved == moved:
                    link.end(f"it is silent for {KEEPALIVE / 2:.0f} s after a ping")
                if full and link.full:
                    link.end("it does not read what we say")
                moved, full = link.moved if link.reading else -1, link.full
                if not full:
                    await link.send(wire.PINGREQ)

    async def _read(self, link: Link) -> None:
        while True:
            await link.some()
            await self._slice(link)
            await self._clock.sleep(REST)

    async def _slice(self, link: Link) -> None:
        """What can be read in its time, judged together and then acknowledged."""
        until = self._clock.monotonic() + SLICE
        batch = _Batch()
        for packet in link.stream.packets():
            if isinstance(packet, Publish) and self._ordinary(packet):
                batch.add(packet.packet, self._heard(packet, self._clock.now()))
            else:
                await self._settle(link, batch)
                batch = _Batch()
                await self._seldom(link, packet)
            if self._clock.monotonic() >= until:
                break
        else:
            link.emptied()
        await self._settle(link, batch)

    def _ordinary(self, message: Publish) -> bool:
        return not message.retained and self._brief(message.payload) and self._wanted(message.topic)

    def _heard(self, message: Publish, at: datetime) -> Heard:
        """A reader that fails on a message must not meet it for ever: then it is unreadable, and that is said."""
        try:
            return self._hearing.heard(message.payload, at, message.topic)
        except Exception as error:  # noqa: BLE001 - see above
            self._log.exception("a message could not be read", source=self._hearing.spec.name)
            return _unread(message.topic, f"a fault of ours: {type(error).__name__}")

    async def _seldom(self, link: Link, packet: Packet) -> None:
        """What takes long is read off the loop; what is too large is refused unread and counted."""
        batch = _Batch()
        match packet:
            case Publish(topic=topic) | Oversize(topic=topic) if not self._wanted(topic):
                self._passed_over(topic, "it is subscribed to no more, but the broker kept the session")
                batch.owe(packet.packet)
            case Publish():
                at = self._clock.now()
                heard = await asyncio.to_thread(self._heard, packet, at)
                if packet.retained and any(_undated(signal, at) for signal in heard.signals):
                    self._passed_over(packet.topic, "a retained reading that says no time may be of any day")
                    batch.owe(packet.packet)
                else:
                    batch.add(packet.packet, heard)
            case Oversize(topic=topic, octets=octets):
                self._dropped()
                batch.add(packet.packet, _unread(topic, f"{octets} bytes; at most {MOST_BYTES} are read"))
            case Suback(codes=codes):
                self._subscribed(codes)
            case Connack():
                raise NotMqtt("a second answer to CONNECT")
            case Pong():
                return  # that it moved is all it says
        await self._settle(link, batch)

    def _passed_over(self, topic: str, why: str) -> None:
        """Counted each time, and each reason said once."""
        self._dropped()
        if why not in self._told:
            self._told.add(why)
            self._log.warning("messages are not judged", source=self._hearing.spec.name, topic=topic[:100], why=why)

    def _subscribed(self, codes: tuple[int, ...]) -> None:
        """A broker may refuse a topic and go on (3.9.3): then nothing would ever come."""
        refused = [topic for topic, code in zip(self._way.topics, codes, strict=False) if code >= wire.REFUSED]
        if refused or len(codes) != len(self._way.topics):
            raise Lost(f"it refuses the topics {', '.join(refused)[:200]}")
        self._pulse.connected()

    async def _settle(self, link: Link, batch: "_Batch") -> None:
        if batch.messages or batch.packets:
            await self._durably(Heard(tuple(batch.signals)))
            if batch.messages:
                self._pulse.heard_all(batch.messages, len(batch.signals), batch.odd)
            await link.send(wire.pubacks(batch.packets))

    async def _durably(self, heard: Heard) -> None:
        """Judge it, and wait until what follows is kept: till then it stays unacknowledged, and no more is read."""
        while not await self._take(self._hearing, heard):
            await self._clock.sleep(ASK_AGAIN)
            heard = NOTHING


class _Batch:
    """What a few messages say; `odd` those of them that broke a rule; `packets` what is to be acknowledged."""

    __slots__ = ("messages", "odd", "packets", "signals")

    def __init__(self) -> None:
        self.messages = 0
        self.signals: list[Signal] = []
        self.odd: list[Heard] = []
        self.packets: list[int] = []

    def add(self, packet: int, heard: Heard) -> None:
        self.messages += 1
        self.signals += heard.signals
        if heard.violations:
            self.odd.append(heard)
        self.owe(packet)

    def owe(self, packet: int) -> None:
        """An acknowledgement; a message of QoS 0 asks for none."""
        if packet:
            self.packets.append(packet)


def _unread(topic: str, why: str) -> Heard:
    return Heard((), (Violation(topic[:100], why, fatal=True),))


def _undated(signal: Signal, arrived: datetime) -> bool:
    """A reading that is taken to be of the moment at which it came, since it says no other."""
    return signal.value is not None and signal.at == arrived
