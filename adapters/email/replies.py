"""SMTP replies out of a stream of bytes (RFC 5321 section 4.2), many at a time. Pure.

Only the code and the first line matter: an enhanced status (RFC 2034) stands at the head of every line.
"""

from typing import Final

MAX_REPLY: Final = 32_768
"""Bytes of one reply, all its lines; a relay that says more is not understood."""
GARBLED: Final = 0
"""The code of what is no reply; nothing after it can be trusted, so it is the last."""

_REMEMBERED: Final = 64
_SHORT: Final = 200
_AFTER_CODE: Final = frozenset({b" ", b"", b"\r"})
_GARBLED_REPLY: Final = (GARBLED, b"")


class Replies:
    """Feed it what came; it keeps what is not yet whole, and remembers lines: a relay says the same ones all day."""

    def __init__(self) -> None:
        self._rest = b""
        self._first = b""  # of a reply with several lines, while the last has not come
        self._size = 0
        self._known: dict[bytes, tuple[int, bytes]] = {}

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The replies completed by `data`: code and first line, line end included or not."""
        lines = (self._rest + data if self._rest else data).split(b"\n")
        self._rest = lines.pop()
        if not self._first and not self._size + len(self._rest):
            try:
                return list(map(self._known.__getitem__, lines))
            except KeyError:
                pass  # one that was not heard before
        return self._read_all(lines)

    def _read_all(self, lines: list[bytes]) -> list[tuple[int, bytes]]:
        found: list[tuple[int, bytes]] = []
        for line in lines:
            reply = None if self._first else self._known.get(line)
            if reply is None:
                reply = self._read(line)
            if reply is not None:
                found.append(reply)
                if reply is _GARBLED_REPLY:
                    return found
        if self._size + len(self._rest) > MAX_REPLY:
            found.append(_GARBLED_REPLY)
        return found

    def _read(self, line: bytes) -> tuple[int, bytes] | None:
        """The reply that ends with this line; None where it goes on."""
        code, mark = line[:3], line[3:4]
        if len(code) != 3 or not code.isdigit() or (self._first and self._first[:3] != code):  # noqa: PLR2004
            return _GARBLED_REPLY
        if mark == b"-":
            self._first = self._first or line
            self._size += len(line)
            return None
        if mark not in _AFTER_CODE:
            return _GARBLED_REPLY
        reply = (int(code), self._first or line)
        if self._first:
            self._first, self._size = b"", 0
        elif len(self._known) < _REMEMBERED and len(line) < _SHORT:
            self._known[line] = reply
        return reply


def text_of(line: bytes) -> str:
    """What a reply's line says after its code."""
    return line[4:].decode("utf-8", "replace").strip()
