"""The state machine alone, its octets written out by hand; the reference implementation judges elsewhere."""

from collections import deque

import pytest

from adapters.exchange import Failure, Reply
from adapters.webpush.http2 import Answers, Connection, Profile, Request, frames
from adapters.webpush.http2.frames import Code, Setting, frame
from adapters.webpush.http2.request import BROKEN, TIMEOUT
from tests.support.h2_ledger import Splitter

PROFILE = Profile(((b"ttl", b"60"),))
CREATED = b"\x08\x03201"
END = frames.END_STREAM | frames.END_HEADERS


def never(ref: int, outcome: Reply | Failure) -> None:
    raise AssertionError("the state machine answers nobody")


def queue_of(count: int, size: int = 10) -> deque[Request]:
    return deque(Request(b"/%d" % ref, PROFILE, b"b" * size, ref, never, 100.0) for ref in range(count))


class Wire:
    """A connection to a server that said these settings."""

    def __init__(self, settings: dict[Setting, int] | None = None, **more: int) -> None:
        self.connection = Connection(b"push.example", Answers(), **more)
        assert self.connection.take().startswith(frames.PREFACE)
        self.hear(frames.settings(settings or {}))
        self.wrote()

    def hear(self, octets: bytes) -> list[tuple[int, Reply | Failure]]:
        return [(request.ref, outcome) for request, outcome in self.connection.receive(octets)]

    def wrote(self) -> list[tuple[int, int, int, bytes]]:
        """(kind, flags, stream, payload) of all since last asked."""
        return [(one.kind, one.flags, one.stream, one.payload) for one in Splitter().feed(self.connection.take())]

    def starts(self, queue: deque[Request], most: int = 100) -> list[tuple[int, int, int, bytes]]:
        self.connection.start(queue, most)
        return self.wrote()

    def data(self) -> list[tuple[int, int, int]]:
        """(stream, octets, flags) of the DATA frames written."""
        return [(stream, len(payload), flags) for kind, flags, stream, payload in self.wrote() if kind == frames.DATA]

    def dies_of(self, octets: bytes, code: Code) -> list[tuple[int, Reply | Failure]]:
        outcomes = self.hear(octets)
        assert self.connection.closed
        assert self.connection.fault.startswith(code.name), self.connection.fault
        kind, _, _, payload = self.wrote()[-1]
        assert (kind, payload[4:]) == (frames.GOAWAY, frames.WORD.pack(code))
        return outcomes


def answer(stream: int, block: bytes = CREATED, flags: int = END) -> bytes:
    return frame(frames.HEADERS, flags, stream, block)


# --- the common way -----------------------------------------------------------------------------------------------


def test_nothing_starts_before_the_server_spoke() -> None:
    connection, queue = Connection(b"a", Answers()), queue_of(1)
    assert connection.start(queue, 10) == 0
    connection.receive(frames.settings({}))
    assert connection.start(queue, 10) == 1


def test_a_request_is_two_frames_and_its_answer_one() -> None:
    wire = Wire()
    written = wire.starts(queue_of(2))
    assert [(kind, flags, stream) for kind, flags, stream, _ in written] == [
        (frames.HEADERS, frames.END_HEADERS, 1),
        (frames.DATA, frames.END_STREAM, 1),
        (frames.HEADERS, frames.END_HEADERS, 3),
        (frames.DATA, frames.END_STREAM, 3),
    ]
    [(ref, reply)] = wire.hear(answer(3))
    assert (ref, reply.status) == (1, 201)  # type: ignore[union-attr]
    assert [ref for ref, _ in wire.hear(answer(1))] == [0]
    assert wire.connection.idle


def test_octets_may_come_one_by_one() -> None:
    wire = Wire()
    wire.starts(queue_of(3))
    said = answer(1) + frame(frames.PING, 0, 0, b"12345678") + answer(5) + answer(3)
    heard = [ref for octet in said for ref, _ in wire.hear(bytes((octet,)))]
    assert heard == [0, 2, 1]
    assert wire.wrote() == [(frames.PING, frames.ACK, 0, b"12345678")]


