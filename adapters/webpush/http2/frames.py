"""The words of HTTP/2 on the wire: frames, settings and error codes (RFC 9113, sections 4, 6 and 7)."""

import struct
from enum import IntEnum
from typing import Final

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD: Final = struct.Struct(">IBI")
"""A frame's head: length << 8 | type, flags, stream."""
HEAD_SIZE: Final = 9
WORD: Final = struct.Struct(">I")
PAIR: Final = struct.Struct(">II")
SETTING: Final = struct.Struct(">HI")

DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

MAX_ID: Final = 2**31 - 1
MAX_WINDOW: Final = 2**31 - 1
DEFAULT_WINDOW: Final = 65_535
FRAME_SIZE: Final = 16_384
"""The smallest permitted SETTINGS_MAX_FRAME_SIZE, which is the default and also ours."""


class Setting(IntEnum):
    HEADER_TABLE_SIZE = 0x1
    ENABLE_PUSH = 0x2
    MAX_CONCURRENT_STREAMS = 0x3
    INITIAL_WINDOW_SIZE = 0x4
    MAX_FRAME_SIZE = 0x5
    MAX_HEADER_LIST_SIZE = 0x6


class Code(IntEnum):
    """Error codes (RFC 9113, section 7)."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    ENHANCE_YOUR_CALM = 0xB


class ConnectionFault(Exception):
    """The peer broke the protocol so that the whole connection must end (RFC 9113, section 5.4.1)."""

    def __init__(self, code: Code, about: str) -> None:
        super().__init__(f"{code.name}: {about}")
        self.code = code


class StreamFault(Exception):
    """The peer broke the protocol on one stream (RFC 9113, section 5.4.2)."""

    def __init__(self, code: Code, about: str) -> None:
        super().__init__(f"{code.name}: {about}")
        self.code = code


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame, whole."""
    return HEAD.pack(len(payload) << 8 | kind, flags, stream) + payload


def rst_stream(stream: int, code: Code) -> bytes:
    return frame(RST_STREAM, 0, stream, WORD.pack(code))


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, WORD.pack(increment))


def goaway(code: Code) -> bytes:
    """We processed none of the peer's streams, for we forbid it to open any."""
    return frame(GOAWAY, 0, 0, PAIR.pack(0, code))


def settings(values: dict[Setting, int]) -> bytes:
    return frame(SETTINGS, 0, 0, b"".join(SETTING.pack(*pair) for pair in values.items()))


def header_block(stream: int, block: bytes, size: int) -> list[bytes]:
    """HEADERS, and CONTINUATION frames for what does not fit into `size` bytes; the stream stays open."""
    if len(block) <= size:
        return [frame(HEADERS, END_HEADERS, stream, block)]
    parts = [block[at : at + size] for at in range(0, len(block), size)]
    kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
    flags = [0] * (len(parts) - 1) + [END_HEADERS]
    return [frame(kind, flag, stream, part) for kind, flag, part in zip(kinds, flags, parts, strict=True)]


def unpadded(flags: int, payload: bytes) -> bytes:
    """The payload of a DATA or HEADERS frame without its padding (RFC 9113, section 6.1). ConnectionFault."""
    if not flags & PADDED:
        return payload
    if not payload or payload[0] >= len(payload):
        raise ConnectionFault(Code.PROTOCOL_ERROR, "more padding than frame")
    return payload[1 : len(payload) - payload[0]]
