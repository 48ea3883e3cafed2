"""The HTTP/2 state machine, without a network, fed with what a real server never sends; and read by a second opinion.

Nothing but outcomes may come of any octets: no exception, no endless loop, each request settled once.
"""

import signal
from collections import Counter, deque
from collections.abc import Iterator
from functools import cache
from random import Random

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame

from adapters.exchange import Failure, Reply
from adapters.webpush.http2 import Answers, Connection, Profile, Request
from alertd.domain.delivery import Reason, Retry
from tests.support.h2_ledger import GOAWAY, UNLIMITED, Ledger, Splitter
from tests.support.h2_scripts import frame

PROFILE = Profile(((b"ttl", b"86400"), (b"urgency", b"high"), (b"content-encoding", b"aes128gcm")))
AUTHORITY = b"push.example.net"
POSTS = 6
BATCHES, EACH = 20, 500
SECONDS = 60


@pytest.fixture(autouse=True)
def _no_endless_loop() -> Iterator[None]:
    def stop(number: int, at: object) -> None:
        raise AssertionError(f"still busy after {SECONDS} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def never(ref: int, outcome: Reply | Failure) -> None:
    raise AssertionError("the state machine itself answers nobody")


def requests(count: int, size: int = 300) -> deque[Request]:
    return deque(Request(f"/p/{ref}".encode(), PROFILE, bytes(size), ref, never, 1e9) for ref in range(count))


class Run:
    """One connection, its requests, and how often each was settled. `wrote` is all it wrote."""

    def __init__(self, posts: deque[Request], *, last_id: int = UNLIMITED) -> None:
        self.connection = Connection(AUTHORITY, Answers(), last_id=last_id)
        self.queue = posts
        self.refs = [post.ref for post in posts]
        self.settled: Counter[int] = Counter()
        self.again: Counter[int] = Counter()
        self.outcomes: dict[int, Reply | Failure] = {}
        self.wrote = bytearray()

    def read(self, octets: bytes) -> bytes:
        """What it writes in return."""
        self._note(self.connection.receive(octets))
        return self.write()

    def write(self) -> bytes:
        for request in self.connection.take_again():
            self.again[request.ref] += 1
        self.connection.start(self.queue, 1_000)
        octets = self.connection.take()
        self.wrote += octets
        return octets

    def lose(self) -> None:
        self._note(self.connection.lose())
        self._note(self.connection.lose())  # a second time there is nothing left to lose

    def judge(self) -> None:
        waiting = Counter(post.ref for post in self.queue)
        for ref in self.refs:
            assert self.settled[ref] + self.again[ref] + waiting[ref] == 1, (
                f"{ref}: {self.settled, self.again, waiting}"
            )
        frames = list(Splitter().feed(bytes(self.wrote[24:])))
        assert sum(len(each.raw) for each in frames) == len(self.wrote) - 24, "half a frame was written"
        if self.connection.fault:
            assert frames[-1].kind == GOAWAY, self.connection.fault

    def _note(self, outcomes: list[tuple[Request, Reply | Failure]]) -> None:
        for request, outcome in outcomes:
            self.settled[request.ref] += 1
            self.outcomes[request.ref] = outcome
            assert isinstance(outcome, Reply) or outcome == Retry(Reason.BROKEN), outcome


# What servers really send


def recorded(seed: int) -> bytes:
    """Everything an `h2` server wrote while it dealt with the requests, in its own way for each seed."""
    random = Random(seed)
    server = H2Connection(H2Configuration(client_side=False, header_encoding=None))
    server.initiate_connection()
    run, said = Run(requests(POSTS)), bytearray()
    waiting: list[int] = []
    greeting = run.write()
    while True:
        octets = server.data_to_send()
        said += octets
        events = server.receive_data(greeting + run.read(octets))
        greeting = b""
        waiting += [event.stream_id for event in events if isinstance(event, StreamEnded)]
        for event in events:
            if isinstance(event, DataReceived) and event.flow_controlled_length:
                server.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        if not waiting and not events:
            break
        random.shuffle(waiting)
        for stream in waiting[: random.randint(1, POSTS)]:
            respond(server, stream, random)
            waiting.remove(stream)
    said += GoAwayFrame(0, last_stream_id=random.choice((0, 5, 2 * POSTS))).serialize()
    return bytes(said)


def respond(server: H2Connection, stream: int, random: Random) -> None:
    """Answer in one of the ways a server may."""
    way = random.randrange(7)
    if way == 0:
        server.reset_stream(stream, random.choice((ErrorCodes.REFUSED_STREAM, ErrorCodes.CANCEL, ErrorCodes.NO_ERROR)))
        return
    if way == 1:
        server.send_headers(stream, [(":status", "103"), ("link", "</x>")])
    if way == 2:
        server.ping(random.randbytes(8))
        server.update_settings(
            {
                SettingCodes.INITIAL_WINDOW_SIZE: random.choice((0, 1, 100, 70_000)),
                SettingCodes.HEADER_TABLE_SIZE: random.choice((0, 100, 4_096)),
                SettingCodes.MAX_CONCURRENT_STREAMS: random.choice((1, 100)),
            }
        )
    fields = [(":status", random.choice(("201", "429", "404", "500"))), ("retry-after", "7"), ("location", "/m/1")]
    server.send_headers(stream, fields[: random.randint(1, 3)], end_stream=way > 4)
    if way == 3:
        server.send_data(stream, random.randbytes(50), pad_length=random.choice((None, 9)))
        server.send_headers(stream, [("x-checksum", "1")], end_stream=True)
    elif way <= 4:
        server.send_data(stream, random.randbytes(random.choice((0, 9, 60))), end_stream=True)


@cache
def corpus() -> tuple[bytes, ...]:
    return tuple(recorded(seed) for seed in range(40))


# What no server sends

EXTREMES = (0, 1, 2, 3, 13, 255, 2**14, 2**31 - 1, 2**31, 2**32 - 1)


def crafted(random: Random) -> bytes:
    """A frame of any kind with a payload that nearly makes sense."""
    kind, flags = random.choice((*range(10), 0xA, 0xFE)), random.choice((0, 1, 4, 5, 8, 0x20, 0x2D, 0xFF))
    stream = random.choice((0, 0, 1, 3, 5, 7, 2, 99, 2**31 - 1))
    word = random.choice(EXTREMES).to_bytes(4, "big")
    payload = random.choice(
        (
            b"",
            word,
            word + random.choice(EXTREMES).to_bytes(4, "big"),
            bytes((0, random.randint(0, 8))) + word,
            b"\x88",
            b"\x3f\xe1\x1f\x88",
            b"\x00\x07:status\x03" + random.choice((b"200", b"099", b"abc", b"1e2", b"101")),
            b"\xff\xff\xff\xff\xff\xff\x0f",
            random.randbytes(random.randint(0, 40)),
            bytes(random.choice((100, 16_384))),
        )
    )
    return frame(kind, flags, stream, payload)


def flip(octets: bytes, random: Random) -> bytes:
    changed = bytearray(octets)
    for _ in range(random.randint(1, 8)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def truncate(octets: bytes, random: Random) -> bytes:
    return octets[: random.randrange(len(octets))]


def duplicate(octets: bytes, random: Random) -> bytes:
    start = random.randrange(len(octets))
    end = start + random.randint(1, 200)
    return octets[:end] + octets[start:end] + octets[end:]


def cut_out(octets: bytes, random: Random) -> bytes:
    start = random.randrange(len(octets))
    return octets[:start] + octets[start + random.randint(1, 30) :]


def splice(octets: bytes, random: Random) -> bytes:
    other = random.choice(corpus())
    return octets[: random.randrange(len(octets))] + other[random.randrange(len(other)) :]


def by_frame(octets: bytes, random: Random) -> bytes:
    """Swap, drop, repeat and insert whole frames; SETTINGS mostly stay first, else all ends there."""
    frames = [each.raw for each in Splitter().feed(octets)]
    first, rest = frames[:1], frames[1:]
    for _ in range(random.randint(1, 6)):
        at = random.randint(0, len(rest))
        rest[at:at] = [random.choice((crafted(random), random.choice(rest or [b""])))]
        if rest and random.random() < 0.3:
            rest.pop(random.randrange(len(rest)))
    if random.random() < 0.3:
        random.shuffle(rest)
    return b"".join((*(first if random.random() < 0.95 else []), *rest))


def field(octets: bytes, random: Random) -> bytes:
    """Change one octet of one frame's head: its length, kind, flags or stream."""
    frames = [bytearray(each.raw) for each in Splitter().feed(octets)] or [bytearray(9)]
    random.choice(frames)[random.randrange(9)] = random.choice((0, 1, 4, 5, 8, 0x7F, 0xFF, random.randrange(256)))
    return b"".join(frames)


def noise(octets: bytes, random: Random) -> bytes:
    opening = random.choice((b"", frame(4, 0, 0, b""), octets[: random.randrange(len(octets))]))
    return opening + random.randbytes(random.randint(0, 600))


MUTATIONS = (flip, truncate, duplicate, cut_out, splice, by_frame, by_frame, by_frame, field, field, noise)


def first_frame(octets: bytes) -> tuple[bytes, bytes]:
    """SETTINGS, before which no stream is opened, and the rest."""
    end = 9 + int.from_bytes(octets[:3], "big")
    return octets[:end], octets[end:]


def pieces(octets: bytes, random: Random) -> Iterator[bytes]:
    """The octets as a network may bring them; mostly the first frame alone, so that all streams are open then."""
    most = random.choice((1, 9, 40, 40, 200, 200, 1_000, 100_000))
    if random.random() < 0.9:
        opening, octets = first_frame(octets)
        yield opening
    at = 0
    while at < len(octets):
        size = random.randint(1, most)
        yield octets[at : at + size]
        at += size


@pytest.mark.parametrize("batch", range(BATCHES))
def test_any_octets_settle_each_request_once(batch: int) -> None:
    faults: Counter[bool] = Counter()
    for number in range(EACH):
        random = Random(batch * EACH + number)
        octets = random.choice(corpus())
        for mutate in random.choices(MUTATIONS, k=random.choice((1, 1, 2, 3))):
            octets = mutate(octets, random) or b"\x00"  # no mutation has to deal with nothing
        run = Run(requests(POSTS, random.choice((0, 300, 20_000))))
        run.write()
        for piece in pieces(octets, random):
            run.read(piece)
            if run.connection.closed:
                break
        run.lose()
        run.judge()
        faults[bool(run.connection.fault)] += 1
    assert min(faults[True], faults[False]) > EACH // 20, faults  # else the mutations are too mild, or too rude


@pytest.mark.parametrize("seed", range(40))
def test_the_cuts_of_the_network_make_no_difference(seed: int) -> None:
    opening, rest = first_frame(corpus()[seed])
    whole = Run(requests(POSTS))
    whole.read(opening)
    whole.read(rest)
    whole.lose()
    whole.judge()
    assert not whole.connection.fault
    for size in (1, 2, 3, 7, 8, 9, 10, 64):
        run = Run(requests(POSTS))
        run.read(opening)
        for at in range(0, len(rest), size):
            run.read(rest[at : at + size])
        run.lose()
        run.judge()
        assert not run.connection.fault
        assert (run.settled, run.again) == (whole.settled, whole.again)
        assert statuses(run) == statuses(whole)


def statuses(run: Run) -> list[int | None]:
    """By request; None for those without a reply."""
    replies = [run.outcomes.get(ref) for ref in run.refs]
    return [reply.status if isinstance(reply, Reply) else None for reply in replies]


@pytest.mark.parametrize("cut", range(1, 100))
def test_a_cut_anywhere_between_two_reads(cut: int) -> None:
    opening = frame(4, 0, 0, b"") + frame(6, 0, 0, b"12345678")
    answers = frame(1, 4, 1, b"\x88") + frame(0, 1, 1, b"done") + frame(1, 5, 3, b"\x8d") + frame(3, 0, 5, bytes(4))
    octets = answers + frame(1, 0, 7, b"\x8d") + frame(9, 4, 7, b"") + frame(0, 1, 7, b"")
    run = Run(requests(POSTS))
    run.read(opening)
    run.read(octets[:cut])
    run.read(octets[cut:])
    run.lose()
    run.judge()
    assert statuses(run) == [200, 404, None, 404, None, None]


def test_streams_run_out() -> None:
    run = Run(requests(POSTS), last_id=7)
    run.read(frame(4, 0, 0, b""))
    assert len(run.queue) == POSTS - 4
    assert run.connection.draining
    run.read(b"".join(frame(1, 5, stream, b"\x88") for stream in (7, 1, 5, 3)))
    run.lose()
    run.judge()
    assert [run.outcomes[ref].status for ref in range(4)] == [200] * 4
    streams = [each.stream for each in Splitter().feed(bytes(run.wrote[24:])) if each.kind == 1]
    assert streams == [1, 3, 5, 7]


# A second opinion on what the sender writes


class Reader:
    """The `h2` library's server side and the ledger; what they understood of the requests."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding=None))
        self.h2.local_settings = Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: UNLIMITED})
        self.h2.initiate_connection()
        self.h2.data_to_send()
        self.ledger = Ledger()
        self.heads: dict[int, tuple[tuple[bytes, bytes], ...]] = {}
        self.bodies: dict[int, bytearray] = {}
        self.ended: list[int] = []
        self._splitter, self._leaving = Splitter(), Splitter()
        self._owed: list[tuple[int, int | None]] = []

    def read(self, octets: bytes) -> None:
        for each in self._splitter.feed(octets):
            self.ledger.got(each)
            for event in self.h2.receive_data(each.raw):
                if isinstance(event, RequestReceived):
                    self.heads[event.stream_id] = tuple(event.headers)
                    self.bodies[event.stream_id] = bytearray()
                elif isinstance(event, DataReceived):
                    self.bodies[event.stream_id] += event.data
                    size = event.flow_controlled_length
                    self._owed += [(size, None), (size, event.stream_id)] if size else []
                elif isinstance(event, StreamEnded):
                    self.ended.append(event.stream_id)

    def preface(self, octets: bytes) -> None:
        self.h2.receive_data(octets[:24])
        self.read(octets[24:])

    def write(self) -> bytes:
        octets = self.h2.data_to_send()
        for each in self._leaving.feed(octets):
            self.ledger.sent(each)
        return octets

    def settings(self) -> None:
        """All that the sender must obey, anew; only where the last were acknowledged."""
        if self.ledger.settled:
            self.h2.update_settings(
                {
                    SettingCodes.ENABLE_PUSH: 0,
                    SettingCodes.INITIAL_WINDOW_SIZE: self._random.choice((0, 1, 50, 1_000, 65_535, 2**20)),
                    SettingCodes.MAX_FRAME_SIZE: self._random.choice((16_384, 16_385, 2**17)),
                    SettingCodes.HEADER_TABLE_SIZE: self._random.choice((0, 31, 60, 100, 400, 4_096, 65_536)),
                    SettingCodes.MAX_CONCURRENT_STREAMS: self._random.choice((0, 1, 7, 500)),
                }
            )

    def relent(self) -> None:
        """Some of the windows, in any order; and an end to windows and limits of nothing."""
        self._random.shuffle(self._owed)
        for _ in range(self._random.randint(0, len(self._owed))):
            size, stream = self._owed.pop()
            if stream not in self.ended:
                self.h2.increment_flow_control_window(size, stream)
        open_yet = [stream for stream in self.bodies if stream not in self.ended]
        if self._random.random() < 0.5:
            self.h2.increment_flow_control_window(self._random.choice((1, 90_000)))
        if open_yet and self._random.random() < 0.5:
            self.h2.increment_flow_control_window(self._random.choice((1, 9_000)), self._random.choice(open_yet))

    def answer(self) -> int:
        """Answer some of those that are whole; how many."""
        self._random.shuffle(self.ended)
        some = [stream for stream in self.ended if stream in self.bodies and self._random.random() < 0.5]
        answered = 0
        for stream in some:
            if self.h2.streams.get(stream) and not self.h2.streams[stream].closed:
                self.h2.send_headers(stream, [(":status", "201")], end_stream=True)
                answered += 1
        return answered


def profiles(random: Random) -> list[Profile]:
    made = []
    for number in range(random.randint(1, 4)):
        fields = [
            (b"ttl", b"%d" % random.randint(0, 10**6)),
            (b"content-encoding", b"aes128gcm"),
            (b"urgency", random.choice((b"high", b"normal", b"\x80\xff"))),
            (b"authorization", b"vapid t=" + b"x" * random.choice((10, 130, 300, 5_000, 20_000))),
            (b"x-%d" % number, b"v" * random.choice((0, 126, 127, 128, 300))),
        ]
        random.shuffle(fields)
        made.append(Profile(tuple(fields[: random.randint(0, 5)])))
    return made


@pytest.mark.parametrize("seed", range(25))
def test_another_library_reads_what_we_write(seed: int) -> None:
    random = Random(seed)
    mine = profiles(random)
    sizes = random.sample((0, 1, 2, 100, 300, 301, 4_096, 20_000), 3)
    posts = [
        Request(
            b"/" + b"p" * random.choice((0, 1, 60, 126, 127, 254, 255, 256, 3_000)) + b"%d" % ref,
            random.choice(mine),
            random.randbytes(random.choice(sizes)),
            ref,
            never,
            1e9,
        )
        for ref in range(200)
    ]
    run, reader = Run(deque(posts)), Reader(random)
    reader.settings()
    reader.preface(run.write())
    while len(run.outcomes) < len(posts):
        assert not run.connection.fault
        reader.read(run.read(reader.write()))
        reader.relent()
        reader.answer()
        if random.random() < 0.2:
            reader.settings()
    assert not run.connection.fault
    assert not reader.ledger.faults
    assert all(outcome.status == 201 for outcome in run.outcomes.values())
    for post, stream in zip(posts, sorted(reader.heads), strict=True):
        assert reader.bodies[stream] == post.body
        pseudo = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", AUTHORITY), (b":path", post.path)]
        length = (b"content-length", b"%d" % len(post.body))
        assert sorted(reader.heads[stream]) == sorted([*pseudo, length, *post.profile.headers])
