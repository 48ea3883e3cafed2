"""One client's connection in HTTP/2 (RFC 9113), without any I/O: octets and requests in, octets and outcomes out."""

from collections import deque
from typing import Final

from adapters.webpush.http2 import frames
from adapters.webpush.http2.answers import MAX_LIST, Answers
from adapters.webpush.http2.frames import FRAME_SIZE, HEAD, HEAD_SIZE, MAX_ID, Code, ConnectionFault, Setting
from adapters.webpush.http2.intake import Intake
from adapters.webpush.http2.receiving import Bodies
from adapters.webpush.http2.request import Answered, Outcome, Request
from adapters.webpush.http2.sending import Sending
from adapters.webpush.http2.streams import Streams

CONNECTION_WINDOW: Final = 1_048_576
"""What the peer may send before we give some back, all streams together."""
_COMPLETE: Final = frames.END_HEADERS | frames.END_STREAM
_RESET: Final = 4 << 8 | frames.RST_STREAM  # its length and kind
_OURS: Final = frames.settings(
    {
        Setting.HEADER_TABLE_SIZE: 0,
        Setting.ENABLE_PUSH: 0,
        Setting.INITIAL_WINDOW_SIZE: frames.DEFAULT_WINDOW,
        Setting.MAX_HEADER_LIST_SIZE: MAX_LIST,
    }
)


class Connection:
    """`out` is what must be written next. `fault` says why the connection was given up, empty where it was not."""

    def __init__(self, authority: bytes, answers: Answers, *, last_id: int = MAX_ID) -> None:
        opening = frames.PREFACE + _OURS + frames.window_update(0, CONNECTION_WINDOW - frames.DEFAULT_WINDOW)
        self.out: list[bytes] = [opening]
        self.fault = ""
        self.closed = False
        self._seen = answers.seen
        self._sending = Sending(authority, self.out, last_id)
        self._bodies = Bodies(CONNECTION_WINDOW)
        self._streams = Streams(self._sending, self._bodies, answers)
        self._intake = Intake(self._streams)
        self._rest = b""

    # --- what it is good for ---------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """The peer's SETTINGS came."""
        return self._intake.spoke

    @property
    def draining(self) -> bool:
        """No more streams may be opened, for ever."""
        return self.closed or self._intake.goaway is not None or not self.left

    @property
    def unused(self) -> bool:
        """No request was ever started."""
        return self._sending.next_id == 1

    @property
    def waiting(self) -> int:
        """Requests without an answer."""
        return len(self._sending.streams)

    @property
    def idle(self) -> bool:
        """No stream is open, not even for the body of an answer."""
        return not self._sending.streams and not self._bodies.open

    @property
    def capacity(self) -> int:
        """Streams the peer takes at once."""
        return self._intake.max_streams

    @property
    def left(self) -> int:
        """Streams that can still be opened in this connection's life."""
        return max((self._sending.last_id - self._sending.next_id) // 2 + 1, 0)

    @property
    def room(self) -> int:
        """Streams that may be opened now."""
        if not self._intake.spoke or self.draining:
            return 0
        open_now = len(self._sending.streams) + len(self._bodies.open)
        return min(max(self._intake.max_streams - open_now, 0), self.left)

    @property
    def pinged(self) -> bool:
        """A sign of life was asked for and did not come yet."""
        return self._intake.pinged

    # --- what is done with it --------------------------------------------------------------------------------------

    def start(self, queue: deque[Request], most: int) -> int:
        """Put up to so many requests from the left of `queue` on streams; how many."""
        return self._sending.start(queue, min(most, self.room))

    def take(self) -> bytes:
        """What must be written now."""
        data = b"".join(self.out)
        self.out.clear()
        self._intake.questions = 0
        return data

    def receive(self, data: bytes) -> list[Outcome]:
        """Read what came. After a fault `closed` is set and nothing on it is waited for any more."""
        if self.closed:
            return []
        outcomes = self._streams.outcomes
        try:
            self._parse(self._rest + data if self._rest else data, outcomes)
        except ConnectionFault as fault:
            self.fault = str(fault)
            self.say_goodbye(fault.code)
            outcomes += self._streams.lose()
        self._streams.outcomes = []  # kept, the last answers would hold their whole page for as long as we are silent
        return outcomes

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._intake.pinged = True
        self.out.append(frames.frame(frames.PING, 0, 0, bytes(8)))

    def take_again(self) -> list[Request]:
        """The requests that the peer swears it never processed, to be started elsewhere."""
        again, self._streams.again = self._streams.again, []
        return again

    def take_strains(self) -> int:
        """Signs of too much to do since last asked: 429, 5xx, refused streams."""
        strains, self._streams.strains = self._streams.strains, 0
        return strains

    def take_lifetime(self) -> int | None:
        """After how many requests the server parted from us without an error, once; else None."""
        lifetime, self._intake.lifetime = self._intake.lifetime, None
        return lifetime

    def withdraw(self, answered: Answered) -> None:
        """Reset the streams of the requests that were to be answered so: they have no outcome."""
        self._streams.withdraw(answered)

    def expire(self, now: float) -> list[Outcome]:
        """Reset the streams whose time is over; TIMEOUT for those without an answer."""
        return self._streams.expire(now)

    def lose(self) -> list[Outcome]:
        """The connection is gone."""
        self.closed = True
        return self._streams.lose()

    def say_goodbye(self, code: Code = Code.NO_ERROR) -> None:
        """GOAWAY: nothing is started or read any more."""
        if not self.closed:
            self.out.append(frames.goaway(code))
            self.closed = True

    def _parse(self, data: bytes, outcomes: list[Outcome]) -> None:
        """The common answer, a complete HEADERS frame seen before, and the RST_STREAM with which servers that did not
        read the body follow it, are dealt with here; all else by the intake.
        """
        unpack, seen, streams, unsent = HEAD.unpack_from, self._seen, self._sending.streams, self._sending.unsent
        intake, bodies, next_id = self._intake, self._bodies.open, self._sending.next_id
        at, end = 0, len(data)
        while end - at >= HEAD_SIZE:
            length_and_kind, flags, stream = unpack(data, at)
            start = at + HEAD_SIZE
            stop = start + (length_and_kind >> 8)
            if stop > end:
                if stop - start > FRAME_SIZE:
                    raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a frame longer than we allow")
                break
            at = stop
            payload = data[start:stop]
            if not unsent and intake.continued is None:
                if flags == _COMPLETE and length_and_kind & 0xFF == frames.HEADERS:
                    reply = seen.get(payload)
                    if reply is not None:
                        request = streams.pop(stream, None)
                        if request is not None:
                            outcomes.append((request, reply))
                            continue
                elif (
                    length_and_kind == _RESET
                    and stream < next_id
                    and stream & 1
                    and stream not in streams
                    and stream not in bodies
                ):
                    continue
            intake.frame(length_and_kind & 0xFF, flags, stream & MAX_ID, payload)
        self._rest = data[at:]