def test_no_more_streams_than_the_server_takes_and_than_we_would() -> None:
    wire, queue = Wire({Setting.MAX_CONCURRENT_STREAMS: 2}), queue_of(5)
    wire.starts(queue)
    assert (len(queue), wire.connection.room) == (3, 0)
    wire.hear(answer(1, flags=frames.END_HEADERS))  # its body is still to come: the stream is open
    assert wire.connection.room == 0
    wire.hear(frame(frames.DATA, frames.END_STREAM, 1, b"x"))
    assert wire.connection.room == 1
    wire.hear(frames.settings({Setting.MAX_CONCURRENT_STREAMS: 0}))
    assert wire.connection.room == 0
    wire.hear(frames.settings({Setting.MAX_CONCURRENT_STREAMS: 2**32 - 1}))
    assert 100 < wire.connection.room < 2_000


def test_stream_ids_run_out() -> None:
    wire, queue = Wire(last_id=5), queue_of(5)
    wire.starts(queue)
    assert (len(queue), wire.connection.draining, wire.connection.left) == (2, True, 0)
    assert len(wire.hear(answer(1) + answer(3) + answer(5))) == 3
    assert wire.connection.idle


# --- windows ------------------------------------------------------------------------------------------------------


def test_a_body_waits_for_its_streams_window_and_goes_on() -> None:
    wire = Wire({Setting.INITIAL_WINDOW_SIZE: 4})
    wire.connection.start(queue_of(2), 10)
    assert wire.data() == [(1, 4, 0), (3, 4, 0)]
    wire.hear(frames.window_update(3, 3))
    assert wire.data() == [(3, 3, 0)]
    wire.hear(frames.window_update(3, 100) + frames.window_update(1, 6))
    assert wire.data() == [(3, 3, frames.END_STREAM), (1, 6, frames.END_STREAM)]


def test_settings_move_the_windows_of_open_streams_below_zero_too() -> None:
    wire = Wire({Setting.INITIAL_WINDOW_SIZE: 6})
    wire.connection.start(queue_of(1), 10)
    assert wire.data() == [(1, 6, 0)]
    wire.hear(frames.settings({Setting.INITIAL_WINDOW_SIZE: 2}))  # now -4
    wire.hear(frames.window_update(1, 4))
    assert wire.data() == []
    wire.hear(frames.window_update(1, 1))
    assert wire.data() == [(1, 1, 0)]
    wire.hear(frames.settings({Setting.INITIAL_WINDOW_SIZE: 50}))
    assert wire.data() == [(1, 3, frames.END_STREAM)]


def test_settings_are_acknowledged_before_they_are_made_use_of() -> None:
    wire = Wire({Setting.INITIAL_WINDOW_SIZE: 4})
    wire.starts(queue_of(1))
    wire.hear(frames.settings({Setting.INITIAL_WINDOW_SIZE: 50}))
    assert [(kind, flags) for kind, flags, _, _ in wire.wrote()] == [
        (frames.SETTINGS, frames.ACK),
        (frames.DATA, frames.END_STREAM),
    ]


def test_all_values_of_one_settings_frame_count_at_once() -> None:
    wire = Wire({Setting.INITIAL_WINDOW_SIZE: 4, Setting.MAX_FRAME_SIZE: 30_000})
    wire.starts(queue_of(1, size=20_000))
    wire.hear(frames.settings({Setting.INITIAL_WINDOW_SIZE: 50_000, Setting.MAX_FRAME_SIZE: 16_384}))
    assert wire.data() == [(1, 16_384, 0), (1, 3_612, frames.END_STREAM)]


