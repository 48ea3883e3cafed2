"""MQTT 3.1.1 as a subscriber speaks it: bytes to packets and packets to bytes. Pure.

Own code for what libraries do packet by packet, each with several reads of the socket and a write of its own: that
costs the loop some 100 µs a message, and ten thousand messages a second leave it a few. Here packets are found in
whatever a read brought, and acknowledged many in one write. Section numbers are those of the OASIS standard.
"""

from collections.abc import Iterable, Iterator, Sequence
from struct import pack
from typing import Final, NamedTuple

CONNECT, PUBLISH, SUBSCRIBE = 1, 3, 8
PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"
QOS: Final = 1
REFUSED: Final = 0x80
"""The return code of a topic filter that was not granted (3.9.3)."""
CONNECT_REFUSALS: Final = {
    1: "it does not speak MQTT 3.1.1",
    2: "it does not take the client identifier",
    3: "it is unavailable",
    4: "bad user name or password",
    5: "not authorised",
}
"""The return codes of CONNACK (3.2.2.3)."""
_LONGEST_HEAD: Final = 65_535 + 4
"""Of a PUBLISH: the length of its topic, the topic, the identifier."""
_LENGTH_BYTES: Final = 4
_FROM_BROKERS: Final = frozenset({2, PUBLISH, 9, 13})


class NotMqtt(ValueError):
    """What came is not MQTT 3.1.1, or nothing a broker may say to a subscriber."""


class Connack(NamedTuple):
    """`present`: the broker kept the session."""

    present: bool
    code: int


class Suback(NamedTuple):
    codes: tuple[int, ...]


class Publish(NamedTuple):
    """`packet` is what is to be acknowledged, 0 for a message that asks for nothing (QoS 0). `retained`: the broker
    kept it for whoever subscribes, for seconds or for years (3.3.1.3)."""

    topic: str
    payload: bytes
    packet: int
    retained: bool = False


class Oversize(NamedTuple):
    """A message of so many bytes that it is passed over unread."""

    topic: str
    octets: int
    packet: int


class Pong(NamedTuple):
    pass


Packet = Connack | Suback | Publish | Oversize | Pong


