"""The streams of a connection and how they end (RFC 9113, sections 5.1, 5.4.2 and 8.1)."""

from adapters.webpush.http2 import frames
from adapters.webpush.http2.answers import Answers
from adapters.webpush.http2.frames import MAX_ID, Code, ConnectionFault, StreamFault
from adapters.webpush.http2.receiving import Bodies, Continued
from adapters.webpush.http2.request import BROKEN, TIMEOUT, Answered, Outcome, Request
from adapters.webpush.http2.sending import Sending


class Streams:
    """A stream is in `sending.streams` until its answer's head came, and in `bodies.open` while it goes on.

    `outcomes` is where what ended is put; `again` takes the requests that the peer swears it never processed;
    `strains` counts its signs of having too much to do: 429, 5xx and refused streams.
    """

    def __init__(self, sending: Sending, bodies: Bodies, answers: Answers) -> None:
        self.sending = sending
        self.outcomes: list[Outcome] = []
        self.again: list[Request] = []
        self.strains = 0
        self._waiting = sending.streams
        self._bodies = bodies
        self._answers = answers

    def must_be_known(self, stream: int) -> None:
        """A stream that we never opened cannot have frames (RFC 9113, section 5.1). ConnectionFault."""
        if stream >= self.sending.next_id or stream % 2 == 0:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a frame of a stream that is idle")

    # --- what the peer says ----------------------------------------------------------------------------------------

    def on_head(self, head: Continued) -> None:
        """A whole header block: an answer's head, an interim response, or trailers."""
        stream, block, ends = head.stream, bytes(head.octets), bool(head.flags & frames.END_STREAM)
        request = self._waiting.get(stream)
        if request is None:
            self._on_trailers(stream, block, ends=ends)
            return
        reply = self._answers.read(block)
        if reply.status < 200:  # noqa: PLR2004 - RFC 9110, section 15.2: the answer is still to come
            if ends:
                raise StreamFault(Code.PROTOCOL_ERROR, "an interim response ends the stream")
            return
        del self._waiting[stream]
        if reply.status == 429 or reply.status >= 500:  # noqa: PLR2004
            self.strains += 1
        self.outcomes.append((request, reply))
        if not ends:
            self._bodies.open[stream] = [0, request.deadline]
        if stream in self.sending.unsent:
            self.reset(stream, Code.CANCEL)  # it answered without waiting for the rest

    def on_data(self, flags: int, stream: int, payload: bytes) -> None:
        self.must_be_known(stream)
        give_back = self._bodies.count(len(payload))
        if give_back:
            self.sending.out.append(frames.window_update(0, give_back))
        frames.unpadded(flags, payload)
        if stream in self._waiting:
            raise StreamFault(Code.PROTOCOL_ERROR, "a body before its head")
        if flags & frames.END_STREAM:
            self._bodies.open.pop(stream, None)
        elif self._bodies.too_much(stream, len(payload)):
            self.reset(stream, Code.CANCEL)  # nobody reads it

    def on_rst_stream(self, stream: int, code: int) -> None:
        self.must_be_known(stream)
        self.sending.forget(stream)
        self._bodies.open.pop(stream, None)
        request = self._waiting.pop(stream, None)
        if request is None:
            return
        if code == Code.REFUSED_STREAM:
            self.strains += 1
            self.again.append(request)
        else:
            self.outcomes.append((request, BROKEN))

    def on_window_update(self, stream: int, increment: int) -> None:
        self.must_be_known(stream)
        if not increment:
            raise StreamFault(Code.PROTOCOL_ERROR, "an increment of nothing")
        self.sending.widen_stream(stream, increment)

    def on_goaway(self, last: int) -> None:
        """The peer did not and will not process streams above `last` (RFC 9113, section 6.8)."""
        for stream in [opened for opened in self._waiting if opened > last]:
            self.again.append(self._waiting.pop(stream))
            self.sending.forget(stream)

    # --- what we do ------------------------------------------------------------------------------------------------

    def give_up(self, stream: int, code: Code) -> None:
        """After the peer's fault on this stream."""
        if stream == 0 or stream > MAX_ID:
            return
        self.reset(stream, code)
        request = self._waiting.pop(stream, None)
        if request is not None:
            self.outcomes.append((request, BROKEN))

    def withdraw(self, answered: Answered) -> None:
        """Reset the streams of the requests that were to be answered so: they have no outcome."""
        for stream in [stream for stream, request in self._waiting.items() if request.answered == answered]:
            self.reset(stream, Code.CANCEL)
            del self._waiting[stream]

    def expire(self, now: float) -> list[Outcome]:
        """Reset the streams whose time is over; TIMEOUT for those without an answer."""
        late = [stream for stream, request in self._waiting.items() if request.deadline <= now]
        for stream in (*late, *self._bodies.late(now)):
            self.reset(stream, Code.CANCEL)
        return [(self._waiting.pop(stream), TIMEOUT) for stream in late]

    def lose(self) -> list[Outcome]:
        """What is on the streams of a lost connection may have arrived or not."""
        lost: list[Outcome] = [(request, BROKEN) for request in self._waiting.values()]
        self._waiting.clear()
        self.sending.unsent.clear()
        self._bodies.open.clear()
        return lost

    def reset(self, stream: int, code: Code) -> None:
        self._bodies.open.pop(stream, None)
        self.sending.forget(stream)
        self.sending.out.append(frames.rst_stream(stream, code))

    def _on_trailers(self, stream: int, block: bytes, *, ends: bool) -> None:
        self._answers.fields(block)
        if stream in self._bodies.open and not ends:
            raise StreamFault(Code.PROTOCOL_ERROR, "trailers do not end the stream")
        self._bodies.open.pop(stream, None)