def test_what_the_connections_window_does_not_take_is_not_started() -> None:
    wire, queue = Wire(), queue_of(10, size=16_000)
    wire.connection.start(queue, 100)
    sent = wire.data()
    assert sum(size for _, size, _ in sent) == 65_535
    assert len(queue) == 5  # four whole, one in part
    wire.hear(frames.window_update(0, 16_000))
    assert [stream for stream, _, _ in wire.data()] == [9]
    wire.connection.start(queue, 100)
    assert len(queue) == 4


def test_a_body_is_cut_into_frames_the_server_takes() -> None:
    wire, queue = Wire(), queue_of(1, size=40_000)
    wire.connection.start(queue, 1)
    assert wire.data() == [(1, 16_384, 0), (1, 16_384, 0), (1, 7_232, frames.END_STREAM)]


def test_a_long_header_goes_on_in_continuation_frames() -> None:
    wire = Wire()
    large = Profile(((b"x-large", b"l" * 40_000),))
    written = wire.starts(deque([Request(b"/" * 300, large, b"b", 0, never, 1.0)]))
    assert [(kind, flags) for kind, flags, _, _ in written] == [
        (frames.HEADERS, 0),
        (frames.CONTINUATION, 0),
        (frames.CONTINUATION, frames.END_HEADERS),
        (frames.DATA, frames.END_STREAM),
    ]


def test_octets_of_bodies_are_given_back_and_no_body_lasts_for_ever() -> None:
    wire = Wire()
    wire.starts(queue_of(100))
    for stream in range(1, 200, 2):
        wire.hear(answer(stream, flags=frames.END_HEADERS))
        for _ in range(3):
            wire.hear(frame(frames.DATA, 0, stream, bytes(16_384)))
    written = wire.wrote()
    assert sum(1 for kind, _, _, payload in written if kind == frames.RST_STREAM) == 100
    given = sum(frames.WORD.unpack(payload)[0] for kind, _, _, payload in written if kind == frames.WINDOW_UPDATE)
    assert given > 100 * 3 * 16_384 - 1_048_576
    assert wire.connection.idle


# --- how a stream may end -----------------------------------------------------------------------------------------


def test_interim_answers_are_waited_out_and_trailers_are_an_end() -> None:
    wire = Wire()
    wire.starts(queue_of(1))
    assert wire.hear(answer(1, b"\x08\x03103", frames.END_HEADERS)) == []
    assert len(wire.hear(answer(1, flags=frames.END_HEADERS))) == 1
    assert wire.hear(frame(frames.DATA, 0, 1, b"body") + answer(1, b"\x00\x01x\x011")) == []
    assert wire.connection.idle


def test_an_answer_before_the_whole_body_stops_it() -> None:
    wire = Wire({Setting.INITIAL_WINDOW_SIZE: 4})
    wire.starts(queue_of(1))
    assert len(wire.hear(answer(1, b"\x08\x03413"))) == 1
    assert wire.wrote() == [(frames.RST_STREAM, 0, 1, frames.WORD.pack(Code.CANCEL))]
    wire.hear(frames.window_update(1, 100))
    assert wire.data() == []


@pytest.mark.parametrize("code", [c for c in Code if c is not Code.REFUSED_STREAM])
def test_a_reset_stream_may_have_been_processed(code: Code) -> None:
    wire = Wire()
    wire.starts(queue_of(2))
    assert wire.hear(frames.rst_stream(1, code)) == [(0, BROKEN)]
    assert wire.connection.take_again() == []
    assert len(wire.hear(answer(3))) == 1


def test_a_refused_stream_is_started_again_and_is_a_strain() -> None:
    wire = Wire()
    wire.starts(queue_of(1))
    assert wire.hear(frames.rst_stream(1, Code.REFUSED_STREAM)) == []
    assert [request.ref for request in wire.connection.take_again()] == [0]
    assert wire.connection.take_again() == []
    assert (wire.connection.take_strains(), wire.connection.take_strains()) == (1, 0)


def test_a_reset_after_the_answer_changes_nothing() -> None:
    wire = Wire()
    wire.starts(queue_of(1))
    assert len(wire.hear(answer(1) + frames.rst_stream(1, Code.NO_ERROR))) == 1
    assert wire.connection.take_again() == []
    assert not wire.connection.closed


