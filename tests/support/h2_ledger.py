"""An independent look at both directions of an HTTP/2 connection: does the client keep to what the server allows?

The `h2` library checks much of this too, but not everything and not always at the right moment (RFC 9113, 6.5.3: a
value counts from its acknowledgement); the ledger knows nothing but frame headers.
"""

import struct
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
INITIAL_WINDOW, MAX_STREAMS = 0x4, 0x3
UNLIMITED = 2**31 - 1


class Frame(NamedTuple):
    """`raw` is the whole frame, `payload` what follows its nine octets."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    raw: bytes


class Splitter:
    """Octets in, whole frames out."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, octets: bytes) -> Iterator[Frame]:
        self._rest += octets
        while len(self._rest) >= 9:
            end = 9 + int.from_bytes(self._rest[:3], "big")
            if len(self._rest) < end:
                return
            raw, self._rest = self._rest[:end], self._rest[end:]
            yield Frame(raw[3], raw[4], int.from_bytes(raw[5:9], "big") & UNLIMITED, raw[9:], raw)


class Ledger:
    """`faults` says, in words, each time the client took more than it was given. `pings` are those still unanswered."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.connection = 65_535
        self.most_open = 0
        self.pings = 0
        self._initial = 65_535
        self._streams = UNLIMITED
        self._unacked: deque[tuple[int | None, int | None]] = deque()
        self._given: dict[int, int] = {}
        self._open: set[int] = set()  # not yet ended by the server, nor reset by either
        self._highest = 0

    @property
    def initial_window(self) -> int:
        """The most generous value the client may still go by."""
        return max([self._initial, *(window for window, _ in self._unacked if window is not None)])

    @property
    def stream_limit(self) -> int:
        return max([self._streams, *(limit for _, limit in self._unacked if limit is not None)])

    @property
    def settled(self) -> bool:
        """Whether every SETTINGS frame was acknowledged."""
        return not self._unacked

    @property
    def at_rest(self) -> bool:
        """Whether the client owes us no acknowledgement."""
        return self.settled and not self.pings

    def window(self, stream: int) -> int:
        """What the client may still send on the stream."""
        return self.initial_window + self._given.get(stream, 0)

    def sent(self, frame: Frame) -> None:
        """The server wrote this."""
        if frame.kind == WINDOW_UPDATE:
            increment = int.from_bytes(frame.payload, "big") & UNLIMITED
            if frame.stream:
                self._given[frame.stream] = self._given.get(frame.stream, 0) + increment
            else:
                self.connection += increment
        elif frame.kind == SETTINGS and not frame.flags & ACK:
            values = dict(struct.iter_unpack(">HL", frame.payload))
            self._unacked.append((values.get(INITIAL_WINDOW), values.get(MAX_STREAMS)))
        elif frame.kind == PING and not frame.flags & ACK:
            self.pings += 1
        elif frame.kind == RST_STREAM or (frame.kind in {DATA, HEADERS} and frame.flags & END_STREAM):
            self._open.discard(frame.stream)

    def got(self, frame: Frame) -> None:
        """The client wrote this."""
        if frame.kind == DATA:
            self._count_data(frame)
        elif frame.kind == HEADERS:
            self._count_stream(frame.stream)
        elif frame.kind == RST_STREAM:
            self._open.discard(frame.stream)
        elif frame.kind == PING and frame.flags & ACK:
            self.pings -= 1
        elif frame.kind == SETTINGS and frame.flags & ACK:
            self._acknowledge()
        elif frame.kind in {PUSH_PROMISE, PRIORITY}:
            self.faults.append(f"a frame of type {frame.kind} from the client")

    def _count_data(self, frame: Frame) -> None:
        size = len(frame.payload)
        self.connection -= size
        self._given[frame.stream] = self._given.get(frame.stream, 0) - size
        if size and self.connection < 0:
            self.faults.append(f"{-self.connection} octets beyond the connection's window")
        if size and self.window(frame.stream) < 0:
            self.faults.append(f"{-self.window(frame.stream)} octets beyond the window of stream {frame.stream}")

    def _count_stream(self, stream: int) -> None:
        if stream <= self._highest or stream % 2 == 0:
            self.faults.append(f"stream {stream} opened after {self._highest}")
        self._highest = max(self._highest, stream)
        self._open.add(stream)
        self.most_open = max(self.most_open, len(self._open))
        if len(self._open) > self.stream_limit:
            self.faults.append(f"{len(self._open)} streams open where {self.stream_limit} are allowed")

    def _acknowledge(self) -> None:
        if not self._unacked:
            self.faults.append("an acknowledgement of SETTINGS that were never sent")
            return
        window, limit = self._unacked.popleft()
        if window is not None:
            self._initial = window
        if limit is not None:
            self._streams = limit
