"""The misbehaviours that end streams or connections, or break the protocol; chained like those of `h2_scripts`."""

import asyncio
from random import Random

from h2.errors import ErrorCodes
from hyperframe.frame import PushPromiseFrame

from tests.support.h2_link import Link, Request, Script
from tests.support.h2_scripts import TICK


class Striking(Script):
    """Gathers `after` whole requests, or what has come when no more does, on each of the first `links` connections."""

    def __init__(self, random: Random, after: int, links: int) -> None:
        self._random = random
        self._after = after
        self._links = links
        self._struck: set[Link] = set()
        self._timers: dict[Link, asyncio.TimerHandle] = {}

    def strike(self, link: Link) -> None:
        """Do it."""

    def afterwards(self, link: Link, request: Request) -> None:
        """A request came whole after the strike."""

    def came(self, link: Link, request: Request) -> bool:
        if link.number >= self._links:
            return False
        if link in self._struck:
            self.afterwards(link, request)
        elif len(link.held()) >= self._after:
            self._strike(link)
        else:
            if link in self._timers:
                self._timers[link].cancel()
            self._timers[link] = asyncio.get_running_loop().call_later(20 * TICK, self._strike, link)
        return True

    def _strike(self, link: Link) -> None:
        if link in self._timers:
            self._timers[link].cancel()
        if link not in self._struck and not link.gone:
            self._struck.add(link)
            self.strike(link)


class GoingAway(Striking):
    """GOAWAY in the middle of the requests it holds.

    `first` is announced before it (2^31-1 makes it graceful). `then` is what the connection does when the rest of
    its streams is answered: `linger` (close our side, read on), `hang_up`, `abort` or `stay`.
    """

    def __init__(
        self,
        random: Random,
        after: int,
        *,
        links: int = 1,
        code: ErrorCodes = ErrorCodes.NO_ERROR,
        first: int | None = None,
        then: str = "linger",
    ) -> None:
        super().__init__(random, after, links)
        self._code = code
        self._first = first
        self._then = then

    def strike(self, link: Link) -> None:
        held = sorted(link.held(), key=lambda request: request.stream)
        if self._first is not None:
            link.go_away(self._first)
        link.go_away(self._random.choice(held).stream, self._code)
        for request in held:
            link.answer(request)
        self._finish(link)

    def afterwards(self, link: Link, request: Request) -> None:
        link.answer(request)
        self._finish(link)

    def _finish(self, link: Link) -> None:
        if any(request.stream <= link.last and not request.whole for request in link.requests.values()):
            return
        if self._then == "linger":
            link.half_close(notify=True)
        elif self._then != "stay":
            getattr(link, self._then)()


class Leaving(Script):
    """Every connection: GOAWAY before anything is processed, as soon as a request begins."""

    def began(self, link: Link, request: Request) -> bool:
        link.go_away(0)
        link.half_close(notify=True)
        return True


class Resetting(Script):
    """Resets a share of the streams: at their headers, when they are whole, or right after a complete answer."""

    def __init__(self, random: Random, code: ErrorCodes, share: float, moment: str) -> None:
        self._random = random
        self._code = code
        self._share = share
        self._moment = moment

    def began(self, link: Link, request: Request) -> bool:
        if self._moment == "began" and self._random.random() < self._share:
            link.reset(request, self._code)
        return False

    def came(self, link: Link, request: Request) -> bool:
        if self._moment == "began" or self._random.random() >= self._share:
            return False
        if self._moment == "answered":
            link.answer(request, body=b"done")
        link.reset(request, self._code)
        return True


class AnswerEarly(Script):
    """Answers at the headers and resets with NO_ERROR, not wanting the body (RFC 9113, section 8.1)."""

    def __init__(self, random: Random, share: float, status: int) -> None:
        self._random = random
        self._share = share
        self._status = status

    def began(self, link: Link, request: Request) -> bool:
        if self._random.random() < self._share:
            link.answer(request, self._status)
            link.reset(request, ErrorCodes.NO_ERROR)
        return False


class Dropping(Striking):
    """Half of the requests it holds are answered; then the connection ends.

    `how`: `abort`, `hang_up`, `half_notify` or `half_blunt`.
    """

    def __init__(self, random: Random, after: int, how: str, links: int = 1) -> None:
        super().__init__(random, after, links)
        self._how = how

    def strike(self, link: Link) -> None:
        for request in link.held():
            if self._random.random() < 0.5:
                link.answer(request)
        if self._how.startswith("half"):
            link.half_close(notify=self._how == "half_notify")
        else:
            getattr(link, self._how)()


class Pushing(Script):
    """PUSH_PROMISE although it is switched off, once, on the first `links` connections, after so many requests."""

    def __init__(self, after: int, links: int = 1) -> None:
        self._after = after
        self._links = links

    def came(self, link: Link, request: Request) -> bool:
        if link.number < self._links and len(link.requests) == self._after:
            promise = PushPromiseFrame(
                request.stream, promised_stream_id=2, data=b"\x82\x84\x87", flags=["END_HEADERS"]
            )
            link.frame(promise.serialize())
        return False


class Poisoned(Script):
    """Writes these octets, once, in the place of an answer, on the first `links` connections after so many requests."""

    def __init__(self, octets: bytes, after: int, links: int = 1) -> None:
        self._octets = octets
        self._after = after
        self._links = links

    def came(self, link: Link, request: Request) -> bool:
        if link.number >= self._links or len(link.requests) != self._after:
            return False
        link.send(self._octets)
        return True


class Stopping(Script):
    """After so many octets of requests it reads no more."""

    grain = 1_024

    def __init__(self, after: int) -> None:
        self._left = after

    def read(self, link: Link) -> bool:
        self._left -= self.grain
        if self._left < 0:
            link.pause()
        return False


class Mute(Script):
    """Never answers."""

    def __init__(self) -> None:
        self.heard: list[Request] = []

    def came(self, link: Link, request: Request) -> bool:
        self.heard.append(request)
        return True


class NeverSecure(Script):
    """Accepts TCP, and never says a word of TLS."""

    def accepted(self, link: Link) -> bool:
        link.deafen()
        return True
