"""What comes in parts: header blocks (RFC 9113, section 6.10), and bodies that nobody reads (section 5.2)."""

from typing import Final

from adapters.webpush.http2.frames import Code, ConnectionFault

MAX_BODY: Final = 32_768
"""Octets of an answer's body that we let pass before we reset its stream; below the stream's window."""
MAX_BLOCK: Final = 65_536
_MAX_CONTINUATIONS: Final = 64


class Continued:
    """A header block that may go on in CONTINUATION frames."""

    __slots__ = ("flags", "frames", "octets", "stream")

    def __init__(self, stream: int, flags: int, octets: bytearray) -> None:
        self.stream = stream
        self.flags = flags
        self.octets = octets
        self.frames = 0

    def add(self, part: bytes) -> None:
        """ConnectionFault where it goes on for ever."""
        self.frames += 1
        self.octets += part
        if self.frames > _MAX_CONTINUATIONS or len(self.octets) > MAX_BLOCK:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "a header block without end")


class Bodies:
    """The bodies of answers already settled: counted, given back to the peer's window, never kept.

    `open` maps a stream to [octets so far, deadline].
    """

    def __init__(self, window: int) -> None:
        self.open: dict[int, list[float]] = {}
        self._window = window
        self._received = 0

    def count(self, octets: int) -> int:
        """How many octets to give back to the connection's window now, mostly none. ConnectionFault."""
        self._received += octets
        if self._received > self._window:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "more DATA than the window allows")
        if self._received < self._window // 2:
            return 0
        given, self._received = self._received, 0
        return given

    def too_much(self, stream: int, octets: int) -> bool:
        """Whether that stream now sent more than we care for."""
        body = self.open.get(stream)
        if body is None:
            return False
        body[0] += octets
        return body[0] > MAX_BODY

    def late(self, now: float) -> list[int]:
        return [stream for stream, (_, deadline) in self.open.items() if deadline <= now]
