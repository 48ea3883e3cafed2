"""A source that is heard from an MQTT broker: QoS 1, in a session the broker keeps, connected again for ever.

Readings may come faster than they can be judged. They are read in slices of a millisecond, and after each the loop is
everybody else's for as long; of what has to wait, the oldest of a topic is dropped first, and counted.
"""

import asyncio
import re
import ssl
from typing import Any, Final

from alertd.domain.signal import Heard, Violation
from alertd.ingest.backlog import Backlog, Message
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.polling import Take
from alertd.ingest.pulse import Pulse
from alertd.ingest.source import Subscribed
from alertd.ports.clock import Chance, Clock

SLICE: Final = 0.001
REST: Final = 0.001
"""Seconds of reading, and of leaving the loop to everything else: however much comes, half of the time is theirs."""
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 60.0
KEEPALIVE: Final = 30
QOS: Final = 1
MOST_BYTES: Final = 1 << 20
"""Of one message. MQTT itself would take 256 MiB (3.1.1, 2.2.3)."""


class Listener:
    """`run` until cancelled. Raises ImportError where the library is not installed."""

    def __init__(
        self, hearing: Hearing, way: Subscribed, pulse: Pulse, take: Take, clock: Clock, chance: Chance, gauges: Gauges
    ) -> None:
        self._hearing = hearing
        self._way = way
        self._pulse = pulse
        self._take = take
        self._clock = clock
        self._chance = chance
        name = hearing.spec.name
        self._dropped = gauges.dropped.labels(name).inc
        self._backlog = Backlog(way.backlog, self._dropped)
        self._client_id = way.client_id or f"alertd-{re.sub('[^a-z0-9]', '', name)}"

    async def run(self) -> None:
        import aiomqtt

        attempt = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._listen(aiomqtt)
            except aiomqtt.MqttError as error:
                self._pulse.failed(f"the broker: {error}"[:300])
            except (OSError, ValueError) as error:
                self._pulse.failed(f"the broker cannot be reached: {error}"[:300])
            attempt = attempt + 1 if self._clock.monotonic() - began < LONGEST_WAIT else 0
            await self._clock.sleep(self._wait(attempt))

    def _wait(self, attempt: int) -> float:
        """Full jitter, so that all who lost the same broker do not come back at once."""
        most: float = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(attempt, 10))
        return most * (0.5 + 0.5 * self._chance())

    async def _listen(self, aiomqtt: Any) -> None:
        way = self._way
        client = aiomqtt.Client(
            way.host,
            way.port,
            username=way.username,
            password=way.password.get_secret_value() if way.password else None,
            identifier=self._client_id,
            clean_session=False,
            keepalive=KEEPALIVE,
            timeout=way.timeout.total_seconds(),
            tls_context=await asyncio.to_thread(_tls, way) if way.tls else None,
            queue_type=lambda maxsize: self._backlog,  # noqa: ARG005 - it has its own bound
        )
        async with client:
            granted = await client.subscribe([(topic, QOS) for topic in way.topics])
            self._refused(granted)
            self._pulse.connected()
            async for batch in client.messages:
                await self._read(batch)

    def _refused(self, granted: Any) -> None:
        """A broker may refuse a topic and go on (MQTT 3.1.1, 3.9.3): then nothing would ever come."""
        refused = [topic for topic, code in zip(self._way.topics, granted, strict=False) if _code(code) >= 128]  # noqa: PLR2004
        if refused:
            raise ValueError(f"it refuses the topics {', '.join(refused)[:200]}")

    async def _read(self, batch: list[Message]) -> None:
        """In slices, with a rest after each."""
        began = self._clock.monotonic()
        for message in batch:
            await self._one(bytes(message.payload or b""), str(message.topic))
            if self._clock.monotonic() - began > SLICE:
                await self._clock.sleep(REST)
                began = self._clock.monotonic()
        await asyncio.sleep(0)

    async def _one(self, payload: bytes, topic: str) -> None:
        """What is too large is refused unread and counted; what is large is read off the loop."""
        if len(payload) > MOST_BYTES:
            self._dropped()
            large = Violation(topic[:100], f"{len(payload)} bytes; at most {MOST_BYTES} are read", fatal=True)
            self._pulse.heard(Heard((), (large,)), kind="message")
            return
        heard = await self._hearing.hear(payload, self._clock.now(), topic)
        await self._take(self._hearing, heard)
        self._pulse.heard(heard, kind="message")


def _tls(way: Subscribed) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if way.ca_file is not None:
        context.load_verify_locations(way.ca_file)
    return context


def _code(granted: Any) -> int:
    return int(getattr(granted, "value", granted))