def connect(client_id: str, keepalive: int, username: str | None, password: str | None) -> bytes:
    """A session that is kept while we are away (3.1.2.4)."""
    flags = (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    texts = [client_id, *(text for text in (username, password) if text is not None)]
    body = b"\x00\x04MQTT\x04" + pack(">BH", flags, keepalive) + b"".join(map(_text, texts))
    return _framed(CONNECT << 4, body)


def subscribe(packet: int, topics: Sequence[str]) -> bytes:
    return _framed(SUBSCRIBE << 4 | 2, pack(">H", packet) + b"".join(_text(topic) + bytes([QOS]) for topic in topics))


def pubacks(packets: Iterable[int]) -> bytes:
    """In the order in which the messages came, as 4.6 asks."""
    return b"".join([b"\x40\x02" + packet.to_bytes(2, "big") for packet in packets])


class Stream:
    """Bytes as they come, packets as they are whole. A message of more than `most` bytes is passed over as it comes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._parts: list[bytes] = []
        self._data = b""
        self._at = 0
        self._skip = 0
        self._need = 2
        self.waiting = 0
        """Bytes that came and belong to no packet given yet."""

    @property
    def ready(self) -> bool:
        """Whether there may be a whole packet."""
        return self.waiting >= self._need

    def feed(self, data: bytes) -> None:
        if self._skip:
            passed = min(self._skip, len(data))
            self._skip -= passed
            data = data[passed:]
        if data:
            self._parts.append(data)
            self.waiting += len(data)

    def packets(self) -> Iterator[Packet]:
        """Those that are whole. To be left off and begun anew at will; raises NotMqtt."""
        while self.ready:
            if self._parts:
                self._data = b"".join((self._data[self._at :], *self._parts))
                self._parts.clear()
                self._at = 0
            packet = self._next()
            if packet is not None:
                yield packet

    def _next(self) -> Packet | None:
        """None, and `_need` saying how many bytes there must be, where it is not whole."""
        data, at = self._data, self._at
        length = data[at + 1]  # of one byte, unless its highest bit says otherwise (2.2.3)
        begin = at + 2
        if length & 0x80:
            found = _length(data, at + 1)
            if found is None:
                self._need = self.waiting + 1
                return None
            length, begin = found
        whole = begin - at + length
        if length > self._most and data[at] >> 4 == PUBLISH:
            return self._pass_over(begin, length)
        if length > self._most:
            raise NotMqtt(f"a packet of {length} bytes that is no message")
        if self.waiting < whole:
            _check(data[at] >> 4)
            self._need = whole
            return None
        self._taken(whole)
        return _packet(data, data[at], begin, begin + length)

    def _pass_over(self, begin: int, length: int) -> Oversize | None:
        at = self._at
        head = begin - at + min(length, _LONGEST_HEAD)
        if self.waiting < head:
            self._need = head
            return None
        topic, _, packet = _head(self._data, self._data[at], begin, begin + length)
        whole = begin - at + length
        self._skip = max(0, whole - self.waiting)
        self._taken(whole - self._skip)
        return Oversize(topic, length, packet)

    def _taken(self, octets: int) -> None:
        self._at += octets
        self.waiting -= octets
        self._need = 2


def _check(kind: int) -> None:
    """What is not MQTT at all is not waited for to be whole."""
    if kind not in _FROM_BROKERS:
        raise NotMqtt(f"a packet of type {kind}, which no broker sends a subscriber")


def _packet(data: bytes, kind: int, begin: int, end: int) -> Packet:
    if kind >> 4 == PUBLISH:
        topic, start, packet = _head(data, kind, begin, end)
        return Publish(topic, data[start:end], packet, kind & 1 == 1)
    match kind >> 4:
        case 2 if end - begin == 2:  # noqa: PLR2004 - CONNACK, 3.2
            return Connack(bool(data[begin] & 1), data[begin + 1])
        case 9 if end - begin > 2:  # noqa: PLR2004 - SUBACK, 3.9
            return Suback(tuple(data[begin + 2 : end]))
        case 13:
            return Pong()
        case other:
            _check(other)
            raise NotMqtt(f"a packet of type {other} with {end - begin} bytes")


def _head(data: bytes, kind: int, begin: int, end: int) -> tuple[str, int, int]:
    """The topic of a PUBLISH, where its payload begins, and its identifier (3.3.2)."""
    size = data[begin] << 8 | data[begin + 1] if end - begin > 1 else end
    start = begin + 2 + size
    packet = 0
    if kind & 6:
        if kind & 4:
            raise NotMqtt("a message with a QoS that was not asked for")
        packet = data[start] << 8 | data[start + 1] if start + 2 <= end else 0
        start += 2
        if not packet:
            raise NotMqtt("a message of QoS 1 without an identifier")
    if start > end:
        raise NotMqtt("a message that ends within its topic")
    return data[begin + 2 : begin + 2 + size].decode("utf-8", "replace"), start, packet


def _length(data: bytes, at: int) -> tuple[int, int] | None:
    """The remaining length (2.2.3), and where it ends; None where it is not whole."""
    value = 0
    for i, octet in enumerate(data[at : at + _LENGTH_BYTES]):
        value |= (octet & 0x7F) << 7 * i
        if not octet & 0x80:
            return value, at + i + 1
    if len(data) - at >= _LENGTH_BYTES:
        raise NotMqtt("a length of more than four bytes")
    return None


def _text(text: str) -> bytes:
    raw = text.encode()
    return pack(">H", len(raw)) + raw


def _framed(head: int, body: bytes) -> bytes:
    size, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        size.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([head]) + bytes(size) + body
