"""The misbehaviours, one class each. They are chained: the first that deals with a matter is the last that is asked."""

import asyncio
from collections.abc import Mapping, Sequence
from random import Random

from h2.settings import SettingCodes

from tests.support.h2_ledger import DATA, END_HEADERS, HEADERS, PADDED, UNLIMITED, Frame
from tests.support.h2_link import Link, Request, Script

TICK = 0.001


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame's octets (RFC 9113, section 4.1)."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


class Initially(Script):
    """Says these SETTINGS at the start."""

    def __init__(self, **settings: int) -> None:
        self._settings = {int(SettingCodes[name.upper()]): value for name, value in settings.items()}

    def settings(self) -> Mapping[int, int]:
        return self._settings


class Changing(Script):
    """After every `every` requests of a connection the next of `steps`; each names the same keys."""

    def __init__(self, every: int, *steps: Mapping[SettingCodes, int]) -> None:
        self._every = every
        self._steps = [{int(key): value for key, value in step.items()} for step in steps]

    def began(self, link: Link, request: Request) -> bool:
        at, odd = divmod(len(link.requests), self._every)
        if not odd and at <= len(self._steps):
            link.change(self._steps[at - 1])
        return False


class Opening(Script):
    """No stream may be opened until a moment after the start; then as many as `limit`."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def settings(self) -> Mapping[int, int]:
        return {int(SettingCodes.MAX_CONCURRENT_STREAMS): 0}

    def opened(self, link: Link) -> bool:
        def raise_it() -> None:
            if not link.gone:
                link.change({int(SettingCodes.MAX_CONCURRENT_STREAMS): self._limit})

        asyncio.get_running_loop().call_later(20 * TICK, raise_it)
        return False


class Dribble(Script):
    """Gives the windows back in pieces, a moment later; of the connection's it first keeps all but `connection`."""

    def __init__(self, random: Random, stream: int, connection: int = 65_535) -> None:
        self._random = random
        self._stream = stream
        self._keep = 65_535 - connection
        self._kept: dict[Link, int] = {}
        self._owed: dict[Request, int] = {}
        self._owed_links: dict[Link, int] = {}

    def settings(self) -> Mapping[int, int]:
        return {int(SettingCodes.INITIAL_WINDOW_SIZE): self._stream}

    def flowed(self, link: Link, request: Request, size: int) -> bool:
        self._owed[request] = self._owed.get(request, 0) + size
        keeping = min(size, self._keep - self._kept.get(link, 0))
        self._kept[link] = self._kept.get(link, 0) + keeping
        if link not in self._owed_links:
            asyncio.get_running_loop().call_later(TICK, self._pay, link)
        self._owed_links[link] = self._owed_links.get(link, 0) + size - keeping
        return True

    def _pay(self, link: Link) -> None:
        connection = self._owed_links.pop(link, 0)
        mine = [request for request in self._owed if request.link is link]
        debts: list[tuple[Request | None, int]] = [(request, self._owed.pop(request)) for request in mine]
        debts += [(None, piece) for piece in self._pieces(connection)]
        self._random.shuffle(debts)
        for whom, size in debts:
            for piece in self._pieces(size):
                link.widen(piece, whom)

    def _pieces(self, size: int) -> list[int]:
        if size < 2 or self._random.random() < 0.5:
            return [size] if size else []
        first = self._random.randint(1, size - 1)
        return [first, size - first]


class Generous(Script):
    """The widest windows there are, so that only TCP holds the client back."""

    def settings(self) -> Mapping[int, int]:
        return {int(SettingCodes.INITIAL_WINDOW_SIZE): UNLIMITED}

    def opened(self, link: Link) -> bool:
        link.widen(UNLIMITED - 65_535)
        return False

    def flowed(self, link: Link, request: Request, size: int) -> bool:
        return True