def test_goaway_gives_back_what_was_not_processed_and_waits_for_the_rest() -> None:
    wire, queue = Wire(), queue_of(4)
    wire.starts(queue)
    assert wire.hear(frame(frames.GOAWAY, 0, 0, frames.PAIR.pack(3, 0))) == []
    assert [request.ref for request in wire.connection.take_again()] == [2, 3]
    assert (wire.connection.take_lifetime(), wire.connection.take_lifetime()) == (2, None)
    assert wire.connection.draining
    assert wire.connection.start(queue_of(1), 1) == 0
    assert [ref for ref, _ in wire.hear(answer(1) + answer(3))] == [0, 1]
    assert wire.connection.idle


def test_a_warning_goaway_takes_nothing_away() -> None:
    wire = Wire()
    wire.starts(queue_of(2))
    wire.hear(frame(frames.GOAWAY, 0, 0, frames.PAIR.pack(frames.MAX_ID, 0)))
    assert wire.connection.draining
    assert (wire.connection.take_again(), wire.connection.take_lifetime()) == ([], None)
    wire.hear(frame(frames.GOAWAY, 0, 0, frames.PAIR.pack(1, 0)))
    assert [request.ref for request in wire.connection.take_again()] == [1]


def test_time_over_and_withdrawn_requests_are_reset() -> None:
    wire, queue = Wire(), queue_of(3)
    queue[1].deadline = 5.0
    mine = queue[2].answered = lambda ref, outcome: None
    wire.starts(queue)
    assert [(request.ref, outcome) for request, outcome in wire.connection.expire(5.0)] == [(1, TIMEOUT)]
    wire.connection.withdraw(mine)
    cancel = frames.WORD.pack(Code.CANCEL)
    assert wire.wrote() == [(frames.RST_STREAM, 0, 3, cancel), (frames.RST_STREAM, 0, 5, cancel)]
    assert [ref for ref, _ in wire.hear(answer(5) + answer(3) + answer(1))] == [0]


def test_a_lost_connection_leaves_everything_unknown() -> None:
    wire = Wire()
    wire.starts(queue_of(2))
    assert [outcome for _, outcome in wire.connection.lose()] == [BROKEN, BROKEN]
    assert wire.connection.lose() == []


