"""Request headers as bytes: what many requests share lives in the peer's table (RFC 7541).

A block is `before`, the literal :path, `after`. Once the shared fields stand in the table both are a few index
bytes, the same for every request, until the table changes.
"""

from collections import deque
from typing import Final, NamedTuple

from hpack.hpack import encode_integer
from hpack.table import HeaderTable

from adapters.webpush.http2.request import Profile

CAPACITY: Final = 4_096
"""Octets of the peer's table we use at most; the default of SETTINGS_HEADER_TABLE_SIZE."""
_OVERHEAD: Final = 32  # RFC 7541, section 4.1
_STATIC: Final = len(HeaderTable.STATIC_TABLE)
_NAMES: Final = {
    name: index for index, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))
}  # of equal names the first
_METHOD_AND_SCHEME: Final = b"\x83\x87"  # POST and https, both in the static table
_MAX_READY: Final = 64

Field = tuple[bytes, bytes]


class Parts(NamedTuple):
    """`lasting`: the next request of this profile and size may use the same bytes, if no other comes between."""

    before: bytes
    after: bytes
    lasting: bool


def integer(value: int, prefix: int, pattern: int) -> bytes:
    """RFC 7541, section 5.1, below the bits of `pattern`."""
    octets = encode_integer(value, prefix)
    octets[0] |= pattern
    return bytes(octets)


def text(value: bytes) -> bytes:
    """A string literal without Huffman coding (RFC 7541, section 5.2)."""
    return integer(len(value), 7, 0) + value


def path_head(length: int) -> bytes:
    """What stands before a :path of so many octets: a literal never indexed, for it names a citizen."""
    return b"\x14" + integer(length, 7, 0)


def size_of(field: Field) -> int:
    return len(field[0]) + len(field[1]) + _OVERHEAD


class Table:
    """Our copy of the peer's dynamic table (RFC 7541, sections 2.3.2 and 4)."""

    def __init__(self) -> None:
        self.capacity = CAPACITY
        self._size = 0
        self._fields: deque[Field] = deque()  # newest first

    def resize(self, capacity: int) -> None:
        self.capacity = capacity
        self._evict(capacity)

    def add(self, field: Field) -> None:
        """A field larger than the table empties it, as the standard says."""
        size = size_of(field)
        self._evict(self.capacity - size)
        if size <= self.capacity:
            self._fields.appendleft(field)
            self._size += size

    def index(self, field: Field) -> int | None:
        """Its index over both tables, None where it is in neither."""
        try:
            return _STATIC + 1 + self._fields.index(field)
        except ValueError:
            return None

    def _evict(self, room: int) -> None:
        while self._fields and self._size > room:
            self._size -= size_of(self._fields.pop())


class RequestHeaders:
    """The header blocks of one connection. Every block it gives must be sent, and in that order."""

    def __init__(self, authority: bytes) -> None:
        self._authority = (b":authority", authority)
        self._table = Table()
        self._ready: dict[tuple[Profile, int], Parts] = {}
        self._smallest: int | None = None  # since the last block; None: nothing to announce

    def limit(self, size: int) -> None:
        """The peer's SETTINGS_HEADER_TABLE_SIZE. The change is announced in the next block (section 4.2)."""
        capacity = min(size, CAPACITY)
        if capacity == self._table.capacity:
            return
        self._smallest = capacity if self._smallest is None else min(self._smallest, capacity)
        self._table.resize(capacity)
        self._ready.clear()

    def parts(self, profile: Profile, length: int) -> Parts:
        """The next block's octets around :path, of a request whose body has `length` octets."""
        ready = self._ready.get((profile, length))
        return ready or self._encode(profile, length)

    def _encode(self, profile: Profile, length: int) -> Parts:
        lasting = self._smallest is None
        announced = self._announcement()
        kept = self._worth_keeping(profile)
        known = all(self._table.index(field) for field in kept)
        before = announced + _METHOD_AND_SCHEME + self._field(self._authority, kept)
        size = (b"content-length", b"%d" % length)
        after = self._field(size, kept) + b"".join(self._field(field, kept) for field in profile.headers)
        parts = Parts(before, after, lasting and known)
        if not known or len(self._ready) >= _MAX_READY:
            self._ready.clear()  # every insertion moved the indices
        if parts.lasting:
            self._ready[profile, length] = parts
        return parts

    def _worth_keeping(self, profile: Profile) -> set[Field]:
        """As many fields, in order, as stand in the table together: more would chase each other out."""
        kept: set[Field] = set()
        room = self._table.capacity
        for field in (self._authority, *profile.headers):
            if field not in kept and size_of(field) <= room:
                kept.add(field)
                room -= size_of(field)
        return kept

    def _field(self, field: Field, kept: set[Field]) -> bytes:
        index = self._table.index(field)
        if index is not None:
            return integer(index, 7, 0x80)
        name, value = field
        if field not in kept:
            return self._literal(name, 4, 0x00) + text(value)
        encoded = self._literal(name, 6, 0x40) + text(value)
        self._table.add(field)
        return encoded

    def _literal(self, name: bytes, prefix: int, pattern: int) -> bytes:
        index = _NAMES.get(name, 0)
        return integer(index, prefix, pattern) + (b"" if index else text(name))

    def _announcement(self) -> bytes:
        """Dynamic table size updates (RFC 7541, section 6.3): the smallest since the last block, and the present."""
        if self._smallest is None:
            return b""
        sizes = dict.fromkeys((self._smallest, self._table.capacity))
        self._smallest = None
        return b"".join(integer(size, 5, 0x20) for size in sizes)