class Reopening(Script):
    """Where streams were forbidden, allows `limit` of them a moment later; else nobody would ever be answered."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def flowed(self, link: Link, request: Request, size: int) -> bool:
        asyncio.get_running_loop().call_later(5 * TICK, self._reopen, link)
        return False

    def _reopen(self, link: Link) -> None:
        if not link.gone and link.ledger.settled and link.ledger.stream_limit == 0:
            link.change({int(SettingCodes.MAX_CONCURRENT_STREAMS): self._limit})


class Gather(Script):
    """Holds requests until there are `size`, or none has come for a moment; then answers them in any order."""

    def __init__(
        self, random: Random, size: int, answers: Sequence[tuple[int, tuple[tuple[str, str], ...]]] = ()
    ) -> None:
        self._random = random
        self._size = size
        self._answers = answers or ((201, ()),)
        self._timers: dict[Link, asyncio.TimerHandle] = {}

    def came(self, link: Link, request: Request) -> bool:
        if link in self._timers:
            self._timers.pop(link).cancel()
        if len(link.held()) >= self._size:
            self._answer(link)
        else:
            self._timers[link] = asyncio.get_running_loop().call_later(5 * TICK, self._answer, link)
        return True

    def _answer(self, link: Link) -> None:
        held = link.held()
        self._random.shuffle(held)
        for request in held:
            status, headers = self._random.choice(self._answers)
            link.answer(request, status, headers)


class Crumbs(Script):
    """Header blocks in pieces of `size` octets: a HEADERS frame and CONTINUATIONs."""

    def __init__(self, size: int) -> None:
        self._size = size

    def outgoing(self, link: Link, frame_: Frame) -> bytes:
        if frame_.kind != HEADERS:
            return frame_.raw
        pieces = [frame_.payload[at : at + self._size] for at in range(0, len(frame_.payload), self._size)]
        made = [frame(HEADERS, frame_.flags & ~END_HEADERS, frame_.stream, pieces[0])]
        made += [frame(0x9, 0, frame_.stream, piece) for piece in pieces[1:]]
        last = bytearray(made[-1])
        last[4] |= END_HEADERS
        return b"".join(made[:-1]) + bytes(last)


class Padded(Script):
    """Pads HEADERS and DATA; to be used with small bodies, for the library does not know of it."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def outgoing(self, link: Link, frame_: Frame) -> bytes:
        if frame_.kind not in {HEADERS, DATA}:
            return frame_.raw
        padding = self._random.randint(0, 255)
        payload = bytes((padding,)) + frame_.payload + bytes(padding)
        return frame(frame_.kind, frame_.flags | PADDED, frame_.stream, payload)


class Prioritised(Script):
    """HEADERS with a priority in them, and PRIORITY frames about any stream (RFC 9113, section 5.3.2)."""

    def outgoing(self, link: Link, frame_: Frame) -> bytes:
        if frame_.kind != HEADERS:
            return frame_.raw
        about = frame(0x2, 0, frame_.stream + 2, b"\x00\x00\x00\x00\x10")
        return about + frame(HEADERS, frame_.flags | 0x20, frame_.stream, b"\x80\x00\x00\x00\xff" + frame_.payload)


class Hinting(Script):
    """One or more 1xx before each answer."""

    def came(self, link: Link, request: Request) -> bool:
        for status in (103, 100, 103):
            link.inform(request, status)
        return False


class Verbose(Script):
    """Answers with a body of `size` octets, and trailers where wanted."""

    def __init__(self, size: int, trailers: Sequence[tuple[str, str]] = (), status: int = 201) -> None:
        self._size = size
        self._trailers = trailers
        self._status = status

    def came(self, link: Link, request: Request) -> bool:
        link.answer(request, self._status, (("x-long", "y" * 300),), b"b" * self._size, self._trailers)
        return True


class Pinging(Script):
    """Sends `count` PINGs with every request."""

    def __init__(self, count: int) -> None:
        self._count = count

    def began(self, link: Link, request: Request) -> bool:
        for number in range(self._count):
            link.h2.ping(number.to_bytes(8, "big"))
        return False


class Noisy(Script):
    """Frames and settings nobody has heard of, on the connection and on streams, with flags set (RFC 9113, 4.1, 5.5)."""

    def settings(self) -> Mapping[int, int]:
        return {0xF0F0: 1, 0x7: 0}

    def outgoing(self, link: Link, frame_: Frame) -> bytes:
        strange = frame(0xEE, 0xFF, frame_.stream, b"?" * 50) + frame(0xA, 0, 0, b'\x00\x00h2=":1"')
        return strange + frame_.raw if frame_.kind in {DATA, HEADERS} else frame_.raw + frame(0xEF, 1, 0, b"")


class SlowReader(Script):
    """Reads a KiB, then rests."""

    grain = 1_024

    def __init__(self, rest: float = TICK) -> None:
        self._rest = rest

    def read(self, link: Link) -> bool:
        link.pause()
        asyncio.get_running_loop().call_later(self._rest, link.resume)
        return False