# --- faults of the peer -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (frame(frames.HEADERS, END, 9, CREATED), Code.PROTOCOL_ERROR),
        (frame(frames.HEADERS, END, 2, CREATED), Code.PROTOCOL_ERROR),
        (frame(frames.HEADERS, END, 0, CREATED), Code.PROTOCOL_ERROR),
        (frame(frames.DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
        (frame(frames.DATA, frames.PADDED, 1, b"\x05x"), Code.PROTOCOL_ERROR),
        (frame(frames.HEADERS, END, 1, b"\xbe"), Code.COMPRESSION_ERROR),
        (frame(frames.HEADERS, frames.END_STREAM, 1, CREATED) + answer(1), Code.PROTOCOL_ERROR),
        (frame(frames.HEADERS, frames.END_STREAM, 1, b"") + frame(frames.CONTINUATION, 0, 1) * 99, Code.ENHANCE_YOUR_CALM),
        (frame(frames.CONTINUATION, 4, 1, CREATED), Code.PROTOCOL_ERROR),
        (frame(frames.PUSH_PROMISE, 4, 1, bytes(4)), Code.PROTOCOL_ERROR),
        (frame(frames.PING, 0, 0, b"1234567"), Code.FRAME_SIZE_ERROR),
        (frame(frames.PING, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
        (frame(frames.PING, 0, 0, bytes(8)) * 10_001, Code.ENHANCE_YOUR_CALM),
        (frame(frames.SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
        (frame(frames.SETTINGS, 0, 0, bytes(5)), Code.FRAME_SIZE_ERROR),
        (frame(frames.SETTINGS, frames.ACK, 0, bytes(6)), Code.FRAME_SIZE_ERROR),
        (frames.settings({Setting.INITIAL_WINDOW_SIZE: 2**31}), Code.FLOW_CONTROL_ERROR),
        (frames.settings({Setting.MAX_FRAME_SIZE: 16_383}), Code.PROTOCOL_ERROR),
        (frames.settings({Setting.MAX_FRAME_SIZE: 2**24}), Code.PROTOCOL_ERROR),
        (frames.settings({Setting.ENABLE_PUSH: 1}), Code.PROTOCOL_ERROR),
        (frames.window_update(0, 0), Code.PROTOCOL_ERROR),
        (frames.window_update(0, 2**31 - 1), Code.FLOW_CONTROL_ERROR),
        (frames.window_update(9, 1), Code.PROTOCOL_ERROR),
        (frame(frames.WINDOW_UPDATE, 0, 0, bytes(3)), Code.FRAME_SIZE_ERROR),
        (frame(frames.RST_STREAM, 0, 1, bytes(3)), Code.FRAME_SIZE_ERROR),
        (frame(frames.RST_STREAM, 0, 7, bytes(4)), Code.PROTOCOL_ERROR),
        (frame(frames.GOAWAY, 0, 1, bytes(8)), Code.PROTOCOL_ERROR),
        (frame(frames.GOAWAY, 0, 0, bytes(7)), Code.FRAME_SIZE_ERROR),
        (b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", Code.FRAME_SIZE_ERROR),
        (frame(frames.DATA, 0, 1, bytes(16_385)), Code.FRAME_SIZE_ERROR),
    ],
)  # fmt: skip
def test_a_broken_protocol_ends_the_connection_with_its_code(octets: bytes, code: Code) -> None:
    wire = Wire()
    wire.starts(queue_of(2))
    outcomes = wire.dies_of(octets, code)
    assert outcomes == [(0, BROKEN), (1, BROKEN)]
    assert wire.hear(answer(1)) == []


def test_a_server_begins_with_settings() -> None:
    connection = Connection(b"a", Answers())
    connection.take()
    connection.receive(frame(frames.PING, 0, 0, bytes(8)))
    assert connection.fault.startswith("PROTOCOL_ERROR")


@pytest.mark.parametrize(
    "octets", [frame(frames.DATA, 0, 1, b"x"), answer(1, b"\x08\x03abc"), frames.window_update(1, 0)]
)
def test_a_fault_of_one_stream_ends_that_stream(octets: bytes) -> None:
    wire = Wire()
    wire.starts(queue_of(2))
    assert wire.hear(octets) == [(0, BROKEN)]
    assert wire.wrote() == [(frames.RST_STREAM, 0, 1, frames.WORD.pack(Code.PROTOCOL_ERROR))]
    assert len(wire.hear(answer(3))) == 1


def test_padding_priority_and_kinds_unknown_to_us_do_no_harm() -> None:
    wire = Wire()
    wire.starts(queue_of(2))
    wire.hear(frame(0xFE, 0xFF, 7, b"?") + frame(frames.PRIORITY, 0, 1, bytes(5)))
    padded = frame(
        frames.HEADERS, END | frames.PADDED | frames.WITH_PRIORITY, 1, b"\x03" + bytes(5) + CREATED + bytes(3)
    )
    assert [ref for ref, _ in wire.hear(padded)] == [0]
    parts = frame(frames.HEADERS, frames.END_STREAM, 3, CREATED[:2]) + frame(frames.CONTINUATION, 4, 3, CREATED[2:])
    assert [ref for ref, _ in wire.hear(parts)] == [1]


def test_a_ping_of_ours_is_outstanding_until_answered() -> None:
    wire = Wire()
    wire.connection.ping()
    assert wire.connection.pinged
    wire.hear(frame(frames.PING, frames.ACK, 0, bytes(8)))
    assert not wire.connection.pinged
