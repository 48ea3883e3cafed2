"""A broker that says what a test wants, and notes what it is told. What real ones do is tested with real ones."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from struct import pack


def publish(topic: str, payload: bytes, packet: int = 0, *, again: bool = False, retained: bool = False) -> bytes:
    """QoS 1 with an identifier, QoS 0 without."""
    name = topic.encode()
    body = pack(">H", len(name)) + name + (pack(">H", packet) if packet else b"") + payload
    size, left = b"", len(body)
    while left > 0x7F:
        size, left = size + bytes([left & 0x7F | 0x80]), left >> 7
    return bytes([0x30 | (2 if packet else 0) | (8 if again else 0) | retained]) + size + bytes([left]) + body


class ScriptedBroker:
    """`greeting` are what it sends each connection in turn once somebody subscribed; the last one again and again."""

    def __init__(self, *greetings: bytes, code: int = 0, grants: int = 1) -> None:
        self.greetings = list(greetings) or [b""]
        self.acked: list[int] = []
        self.connected = 0
        self.hellos: list[bytes] = []
        self._code = code
        self._grants = grants
        self._writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.connected += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, body = await _packet(reader)
                if kind == 1:
                    self.hellos.append(body)
                    writer.write(bytes([0x20, 2, 0, self._code]))
                elif kind == 8:
                    writer.write(b"\x90\x03" + body[:2] + bytes([self._grants]))
                    writer.write(self.greetings.pop(0) if len(self.greetings) > 1 else self.greetings[0])
                elif kind == 4:
                    self.acked.append(body[0] << 8 | body[1])
                elif kind == 12:
                    writer.write(b"\xd0\x00")
        writer.close()

    def says(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def hangs_up(self) -> None:
        assert self._writer is not None
        self._writer.transport.abort()


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    kind, size = await reader.readexactly(2)
    length, shift = size & 0x7F, 7
    while size & 0x80:
        (size,) = await reader.readexactly(1)
        length |= (size & 0x7F) << shift
        shift += 7
    return kind >> 4, await reader.readexactly(length)


@asynccontextmanager
async def scripted(broker: ScriptedBroker) -> AsyncIterator[int]:
    """Its port."""
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0, limit=1 << 20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        if broker.connected:
            broker.hangs_up()
        await server.wait_closed()
