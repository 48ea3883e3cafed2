"""One connection of the misbehaving server: the `h2` library, the ledger beside it, and what a script may do to it."""

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    RequestReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from tests.support.h2_ledger import UNLIMITED, Frame, Ledger, Splitter
from tests.support.h2_wire import TlsWire

_PREFACE = 24
UNPROCESSED = frozenset({"ignored", "refused"})
"""Fates the client was told of in a way that promises nothing was done with the request (RFC 9113, 8.7)."""


@dataclass(slots=True, eq=False)
class Request:
    """One that came. `whole` once its body has ended; `fate` is a status, `held`, or what was done instead."""

    link: "Link"
    stream: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytearray = field(default_factory=bytearray)
    whole: bool = False
    fate: str = "held"

    @property
    def path(self) -> bytes:
        return dict(self.headers)[b":path"]

    @property
    def processed(self) -> bool:
        return self.whole and self.fate not in UNPROCESSED


class Script:
    """One misbehaviour. Each hook returns True where it dealt with the matter, so that no script after it is asked."""

    grain = 65_536
    """The most octets read from a socket at once."""

    def settings(self) -> Mapping[int, int]:
        """What the first SETTINGS frame says."""
        return {}

    def read(self, link: "Link") -> bool:
        """A piece was read from the socket, of `grain` octets at most."""
        return False

    def accepted(self, link: "Link") -> bool:
        """TCP stands; True where the link shall not speak."""
        return False

    def opened(self, link: "Link") -> bool:
        """The client's preface came; our SETTINGS went out."""
        return False

    def began(self, link: "Link", request: Request) -> bool:
        """The headers of a request came."""
        return False

    def flowed(self, link: "Link", request: Request, size: int) -> bool:
        """That many flow-controlled octets came; who deals with it gives them back."""
        return False

    def came(self, link: "Link", request: Request) -> bool:
        """A request is whole; who deals with it answers it, now or later."""
        return False

    def outgoing(self, link: "Link", frame: Frame) -> bytes:
        """What is written in place of the frame."""
        return frame.raw


class House(Protocol):
    """What a connection knows of its server."""

    tls: ssl.SSLContext
    scripts: Sequence[Script]
    links: list["Link"]
    faults: list[str]
    random: Random

    def ask(self, hook: str, *about: object) -> bool: ...


