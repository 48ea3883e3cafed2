"""The fields of a response's header block (RFC 7541, section 6), of which most are stepped over.

Our SETTINGS_HEADER_TABLE_SIZE is 0: a block can only refer to the static table, an insertion changes nothing (section
4.4), and nothing is left behind for the next block. Hence a value that nobody reads need not be decoded. What a full
decoder rejects and this one cannot see is a wrong Huffman code inside such a value. What it rejects and a full decoder
accepts is a list that would exceed the limit if all Huffman codes had the shortest length.
"""

from dataclasses import dataclass
from typing import Final

from hpack.table import HeaderTable

from adapters.webpush.http2.frames import Code, ConnectionFault
from adapters.webpush.http2.huffman import Huffman

READ: Final = frozenset({b"location", b"retry-after"})
"""The fields, besides :status, whose values somebody reads."""
_OVERHEAD: Final = 32  # RFC 9113, section 6.5.2
_STATIC: Final = len(HeaderTable.STATIC_TABLE)
_MAX_NAMES: Final = 256
_INDEXED: Final = 0x80
_HUFFMAN: Final = 0x80
_LENGTH: Final = 0x7F
_LONG_INDEX: Final = 0x0F
_LITERAL_NAMES: Final = frozenset({0x00, 0x10, 0x40})
_NO_TABLE: Final = b"\x20"
"""The only size update we allow: to nothing (section 6.3)."""
_MAX_SHIFT: Final = 28
"""Of an integer's fifth and last octet after the prefix: enough for 32 bits."""

Field = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Entry:
    """What a representation says before its value. `value` is the static table's, `size` counts what is here.

    `matters`: somebody reads it, or it may be malformed where it stands.
    """

    name: bytes
    value: bytes
    size: int
    matters: bool


class Fields:
    """Reads header blocks of at most `max_list` octets, decoded; remembers nothing of them but how names are spelt."""

    def __init__(self, max_list: int) -> None:
        self._max_list = max_list
        self._huffman = Huffman()
        self._literal: dict[bytes, _Entry] = {}
        self._static = [_entry(*field) for field in HeaderTable.STATIC_TABLE]
        self._first = _by_first_octet(self._static)

    def read(self, block: bytes) -> list[Field]:
        """The first field and, in order, all pseudo-headers, misspelt names, and fields that somebody reads.

        ConnectionFault: the block cannot be decoded.
        """
        try:
            return self._walk(block.lstrip(_NO_TABLE))
        except (IndexError, ValueError) as fault:
            raise ConnectionFault(Code.COMPRESSION_ERROR, str(fault)) from None

    def _walk(self, block: bytes) -> list[Field]:
        """IndexError where the block is too short, ValueError where it is wrong."""
        found: list[Field] = []
        first, at, end, size, most = self._first, 0, len(block), 0, self._max_list
        while at < end and size <= most:
            octet = block[at]
            entry = first[octet]
            at += 1
            if entry is None:
                entry, at = self._spelt_out(octet, block, at)
            size += entry.size
            if octet >= _INDEXED:
                if entry.matters or not found:
                    found.append((entry.name, entry.value))
                continue
            coding = block[at]
            at += 1
            length = coding & _LENGTH
            if length == _LENGTH:
                length, at = _integer(length, block, at)
            start, at = at, at + length
            size += length * 8 // 5 if coding & _HUFFMAN else length  # the shortest code has five bits
            if entry.matters or not found:
                value = block[start:at]
                found.append((entry.name, self._huffman.decode(value) if coding & _HUFFMAN else value))
        if at > end or size > most:
            raise ValueError("a truncated block" if at > end else "more fields than we allow")
        return found

    def _spelt_out(self, octet: int, block: bytes, at: int) -> tuple[_Entry, int]:
        """The entry of an octet that does not name it alone, and where its value begins."""
        if octet in _LITERAL_NAMES:
            return self._literal_name(block, at)
        if octet & ~0x10 == _LONG_INDEX:
            index, at = _integer(_LONG_INDEX, block, at)
            if index <= _STATIC:
                return self._static[index - 1], at
        raise ValueError("an index or a size beyond the table we allow")

    def _literal_name(self, block: bytes, at: int) -> tuple[_Entry, int]:
        length = block[at] & _LENGTH
        stop = at + 1 + length
        spelling = block[at:stop]
        known = self._literal.get(spelling)
        if known is not None:
            return known, stop
        start = at + 1
        if length == _LENGTH:
            length, start = _integer(length, block, start)
            stop = start + length
        if stop > len(block):
            raise IndexError("a truncated name")
        name = block[start:stop]
        entry = _entry(self._huffman.decode(name) if block[at] & _HUFFMAN else name, b"")
        if length < _LENGTH:
            if len(self._literal) >= _MAX_NAMES:
                self._literal.clear()
            self._literal[spelling] = entry
        return entry, stop


def _entry(name: bytes, value: bytes) -> _Entry:
    matters = name in READ or name.startswith(b":") or name != name.lower()
    return _Entry(name, value, len(name) + len(value) + _OVERHEAD, matters)


def _by_first_octet(static: list[_Entry]) -> list[_Entry | None]:
    """What a representation's first octet says on its own; None where more octets must be read or none may follow."""
    first: list[_Entry | None] = [None] * 256
    for index, entry in enumerate(static, 1):
        name = _entry(entry.name, b"")
        first[_INDEXED | index] = entry
        first[0x40 | index] = name
        if index < _LONG_INDEX:
            first[index] = first[0x10 | index] = name
    return first


def _integer(number: int, block: bytes, at: int) -> tuple[int, int]:
    """An integer whose prefix is full, and where it ends (section 5.1)."""
    for shift in range(0, _MAX_SHIFT + 1, 7):
        octet = block[at]
        at += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:  # noqa: PLR2004
            return number, at
    raise ValueError("an integer of too many octets")
