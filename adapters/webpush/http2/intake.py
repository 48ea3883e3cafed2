"""Frames the server sends, one by one, checked (RFC 9113, sections 4 to 6)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from adapters.webpush.http2 import frames
from adapters.webpush.http2.frames import FRAME_SIZE, MAX_ID, MAX_WINDOW, SETTING, Code, ConnectionFault, Setting
from adapters.webpush.http2.receiving import Continued
from adapters.webpush.http2.streams import Streams

OUR_STREAMS: Final = 1_024
"""Streams we open on one connection at most, however many the peer allows."""
_MAX_QUESTIONS: Final = 10_000  # PING and SETTINGS a peer may send before an answer could be written
_MAX_SETTINGS: Final = 256
_MAX_FRAME_SIZE: Final = 2**24 - 1
_PRIORITY: Final = 5


class Intake:
    """`spoke`: the server's SETTINGS came. `goaway`: the last stream it will process, once it said so.

    `lifetime` is after how many requests it parted from us without an error. `continued` is a header block of which
    more is to come. `pinged`: our PING is unanswered. `questions`: its frames that we had to answer since the
    last write.
    """

    def __init__(self, streams: Streams) -> None:
        self.spoke = False
        self.max_streams = OUR_STREAMS
        self.goaway: int | None = None
        self.lifetime: int | None = None
        self.continued: Continued | None = None
        self.pinged = False
        self.questions = 0
        self._streams = streams
        self._sending = streams.sending

    def frame(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        """One whole frame. ConnectionFault; a fault of a stream ends that stream here."""
        if len(payload) > FRAME_SIZE:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame longer than we allow")
        if not self.spoke and (kind != frames.SETTINGS or flags & frames.ACK):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the server begins with SETTINGS")
        if self.continued is not None and (kind != frames.CONTINUATION or stream != self.continued.stream):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a header block was not finished")
        handle = self._handlers.get(kind)
        if handle is None:
            return  # unknown to us: RFC 9113, section 5.5
        try:
            handle(self, flags, stream, payload)
        except frames.StreamFault as fault:
            self._streams.give_up(stream, fault.code)

    # --- of a stream -----------------------------------------------------------------------------------------------

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        self._streams.on_data(flags, stream, payload)

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        self._streams.must_be_known(stream)
        block = frames.unpadded(flags, payload)
        if flags & frames.WITH_PRIORITY:
            if len(block) < _PRIORITY:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, "HEADERS too short")
            block = block[_PRIORITY:]
        self.continued = Continued(stream, flags, bytearray(block))
        self._end_of_headers(flags)

    def _on_continuation(self, flags: int, _stream: int, payload: bytes) -> None:
        if self.continued is None:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "CONTINUATION of nothing")
        self.continued.add(payload)
        self._end_of_headers(flags)

    def _end_of_headers(self, flags: int) -> None:
        if flags & frames.END_HEADERS and self.continued is not None:
            head, self.continued = self.continued, None
            self._streams.on_head(head)

    def _on_priority(self, _flags: int, stream: int, payload: bytes) -> None:
        """Deprecated; but it must be one."""
        if stream == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PRIORITY of no stream")
        if len(payload) != _PRIORITY:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a malformed PRIORITY")

    def _on_rst_stream(self, _flags: int, stream: int, payload: bytes) -> None:
        self._streams.on_rst_stream(stream, _word(payload))

    def _on_push_promise(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, "PUSH_PROMISE, which we forbid")

    # --- of the connection -----------------------------------------------------------------------------------------

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS of a stream")
        if len(payload) % SETTING.size or (flags & frames.ACK and payload):
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "malformed SETTINGS")
        if flags & frames.ACK:
            return
        if len(payload) > _MAX_SETTINGS * SETTING.size:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "too many SETTINGS at once")
        for name, value in SETTING.iter_unpack(payload):
            self._learn(name, value)
        self._answer(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self._sending.resume()  # after the acknowledgement, and with all of the frame's values
        self.spoke = True

    def _learn(self, name: int, value: int) -> None:
        if name == Setting.MAX_CONCURRENT_STREAMS:
            self.max_streams = min(value, OUR_STREAMS)
        elif name == Setting.INITIAL_WINDOW_SIZE:
            if value > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "INITIAL_WINDOW_SIZE is too large")
            self._sending.set_initial_window(value)
        elif name == Setting.MAX_FRAME_SIZE:
            if not FRAME_SIZE <= value <= _MAX_FRAME_SIZE:
                raise ConnectionFault(Code.PROTOCOL_ERROR, "MAX_FRAME_SIZE is out of range")
            self._sending.set_frame_size(value)
        elif name == Setting.HEADER_TABLE_SIZE:
            self._sending.set_table_size(value)
        elif name == Setting.ENABLE_PUSH and value:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a server cannot enable push")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if len(payload) != 8:  # noqa: PLR2004 - RFC 9113, section 6.7
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a malformed PING")
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "PING of a stream")
        if flags & frames.ACK:
            self.pinged = False
        else:
            self._answer(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        if stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY of a stream")
        if len(payload) < frames.PAIR.size:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a malformed GOAWAY")
        last, code = frames.PAIR.unpack_from(payload)
        last &= MAX_ID
        if code == Code.NO_ERROR and 0 < last < self._sending.next_id:
            self.lifetime = (last + 1) // 2
        self.goaway = last if self.goaway is None else min(last, self.goaway)
        self._streams.on_goaway(self.goaway)

    def _on_window_update(self, _flags: int, stream: int, payload: bytes) -> None:
        increment = _word(payload) & MAX_ID
        if stream:
            self._streams.on_window_update(stream, increment)
        elif increment:
            self._sending.widen(increment)
        else:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "an increment of nothing")

    def _answer(self, reply: bytes) -> None:
        self.questions += 1
        if self.questions > _MAX_QUESTIONS:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, "more questions than answers can be written")
        self._sending.out.append(reply)

    _handlers: ClassVar[Mapping[int, Callable[["Intake", int, int, bytes], None]]] = MappingProxyType(
        {
            frames.DATA: _on_data,
            frames.HEADERS: _on_headers,
            frames.PRIORITY: _on_priority,
            frames.RST_STREAM: _on_rst_stream,
            frames.SETTINGS: _on_settings,
            frames.PUSH_PROMISE: _on_push_promise,
            frames.PING: _on_ping,
            frames.GOAWAY: _on_goaway,
            frames.WINDOW_UPDATE: _on_window_update,
            frames.CONTINUATION: _on_continuation,
        }
    )
    """The class's: bound ones would close a circle, and keep each connection until somebody looks for circles."""


def _word(payload: bytes) -> int:
    if len(payload) != frames.WORD.size:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame that must have four octets")
    word: int = frames.WORD.unpack(payload)[0]
    return word