class Link(TlsWire):
    """One connection."""

    def __init__(self, server: House, number: int) -> None:
        super().__init__(server.tls, min((script.grain for script in server.scripts), default=65_536))
        self.server = server
        self.number = number
        self.ledger = Ledger()
        self.requests: dict[int, Request] = {}
        self.last = UNLIMITED
        self._preface = b""
        self._keys: set[int] = set()
        self._changes: list[Mapping[int, int]] = []
        self._arriving, self._leaving = Splitter(), Splitter()
        self._bodies: dict[int, tuple[bytearray, Sequence[tuple[str, str]]]] = {}
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: UNLIMITED})

    # What the wire says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.server.links.append(self)
        self.server.ask("accepted", self)

    def buffer_updated(self, nbytes: int) -> None:
        super().buffer_updated(nbytes)
        self.server.ask("read", self)

    def secured(self, alpn: str | None) -> None:
        self.h2.initiate_connection()
        self.h2.data_to_send()  # the library's own first frame; ours says it all, so that each ACK has one SETTINGS
        first = {int(SettingCodes.ENABLE_PUSH): 0}
        for script in self.server.scripts:
            first.update(script.settings())
        self.h2.update_settings(first)
        self.flush()

    def received(self, plain: bytes) -> None:
        if len(self._preface) < _PREFACE:
            self._preface += plain
            plain = self._preface[_PREFACE:]
            if len(self._preface) < _PREFACE:
                return
            self._preface = self._preface[:_PREFACE]
            self.h2.receive_data(self._preface)
            self.server.ask("opened", self)
        for frame in self._arriving.feed(plain):
            self.ledger.got(frame)
            self._take(frame)
            if self.gone or self.transport.is_closing():
                return
        self.flush()

    def lost(self) -> None:
        self.server.faults += [f"link {self.number}: {fault}" for fault in self.ledger.faults]

    def _take(self, frame: Frame) -> None:
        try:
            events = self.h2.receive_data(frame.raw)
        except ProtocolError as error:
            self.ledger.faults.append(f"h2 refuses frame {frame[:3]}: {error!r}")
            self.flush()
            self.hang_up()
            return
        for event in events:
            self._heed(event)

    def _heed(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            request = Request(self, event.stream_id, tuple(event.headers))
            self.requests[event.stream_id] = request
            if request.stream <= self.last:
                self.server.ask("began", self, request)
        elif isinstance(event, DataReceived):
            request = self.requests[event.stream_id]
            request.body += event.data
            size = event.flow_controlled_length
            if size and not self.server.ask("flowed", self, request, size):
                self.give_back(request, size)
        elif isinstance(event, StreamEnded):
            self._ended(self.requests[event.stream_id])
        elif isinstance(event, StreamReset):
            self._bodies.pop(event.stream_id, None)
        elif isinstance(event, WindowUpdated):
            self._pump()
        elif isinstance(event, SettingsAcknowledged) and self._changes:
            waiting, self._changes = self._changes, []
            for settings in waiting:
                self.change(settings)

    def _ended(self, request: Request) -> None:
        request.whole = True
        if request.stream > self.last:
            request.fate = "ignored"
        elif request.fate == "held" and not self.server.ask("came", self, request):
            self.answer(request)

    # What a script may do

    def give_back(self, request: Request, size: int) -> None:
        """Widen both windows by what was taken."""
        self.widen(size)
        self.widen(size, request)

    def widen(self, size: int, request: Request | None = None) -> None:
        """Widen the connection's window, or the request's."""
        if self.gone or (request is not None and request.whole):
            return
        with contextlib.suppress(ProtocolError):  # the stream may be closed already
            self.h2.increment_flow_control_window(size, request and request.stream)
        self.flush()

    def answer(
        self,
        request: Request,
        status: int = 201,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        trailers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Answer once; later calls for the same request do nothing."""
        if request.fate != "held" or self.gone or self.transport.is_closing():
            return
        request.fate = str(status)
        try:
            fields = [(":status", str(status)), *headers]
            self.h2.send_headers(request.stream, fields, end_stream=not body and not trailers)
        except ProtocolError:
            request.fate = "client reset"
            return
        if body or trailers:
            self._bodies[request.stream] = (bytearray(body), trailers)
        self._pump()
        self.flush()

    def inform(self, request: Request, status: int) -> None:
        """An answer of the 1xx kind."""
        self.h2.send_headers(request.stream, [(":status", str(status)), ("link", "</x>; rel=preload")])

    def reset(self, request: Request, code: ErrorCodes) -> None:
        """RST_STREAM. REFUSED_STREAM promises that nothing was done."""
        if request.fate == "held":
            request.fate = "refused" if code is ErrorCodes.REFUSED_STREAM else f"reset {code.name}"
        with contextlib.suppress(ProtocolError):
            self.h2.reset_stream(request.stream, code)
        self.flush()

    def go_away(self, last: int, code: ErrorCodes = ErrorCodes.NO_ERROR) -> None:
        """GOAWAY; whatever came or comes on later streams is ignored for good."""
        self.last = min(self.last, last)
        for request in self.held():
            if request.stream > self.last:
                request.fate = "ignored"
        self.frame(GoAwayFrame(0, last_stream_id=last, error_code=int(code)).serialize())

    def change(self, settings: Mapping[int, int]) -> None:
        """New SETTINGS. The library counts acknowledgements by key: other keys than before wait for theirs."""
        if self._changes or not (self.ledger.settled or set(settings) == self._keys):
            self._changes.append(settings)
            return
        self._keys = set(settings)
        self.h2.update_settings(dict(settings))
        self.flush()

    def frame(self, octets: bytes) -> None:
        """Write a frame past the library."""
        self.flush()
        for frame in self._leaving.feed(octets):
            self._write(frame)

    def held(self) -> list[Request]:
        """Those that are whole and wait for an answer."""
        return [request for request in self.requests.values() if request.whole and request.fate == "held"]

    def flush(self) -> None:
        for frame in self._leaving.feed(self.h2.data_to_send()):
            self._write(frame)

    def _write(self, frame: Frame) -> None:
        self.ledger.sent(frame)
        octets = frame.raw
        for script in self.server.scripts:
            octets = script.outgoing(self, frame) if octets is frame.raw else octets
        self.send(octets)

    def _pump(self) -> None:
        for stream, (rest, trailers) in list(self._bodies.items()):
            with contextlib.suppress(ProtocolError):
                size = min(len(rest), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                while size > 0:
                    self.h2.send_data(stream, bytes(rest[:size]), end_stream=size == len(rest) and not trailers)
                    del rest[:size]
                    size = min(len(rest), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if rest:
                    continue
                if trailers:
                    self.h2.send_headers(stream, trailers, end_stream=True)
            del self._bodies[stream]
        self.flush()
