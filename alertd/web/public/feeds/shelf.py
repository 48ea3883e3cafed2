"""The feeds as they are sent, plain and compressed, put together again only when their list has changed.

A feed of ten thousand alerts takes half a second of one core to put together, mostly to compress it. So it is done in a
thread, by one request while the others wait for it, and not more than a fifth of the time: until then a reader gets the
copy there is. The feed of a town with a few alerts costs next to nothing and is never an older copy.
"""

import asyncio
import hashlib
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from typing import Final

from alertd.domain.alert import Purpose
from alertd.domain.problems import Unavailable
from alertd.web.public.feeds.formats import Format, Head, based
from alertd.web.public.feeds.roll import Member, Roll, breathing
from alertd.web.public.language import accepted
from alertd.web.public.representation import LEVEL, Representation
from alertd.web.public.words import table
from alertd.web.services import Services

MOST_COPIES: Final = 24
SHARE: Final = 4.0
CHEAP: Final = 0.05
"""Seconds of a core: what costs less is made whenever it is asked for."""
LONGEST_REST: Final = 5.0
"""Seconds: after that a reader never gets an older copy than there could be."""
PIECE: Final = 100
"""Entries handled before other threads may go on: a few hundred microseconds."""
_GZIP: Final = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Which:
    """One address: `purpose` None for all, `base` the address of this site as the reader knows it."""

    kind: Format
    path: str
    real: bool
    purpose: Purpose | None
    base: str


@dataclass(frozen=True, slots=True)
class _Copy:
    number: int
    shown: Representation


class Shelf:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._rolls = {real: Roll(services, real=real) for real in (True, False)}
        self._copies: OrderedDict[Which, _Copy] = OrderedDict()
        self._lock = asyncio.Lock()
        self._rests_until = 0.0

    async def get(self, which: Which) -> Representation:
        """The feed as it is now. An older copy where the store cannot be read; without one raises Unavailable."""
        copy = self._copies.get(which)
        if copy is not None and (self._holds(which, copy) or self._rests):
            return copy.shown
        async with self._lock:
            copy = self._copies.get(which)
            if copy is not None and self._holds(which, copy):
                return copy.shown
            try:
                return await self._remake(which, copy)
            except Unavailable:
                if copy is None:
                    raise
                return copy.shown

    def _holds(self, which: Which, copy: _Copy) -> bool:
        roll = self._rolls[which.real]
        return copy.number == roll.number and not roll.stale

    @property
    def _rests(self) -> bool:
        return self._services.clock.monotonic() < self._rests_until

    async def _remake(self, which: Which, old: _Copy | None) -> Representation:
        roll, clock = self._rolls[which.real], self._services.clock
        if roll.stale:
            await roll.look()
        number, members = roll.number, roll.members
        if old is not None and old.number == number:
            return old.shown
        if which.purpose is not None:
            members = await asyncio.to_thread(_of, members, which.purpose)
        entries = await roll.entries(which.kind, members)
        newest = await asyncio.to_thread(_newest, members)
        ends = which.kind.first(self._head(which, newest)), which.kind.last
        shown, cost = await asyncio.to_thread(_bind, entries, ends, which, clock.now())
        if cost > CHEAP:
            self._rests_until = clock.monotonic() + min(LONGEST_REST, SHARE * cost)
        if old is not None and old.shown.digest == shown.digest:
            shown = replace(shown, modified=old.shown.modified)
        self._put(which, _Copy(number, shown))
        return shown

    def _head(self, which: Which, newest: int) -> Head:
        service = self._services.service()
        words = table(accepted(service.languages[0]))
        title = [service.name]
        if not which.real:
            title.append(words["feed_exercise"])
        if which.purpose is not None:
            title.append(words[f"purpose_{which.purpose}"])
        return Head(service, ": ".join(title), which.path, datetime.fromtimestamp(newest // 1_000_000, UTC))

    def _put(self, which: Which, copy: _Copy) -> None:
        self._copies[which] = copy
        self._copies.move_to_end(which)
        if len(self._copies) > MOST_COPIES:
            self._copies.popitem(last=False)


def _of(members: Sequence[Member], purpose: Purpose) -> tuple[Member, ...]:
    return tuple(member for member in breathing(members) if member.purpose == purpose)


def _newest(members: Sequence[Member]) -> int:
    """When the one released last was, in microseconds since 1970; 0 of none."""
    return max((member.released_at for member in breathing(members)), default=0)


def _pieces(entries: Sequence[bytes]) -> Iterator[bytes]:
    for start in range(0, len(entries), PIECE):
        yield b"".join(entries[start : start + PIECE])


def _bind(
    entries: Sequence[bytes], ends: tuple[bytes, bytes], which: Which, now: datetime
) -> tuple[Representation, float]:
    """With the seconds of a core it took. Run in a thread: what is large is hashed and compressed while others run."""
    began = time.thread_time()
    parts, packed = [], []
    digest, packer = hashlib.sha256(), zlib.compressobj(LEVEL, zlib.DEFLATED, _GZIP)
    first, last = ends
    for piece in chain((first,), _pieces(entries), (last,)):
        part = based(piece, which.base)
        digest.update(part)
        parts.append(part)
        packed.append(packer.compress(part))
    packed.append(packer.flush())
    shown = Representation(which.kind.media_type, b"".join(parts), b"".join(packed), digest.hexdigest()[:32], now)
    return shown, time.thread_time() - began
