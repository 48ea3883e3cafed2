"""Requests as frames: streams opened, flow control of what we send (RFC 9113, sections 5.1 and 5.2)."""

from collections import deque
from typing import Final

from adapters.webpush.http2.frames import (
    DATA,
    DEFAULT_WINDOW,
    END_HEADERS,
    END_STREAM,
    FRAME_SIZE,
    HEAD,
    HEADERS,
    MAX_ID,
    MAX_WINDOW,
    Code,
    ConnectionFault,
    StreamFault,
    frame,
    header_block,
)
from adapters.webpush.http2.headers import RequestHeaders, path_head
from adapters.webpush.http2.request import Profile, Request

_PATH_HEADS: Final = tuple(path_head(length) for length in range(256))


class Unsent:
    """What is left of a body. `window` is the stream's, and may be negative (section 6.9.2)."""

    __slots__ = ("body", "window")

    def __init__(self, body: bytes, window: int) -> None:
        self.body = body
        self.window = window


class Sending:
    """Opens streams and writes frames to `out`.

    `streams` are those that wait for an answer; `unsent` those whose body the windows did not let out yet, which
    alone need a window of their own: a stream is opened with its whole body wherever that fits.
    """

    def __init__(self, authority: bytes, out: list[bytes], last_id: int = MAX_ID) -> None:
        self.out = out
        self.streams: dict[int, Request] = {}
        self.unsent: dict[int, Unsent] = {}
        self.next_id = 1
        self.last_id = last_id
        self.window = DEFAULT_WINDOW
        self._initial = DEFAULT_WINDOW
        self._frame_size = FRAME_SIZE
        self._headers = RequestHeaders(authority)
        self._profile: Profile | None = None
        self._length = -1
        self._before = b""
        self._after = b""

    def start(self, queue: deque[Request], most: int) -> int:
        """Take up to so many requests from the left of `queue`, each onto a stream of its own; how many.

        Fewer where the connection's window is used up: what is not written can still go elsewhere.
        """
        out, streams, pack, heads = self.out, self.streams, HEAD.pack, _PATH_HEADS
        whole = min(self._initial, self._frame_size)
        stream, window, started = self.next_id, self.window, 0
        while started < most and queue:
            request = queue[0]
            body, path = request.body, request.path
            length = len(body)
            if length > window or length > whole or len(path) > 255:  # noqa: PLR2004 - the heads kept ready
                self.next_id, self.window = stream, window
                if not self._start_in_parts(request):
                    break
                stream, window = self.next_id, self.window
            else:
                if request.profile is not self._profile or length != self._length:
                    self._choose(request.profile, length)
                before, after, head = self._before, self._after, heads[len(path)]
                size = len(before) + len(head) + len(path) + len(after)
                if size > self._frame_size:
                    out += header_block(stream, b"".join((before, head, path, after)), self._frame_size)
                    out += (pack(length << 8, END_STREAM, stream), body)
                else:
                    out += (
                        pack(size << 8 | HEADERS, END_HEADERS, stream),
                        before,
                        head,
                        path,
                        after,
                        pack(length << 8, END_STREAM, stream),
                        body,
                    )
                window -= length
                streams[stream] = request
                stream += 2
            queue.popleft()
            request.starts += 1
            started += 1
        self.next_id, self.window = stream, window
        return started

    def forget(self, stream: int) -> None:
        """Nothing more of it is to be sent."""
        self.unsent.pop(stream, None)

    def resume(self) -> None:
        """Send what the windows let out now, in the order the streams were opened."""
        for stream, unsent in list(self.unsent.items()):
            if self.window <= 0:
                return
            self._send_more(stream, unsent)

    # --- what the peer allows --------------------------------------------------------------------------------------

    def widen(self, increment: int) -> None:
        """WINDOW_UPDATE of the connection. ConnectionFault."""
        if self.window + increment > MAX_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "the connection's window is too large")
        self.window += increment
        self.resume()

    def widen_stream(self, stream: int, increment: int) -> None:
        """WINDOW_UPDATE of a stream. StreamFault."""
        unsent = self.unsent.get(stream)
        if unsent is None:
            return  # all of it was sent
        if unsent.window + increment > MAX_WINDOW:
            raise StreamFault(Code.FLOW_CONTROL_ERROR, "the stream's window is too large")
        unsent.window += increment
        self._send_more(stream, unsent)

    def set_initial_window(self, size: int) -> None:
        """SETTINGS_INITIAL_WINDOW_SIZE moves the windows of open streams too, below zero if need be; then `resume`."""
        change, self._initial = size - self._initial, size
        for unsent in self.unsent.values():
            if unsent.window + change > MAX_WINDOW:
                raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "a stream's window is too large")
            unsent.window += change

    def set_frame_size(self, size: int) -> None:
        self._frame_size = size

    def set_table_size(self, size: int) -> None:
        self._headers.limit(size)
        self._profile = None

    # ---------------------------------------------------------------------------------------------------------------

    def _choose(self, profile: Profile, length: int) -> None:
        """Make these the header octets of the requests that follow."""
        self._before, self._after, lasting = self._headers.parts(profile, length)
        self._profile = profile if lasting else None
        self._length = length

    def _start_in_parts(self, request: Request) -> bool:
        """False where the connection's window is used up, or others wait for it already."""
        if request.body and (self.window <= 0 or (self.window < len(request.body) and self.unsent)):
            return False
        stream, self.next_id = self.next_id, self.next_id + 2
        before, after, _ = self._headers.parts(request.profile, len(request.body))
        self._profile = None
        block = b"".join((before, path_head(len(request.path)), request.path, after))
        self.out += header_block(stream, block, self._frame_size)
        self.streams[stream] = request
        self.unsent[stream] = unsent = Unsent(request.body, self._initial)
        self._send_more(stream, unsent)
        return True

    def _send_more(self, stream: int, unsent: Unsent) -> None:
        while stream in self.unsent:
            size = min(self.window, unsent.window, self._frame_size, len(unsent.body))
            if size <= 0 < len(unsent.body):
                return
            part, unsent.body = unsent.body[:size], unsent.body[size:]
            self.window -= size
            unsent.window -= size
            if not unsent.body:
                del self.unsent[stream]
            self.out.append(frame(DATA, 0 if unsent.body else END_STREAM, stream, part))
