"""The ready envelopes, packed: a million subscriptions must not cost a gigabyte.

An endpoint has one row with room for `depth` envelopes, and rows lie side by side in large blocks. Which row, and how
many envelopes are in it, stands in the index: pages of neighbouring ids, which are mostly full because ids are
handed out in order.
"""

import mmap
from array import array
from collections.abc import Sequence
from typing import Final, NoReturn
from zlib import crc32

from adapters.webpush.envelope import ENVELOPE

DEPTH: Final = 2
"""Envelopes for each endpoint: the second keeps the alert after this one fast."""
CAPACITY: Final = 2_000_000
"""Endpoints with a row: about 240 MB with one envelope each, 460 with two."""

_BLOCK_BITS: Final = 12
_BLOCK: Final = 1 << _BLOCK_BITS  # rows
_IN_BLOCK: Final = _BLOCK - 1
_HELD: Final = 3  # the low bits of an index entry: how many envelopes the row holds; above them, the row
_ROW: Final = 2
_PAGE_BITS: Final = 7
PAGE: Final = 1 << _PAGE_BITS
"""Neighbouring ids that share a page of the index."""
_PLACE: Final = PAGE - 1
_DESTROYED: Final = bytes(ENVELOPE)


class Magazine:
    """Single-use envelopes by endpoint id, in memory only: `depth` (1 to 3) for each of at most `capacity` endpoints.

    Belongs to one thread, the event loop's. It cannot be pickled or copied and is in no core dump; a new process
    begins with a new one, and a forked child that touched its parent's would fault.
    """

    def __init__(self, depth: int = DEPTH, capacity: int = CAPACITY) -> None:
        if not 1 <= depth <= _HELD:
            raise ValueError("depth is 1 to 3")
        self.depth = depth
        self.capacity = capacity
        self._width = depth * ENVELOPE
        self._blocks: list[mmap.mmap] = []
        self._checks = array("I", [0])  # of each row's address; row 0 is nobody's
        self._pages: dict[int, array[int]] = {}
        self._free: list[int] = []
        self._count = 0
        self._ready = 0

    def __len__(self) -> int:
        """Envelopes held."""
        return self._count

    @property
    def ready(self) -> int:
        """Endpoints with at least one envelope."""
        return self._ready

    @property
    def is_full(self) -> bool:
        """Whether no endpoint beyond those it knows can be given a row."""
        return not self._free and len(self._checks) > self.capacity

    def take(self, endpoint_id: int, address: str) -> bytes | None:
        """An envelope for this endpoint at this address, here destroyed. None where there is none.

        What was derived for another address is destroyed too: sealed with it, an alert would be lost silently.
        """
        heads = self._pages.get(endpoint_id >> _PAGE_BITS)
        if heads is None or not (held := (entry := heads[endpoint_id & _PLACE]) & _HELD):
            return None
        row = entry >> _ROW
        if self._checks[row] != crc32(address.encode()):
            self.drop(endpoint_id)
            return None
        block = self._blocks[row >> _BLOCK_BITS]
        end = (row & _IN_BLOCK) * self._width + held * ENVELOPE
        envelope = block[end - ENVELOPE : end]
        block[end - ENVELOPE : end] = _DESTROYED
        heads[endpoint_id & _PLACE] = entry - 1
        self._count -= 1
        if held == 1:
            self._ready -= 1
        return envelope

    def put(self, endpoint_id: int, address: str, envelope: bytes) -> bool:
        """Keep an envelope just derived. False, and it is not kept, where the endpoint's or all places are taken."""
        if len(envelope) != ENVELOPE:
            raise ValueError("not an envelope")
        if not self.wants(endpoint_id, address):
            return False
        heads, place = self._page_of(endpoint_id), endpoint_id & _PLACE
        if not heads[place]:
            heads[place] = self._new_row() << _ROW
        row, held = heads[place] >> _ROW, heads[place] & _HELD
        start = (row & _IN_BLOCK) * self._width + held * ENVELOPE
        self._blocks[row >> _BLOCK_BITS][start : start + ENVELOPE] = envelope
        self._checks[row] = crc32(address.encode())
        heads[place] += 1
        self._count += 1
        self._ready += held == 0
        return True

    def wants(self, endpoint_id: int, address: str | None = None) -> int:
        """How many more it holds for this endpoint. Given the address, what was derived for another is destroyed."""
        entry = self._entry(endpoint_id)
        if entry & _HELD and address is not None and self._checks[entry >> _ROW] != crc32(address.encode()):
            self.drop(endpoint_id)
            return self.depth
        if not entry and self.is_full:
            return 0
        return self.depth - (entry & _HELD)

    def drop(self, endpoint_id: int) -> None:
        """Destroy what is held for this endpoint and give its row to others."""
        entry = self._entry(endpoint_id)
        if not entry:
            return
        row, held = entry >> _ROW, entry & _HELD
        start = (row & _IN_BLOCK) * self._width
        self._blocks[row >> _BLOCK_BITS][start : start + self._width] = bytes(self._width)
        self._pages[endpoint_id >> _PAGE_BITS][endpoint_id & _PLACE] = 0
        self._free.append(row)
        self._count -= held
        self._ready -= held > 0

    def pages(self) -> Sequence[int]:
        """The pages of the index, for `retain`: page p has the ids from p * PAGE on."""
        return tuple(self._pages)

    def retain(self, page: int, wanted: int) -> None:
        """Drop the endpoints of a page whose bit in `wanted` is 0 (the lowest bit is the lowest id)."""
        heads = self._pages[page]
        for place in range(PAGE):
            if heads[place] and not wanted >> place & 1:
                self.drop((page << _PAGE_BITS) + place)
        if not any(heads):
            del self._pages[page]

    def clear(self) -> None:
        """Destroy everything and give the memory back."""
        self._pages.clear()
        self._free.clear()
        del self._checks[1:]
        for block in self._blocks:
            block.close()
        self._blocks.clear()
        self._count = self._ready = 0

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("envelopes are neither copied nor written down")

    def _entry(self, endpoint_id: int) -> int:
        heads = self._pages.get(endpoint_id >> _PAGE_BITS)
        return 0 if heads is None else heads[endpoint_id & _PLACE]

    def _page_of(self, endpoint_id: int) -> "array[int]":
        heads = self._pages.get(endpoint_id >> _PAGE_BITS)
        if heads is None:
            heads = self._pages[endpoint_id >> _PAGE_BITS] = array("I", bytes(4 * PAGE))
        return heads

    def _new_row(self) -> int:
        if self._free:
            return self._free.pop()
        row = len(self._checks)
        self._checks.append(0)
        if row >> _BLOCK_BITS == len(self._blocks):
            self._blocks.append(_block(_BLOCK * self._width))
        return row


def _block(size: int) -> mmap.mmap:
    block = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    block.madvise(mmap.MADV_DONTDUMP)
    block.madvise(mmap.MADV_DONTFORK)
    return block
