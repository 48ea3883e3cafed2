"""One connection to a broker. What came and was not read yet is bounded: beyond that nothing is taken off the socket,
so the broker keeps what we are too slow for."""

import asyncio
import ssl
from contextlib import suppress
from typing import Final, cast

from alertd.ingest.mqtt import wire
from alertd.ingest.mqtt.wire import CONNECT_REFUSALS, Connack, Stream
from alertd.ingest.source import Subscribed

MOST_BYTES: Final = 1 << 20
"""Of one message. MQTT itself would take 256 MiB (3.1.1, 2.2.3)."""
HIGH: Final = 128 * 1024
"""Bytes that wait to be read before the socket is left alone; a read may bring as much again, twice."""


class Lost(OSError):
    """The connection is over; says why."""


class Link(asyncio.Protocol):
    """`stream` holds what came. `moved` counts what was received: a silent broker's stands still."""

    def __init__(self) -> None:
        self.stream = Stream(MOST_BYTES)
        self.moved = 0
        self._transport: asyncio.Transport | None = None
        self._came = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._over: Lost | None = None
        self.reading = True

    # --- what the loop tells ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.moved += 1
        self.stream.feed(data)
        self._came.set()
        if self.reading and self.stream.waiting > HIGH and self._transport is not None:
            self._transport.pause_reading()
            self.reading = False

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(f"the connection was lost: {exc}" if exc else "it closed the connection")

    # --- what the listener asks ---------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether the broker is behind with reading what we say."""
        return not self._writable.is_set()

    async def some(self) -> None:
        """Wait until something came that was not looked at. Raises Lost."""
        await self._came.wait()
        if self._over is not None and not self.stream.ready:
            raise self._over

    def emptied(self) -> None:
        """All that is whole was read: more may come."""
        if self._over is not None:
            return
        self._came.clear()
        if not self.reading and self._transport is not None:
            self.reading = True
            self._transport.resume_reading()

    async def send(self, data: bytes) -> None:
        """Whatever the broker is slow to take is waited for. Raises Lost."""
        if not data:
            return
        await self._writable.wait()
        if self._over is not None:
            raise self._over
        if self._transport is not None:
            self._transport.write(data)

    def end(self, why: str) -> None:
        """Nothing more is to be had of it."""
        self._end(why)
        if self._transport is not None:
            self._transport.abort()

    def leave(self) -> None:
        """Say goodbye: the session stays, and what was not acknowledged comes again."""
        if self._over is None and self._transport is not None:
            self._transport.write(wire.DISCONNECT)
        self._end("left")
        if self._transport is not None:
            self._transport.close()

    async def granted(self) -> None:
        """Wait for the answer to CONNECT. Raises Lost and NotMqtt."""
        while True:
            await self.some()
            for packet in self.stream.packets():
                if not isinstance(packet, Connack):
                    raise wire.NotMqtt("something before the answer to CONNECT")
                if packet.code:
                    why = CONNECT_REFUSALS.get(packet.code, f"code {packet.code}")
                    raise Lost(f"it refuses the connection: {why}")
                return  # what follows it is left for whoever reads on
            self.emptied()

    def _end(self, why: str) -> None:
        self._over = self._over or Lost(why)
        self._came.set()
        self._writable.set()


def encrypted(way: Subscribed) -> ssl.SSLContext:
    """Raises OSError (ssl.SSLError is one) where a file is not there or not what it should be."""
    context = ssl.create_default_context()
    if way.ca_file is not None:
        context.load_verify_locations(way.ca_file)
    if way.cert_file is not None:
        context.load_cert_chain(way.cert_file, way.key_file)
    return context


async def opened(host: str, port: int, tls: ssl.SSLContext | None, hello: bytes, seconds: float) -> Link:
    """A connection the broker agreed to, `hello` being our CONNECT. Raises OSError, TimeoutError and NotMqtt."""
    link = None
    try:
        async with asyncio.timeout(seconds):
            _, link = await asyncio.get_running_loop().create_connection(
                Link, host, port, ssl=tls, server_hostname=host if tls else None
            )
            await link.send(hello)
            await link.granted()
            return link
    except BaseException:
        if link is not None:
            with suppress(Exception):
                link.end("not agreed")
        raise
