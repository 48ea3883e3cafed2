"""The HTTP/2 sender against a server that misbehaves on purpose: nothing lost, nothing doubled, nothing left behind."""

import asyncio
import contextlib
import gc
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from adapters.exchange import Failure, Reply
from adapters.guard import Permit
from adapters.webpush.pipes import Fallback, Pipes, Profile
from alertd.domain.delivery import Reason, Refused, Retry
from tests.support.clock import RealClock
from tests.support.h2_burst import PROFILES, Authority, Burst, Post, authority, faithful, judge, posts
from tests.support.h2_endings import (
    AnswerEarly,
    Dropping,
    GoingAway,
    Leaving,
    Mute,
    NeverSecure,
    Poisoned,
    Pushing,
    Resetting,
    Stopping,
)
from tests.support.h2_ledger import UNLIMITED
from tests.support.h2_link import Script
from tests.support.h2_scripts import (
    Changing,
    Crumbs,
    Dribble,
    Gather,
    Generous,
    Hinting,
    Initially,
    Noisy,
    Opening,
    Padded,
    Pinging,
    Prioritised,
    Reopening,
    SlowReader,
    Verbose,
    frame,
)
from tests.support.h2_server import HostileServer, hostile_server
from tests.support.loop_time import running_ahead

Make = Callable[[Random], list[Script]]
WINDOW, STREAMS, TABLE, FRAME = (
    SettingCodes.INITIAL_WINDOW_SIZE,
    SettingCodes.MAX_CONCURRENT_STREAMS,
    SettingCodes.HEADER_TABLE_SIZE,
    SettingCodes.MAX_FRAME_SIZE,
)
SLOW_DOWN = ((429, (("retry-after", "7"),)), (201, (("location", "/m/1"),)), (410, ()), (503, ()), (404, ()))


SEEDS = (1, *(pytest.param(seed, marks=pytest.mark.campaign) for seed in range(2, 12)))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("ca"))


@contextmanager
def nothing_left() -> Iterator[None]:
    """No task, no thread and no descriptor outlives what is done here."""
    tasks, threads, files = asyncio.all_tasks(), threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    yield
    gc.collect()
    assert not asyncio.all_tasks() - tasks
    resolvers = [thread for thread in threading.enumerate() if thread.name.startswith("asyncio_")]  # the loop's own
    assert threading.active_count() - len(resolvers) <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= files


@asynccontextmanager
async def open_pipes(
    tls: Authority,
    *,
    permit: Permit = lambda address: True,
    connections: int = 2,
    timeout: float = 20,
    fallback: Fallback | None = None,
) -> AsyncIterator[Pipes]:
    with nothing_left():
        pipes = Pipes(
            tls.client, permit, RealClock(), timeout=timeout, connections=connections, fallback=fallback or no_fallback
        )
        try:
            yield pipes
        finally:
            await pipes.close()
            for _ in range(20):  # closed transports go in later turns of the loop; both ends live in it
                await asyncio.sleep(0.001)


async def no_fallback(*args: object, **kwargs: object) -> Reply:
    raise AssertionError("the server speaks h2: nothing else is wanted")


FAITHFUL: dict[str, tuple[Make, tuple[int, ...], int]] = {
    # what the server does, the bodies' sizes, how many posts
    "behaves": (lambda r: [], (0, 1, 300, 4_096), 1_000),
    "answers in any order": (lambda r: [Gather(r, 40, SLOW_DOWN)], (0, 300), 400),
    "stream window of 1": (lambda r: [Dribble(r, 1)], (0, 1, 2, 15), 300),
    "stream window of 0": (
        lambda r: [Changing(3, {WINDOW: 5}), Initially(initial_window_size=0), Dribble(r, 0)],
        (0,),
        300,
    ),
    "windows of 7 and 100": (lambda r: [Dribble(r, 7, 100)], (0, 20, 60), 300),
    "windows of 100 and 1": (lambda r: [Dribble(r, 100, 1)], (0, 1, 30), 200),
    "connection window of 50": (lambda r: [Dribble(r, 70_000, 50), Gather(r, 9)], (0, 300), 200),
    "window lowered in mid-flight": (
        lambda r: [
            Changing(25, {WINDOW: 10}, {WINDOW: 70_000}, {WINDOW: 0}, {WINDOW: 1}, {WINDOW: 999}),
            Dribble(r, 2_000, 9_000),
        ],
        (0, 300, 4_096),
        300,
    ),
    "window lowered and raised in one go": (
        lambda r: [Changing(1, *({WINDOW: size} for size in (5, 0, 3_000) * 80)), Dribble(r, 300)],
        (0, 300),
        300,
    ),
    "one stream at a time": (lambda r: [Initially(max_concurrent_streams=1)], (300,), 300),
    "no stream at first": (lambda r: [Opening(5)], (300,), 300),
    "streams limited in mid-flight": (
        lambda r: [
            Changing(30, {STREAMS: 3}, {STREAMS: 0}, {STREAMS: 50}, {STREAMS: 1}, {STREAMS: 100}),
            Reopening(40),
            Gather(r, 3),
        ],
        (0, 300),
        300,
    ),
    "frames of 16,384": (lambda r: [Initially(max_frame_size=16_384), Gather(r, 5)], (40_000, 16_384, 16_385, 0), 60),
    "larger frames, then the least": (
        lambda r: [Changing(10, {FRAME: 16_384}, {FRAME: 2**24 - 1}, {FRAME: 16_384}), Initially(max_frame_size=2**20)],
        (40_000, 100),
        60,
    ),
    "header table 0": (lambda r: [Initially(header_table_size=0)], (300,), 300),
    "header table 100": (lambda r: [Initially(header_table_size=100)], (300,), 300),
    "header table 1 GiB": (lambda r: [Initially(header_table_size=2**30)], (300,), 300),
    "header table 0 later": (lambda r: [Changing(100, {TABLE: 0})], (300,), 300),
    "header table up and down": (
        lambda r: [
            Changing(20, {TABLE: 0}, {TABLE: 4_096}, {TABLE: 100}, {TABLE: 0}, {TABLE: 65_536}, {TABLE: 60}),
            Gather(r, 4),
        ],
        (300,),
        300,
    ),
    "everything lowered at once": (
        lambda r: [
            Changing(
                40,
                {WINDOW: 3, STREAMS: 1, TABLE: 0, FRAME: 16_384},
                {WINDOW: 100_000, STREAMS: 200, TABLE: 4_096, FRAME: 2**20},
                {WINDOW: 0, STREAMS: 2, TABLE: 50, FRAME: 16_384},
                {WINDOW: 50, STREAMS: 5, TABLE: 0, FRAME: 20_000},
            ),
            Dribble(r, 5_000, 20_000),
        ],
        (0, 50, 300),
        250,
    ),
    "headers byte by byte": (lambda r: [Crumbs(1), Gather(r, 9, SLOW_DOWN)], (300,), 300),
    "headers in pieces, padded bodies": (lambda r: [Crumbs(13), Verbose(20)], (300,), 300),
    "padding": (lambda r: [Padded(r), Verbose(10)], (300,), 300),
    "priorities": (lambda r: [Prioritised(), Gather(r, 9)], (300,), 300),
    "1xx first": (lambda r: [Hinting(), Verbose(10)], (300,), 300),
    "trailers": (lambda r: [Verbose(10, (("x-checksum", "1"),))], (300,), 300),
    "trailers alone, in crumbs": (lambda r: [Crumbs(9), Verbose(0, (("x-checksum", "1"),))], (300,), 300),
    "bodies beyond the window": (lambda r: [Verbose(100_000, status=404)], (300,), 150),
    "bodies and trailers beyond the window": (lambda r: [Verbose(70_000, (("x-end", "1"),))], (300,), 100),
    "a flood of PINGs": (lambda r: [Pinging(20)], (300,), 300),
    "unheard-of frames and settings": (lambda r: [Noisy(), Gather(r, 9)], (300,), 300),
    "slow reading": (lambda r: [SlowReader(), Gather(r, 9)], (300, 4_096), 200),
    "refused streams": (lambda r: [Resetting(r, ErrorCodes.REFUSED_STREAM, 0.1, "came")], (0, 300), 300),
    "streams refused at once": (
        lambda r: [Resetting(r, ErrorCodes.REFUSED_STREAM, 0.1, "began")],
        (0, 300, 4_096),
        300,
    ),
    "reset after the answer": (lambda r: [Resetting(r, ErrorCodes.NO_ERROR, 0.5, "answered")], (0, 300), 300),
    "cancelled after the answer": (lambda r: [Resetting(r, ErrorCodes.CANCEL, 0.5, "answered")], (0, 300), 300),
    "answers that do not want the body": (lambda r: [AnswerEarly(r, 0.5, 413)], (0, 300, 4_096, 40_000), 200),
    "GOAWAY in mid-burst, then closed": (lambda r: [GoingAway(r, 40)], (0, 300), 300),
    "GOAWAY in mid-burst, then nothing": (lambda r: [GoingAway(r, 40, then="stay"), Gather(r, 9)], (0, 300), 300),
    "GOAWAY of three connections": (lambda r: [GoingAway(r, 20, links=3), Gather(r, 5)], (0, 300), 400),
    "GOAWAY, graceful": (lambda r: [GoingAway(r, 40, first=UNLIMITED), Gather(r, 5)], (0, 300), 300),
    "GOAWAY twice, tighter": (lambda r: [GoingAway(r, 40, first=UNLIMITED, links=2), Crumbs(3)], (0, 300), 300),
    "GOAWAY with an error": (lambda r: [GoingAway(r, 40, code=ErrorCodes.ENHANCE_YOUR_CALM)], (0, 300), 300),
    "GOAWAY under tiny windows": (lambda r: [GoingAway(r, 30, links=2), Dribble(r, 9, 500)], (0, 5, 30), 300),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", FAITHFUL)
async def test_every_post_has_its_reply(name: str, seed: int, tls: Authority) -> None:
    make, sizes, count = FAITHFUL[name]
    random = Random(f"{name}{seed}")
    async with hostile_server(tls.server, *make(random), seed=seed) as server:
        burst = Burst(posts(random, count, sizes))
        async with open_pipes(tls, connections=random.choice((1, 2, 4))) as pipes:
            await burst.send(pipes, f"localhost:{server.port}", random)
            await acknowledged(server)
            faithful(server, burst)
        judge(server, burst)


async def acknowledged(server: HostileServer) -> None:
    """Let acknowledgements that are on the wire arrive; `faithful` says which did not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(30):
            while not all(link.gone or link.transport.is_closing() or link.ledger.at_rest for link in server.links):
                await asyncio.sleep(0.005)


CALM = ErrorCodes.ENHANCE_YOUR_CALM
LOSSY: dict[str, Make] = {
    "cancelled": lambda r: [Resetting(r, ErrorCodes.CANCEL, 0.3, "came"), Gather(r, 5)],
    "reset at the headers": lambda r: [Resetting(r, ErrorCodes.INTERNAL_ERROR, 0.3, "began")],
    "reset with no error and no answer": lambda r: [Resetting(r, ErrorCodes.NO_ERROR, 0.3, "came")],
    "reset, not calm": lambda r: [Resetting(r, CALM, 0.3, "came")],
    "aborted": lambda r: [Dropping(r, 50, "abort", links=2)],
    "hung up": lambda r: [Dropping(r, 50, "hang_up", links=2)],
    "half-closed": lambda r: [Dropping(r, 50, "half_notify", links=2)],
    "half-closed without a word": lambda r: [Dropping(r, 50, "half_blunt", links=2)],
    "aborted under tiny windows": lambda r: [Dropping(r, 20, "abort", links=2), Dribble(r, 9, 500)],
    "GOAWAY, then aborted": lambda r: [GoingAway(r, 40, then="abort", links=2)],
    "GOAWAY, not calm, then aborted": lambda r: [GoingAway(r, 40, then="abort", links=2, code=CALM)],
    "pushes": lambda r: [Pushing(30, links=2), Gather(r, 9)],
    "DATA on stream 0": lambda r: [Poisoned(frame(0, 0, 0, b"x"), 30, 2), Gather(r, 9)],
    "DATA before HEADERS": lambda r: [Poisoned(frame(0, 1, 59, b"x"), 30, 2), Gather(r, 9)],
    "HEADERS on an idle stream": lambda r: [Poisoned(frame(1, 5, 2**31 - 1, b"\x88"), 30, 2), Gather(r, 9)],
    "a bad header block": lambda r: [Poisoned(frame(1, 5, 59, b"\xff\xff\xff\xff\xff\xff"), 30, 2), Gather(r, 9)],
    "a header block never ended": lambda r: [Poisoned(frame(1, 1, 59, b"\x88"), 30, 2), Gather(r, 9)],
    "CONTINUATION alone": lambda r: [Poisoned(frame(9, 4, 59, b"\x88"), 30, 2), Gather(r, 9)],
    "SETTINGS of 5 octets": lambda r: [Poisoned(frame(4, 0, 0, b"12345"), 30, 2), Gather(r, 9)],
    "a window of 2^31": lambda r: [Poisoned(frame(4, 0, 0, b"\x00\x04\x80\x00\x00\x00"), 30, 2), Gather(r, 9)],
    "frames of 100": lambda r: [Poisoned(frame(4, 0, 0, b"\x00\x05\x00\x00\x00\x64"), 30, 2), Gather(r, 9)],
    "WINDOW_UPDATE of 0": lambda r: [Poisoned(frame(8, 0, 0, bytes(4)), 30, 2), Gather(r, 9)],
    "WINDOW_UPDATE beyond 2^31-1": lambda r: [Poisoned(frame(8, 0, 0, b"\x7f\xff\xff\xff") * 2, 30, 2), Gather(r, 9)],
    "RST_STREAM on stream 0": lambda r: [Poisoned(frame(3, 0, 0, bytes(4)), 30, 2), Gather(r, 9)],
    "a frame too large": lambda r: [Poisoned(b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", 30, 2), Gather(r, 9)],
    "HTTP/1.1": lambda r: [Poisoned(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", 30, 2), Gather(r, 9)],
    "half a frame, then nothing": lambda r: [
        Poisoned(frame(1, 5, 1, b"\x88")[:5], 30, 1),
        Dropping(r, 40, "hang_up", 1),
    ],
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LOSSY)
async def test_what_is_lost_is_called_unknown(name: str, seed: int, tls: Authority) -> None:
    random = Random(f"{name}{seed}")
    async with hostile_server(tls.server, *LOSSY[name](random), seed=seed) as server:
        burst = Burst(posts(random, 300, (0, 30, 300)))
        async with open_pipes(tls, connections=random.choice((2, 4))) as pipes:
            await burst.send(pipes, f"localhost:{server.port}", random, within=5)
        judge(server, burst)
        assert burst.replied(), burst.tally()


def endings(burst: Burst) -> set[object]:
    """What there was among the answers: statuses and reasons."""
    return {answer.status if isinstance(answer, Reply) else answer.reason for answer in burst.answers.values()}


async def test_silence_is_a_timeout_and_frees_its_place(tls: Authority) -> None:
    mute = Mute()
    random = Random(1)
    async with hostile_server(tls.server, Initially(max_concurrent_streams=10), mute) as server:
        async with open_pipes(tls, connections=1) as pipes:
            origin = f"localhost:{server.port}"
            first = Burst(posts(random, 10))
            async with running_ahead(lambda: len(mute.heard) == 10 and not first.done.is_set()):
                await first.send(pipes, origin, random)
            assert endings(first) == {Reason.TIMEOUT}
            mute.came = lambda link, request: False
            await pipes.warm(origin)
            second = Burst(posts(random, 60))
            await second.send(pipes, origin, random)
            assert endings(second) == {201}
        assert not server.all_faults()


async def test_what_waits_for_a_place_was_not_sent(tls: Authority) -> None:
    mute = Mute()
    async with hostile_server(tls.server, Initially(max_concurrent_streams=3), mute) as server:
        burst = Burst(posts(Random(1), 30))
        async with open_pipes(tls, connections=1) as pipes, running_ahead(lambda: len(mute.heard) == 3):
            await burst.send(pipes, f"localhost:{server.port}", Random(1))
        judge(server, burst)
        assert burst.tally()[f"Retry {Reason.TIMEOUT}"] == len(server.processed())
        assert endings(burst) == {Reason.TIMEOUT, Reason.CONNECT}


async def test_a_server_that_never_speaks_tls(tls: Authority) -> None:
    async with hostile_server(tls.server, NeverSecure()) as server:
        burst = Burst(posts(Random(1), 50))
        async with open_pipes(tls) as pipes, running_ahead(lambda: True):
            await burst.send(pipes, f"localhost:{server.port}", Random(1))
        assert endings(burst) == {Reason.CONNECT}
        assert not burst.wrongs


async def test_nobody_listens(tls: Authority) -> None:
    async with hostile_server(tls.server) as server:
        port = server.port
    burst = Burst(posts(Random(1), 50))
    async with open_pipes(tls) as pipes:
        await pipes.warm(f"localhost:{port}")
        await burst.send(pipes, f"localhost:{port}", Random(1), within=5)
    assert endings(burst) == {Reason.CONNECT}
    assert not burst.wrongs


@pytest.mark.parametrize("who", ["another host", "another authority"])
async def test_a_certificate_that_does_not_prove_it(who: str, tls: Authority, tmp_path: Path) -> None:
    stranger = authority(tmp_path, "push.example.org" if who == "another host" else "localhost")
    client = stranger if who == "another host" else tls
    async with hostile_server(stranger.server) as server:
        burst = Burst(posts(Random(1), 20))
        async with open_pipes(client) as pipes:
            await pipes.warm(f"localhost:{server.port}")
            await burst.send(pipes, f"localhost:{server.port}", Random(1), within=5)
        assert endings(burst) == {Reason.CONNECT}
        assert server.links
        assert not list(server.requests())


async def test_the_guard_refuses_before_anything_is_opened(tls: Authority) -> None:
    async with hostile_server(tls.server) as server:
        burst = Burst([*posts(Random(1), 20)])
        async with open_pipes(tls, permit=lambda address: False) as pipes:
            await pipes.warm(f"127.0.0.1:{server.port}")
            burst.post(pipes, f"127.0.0.1:{server.port}", range(10), 5)
            burst.post(pipes, f"localhost:{server.port}", range(10, 20), 5)
            await asyncio.wait_for(burst.done.wait(), 60)
        assert set(burst.answers.values()) == {Refused(Reason.BLOCKED)}
        assert not server.links


@pytest.mark.parametrize("offered", [(), ("http/1.1",)])
async def test_without_h2_the_library_client_is_asked(offered: tuple[str, ...], tls: Authority, tmp_path: Path) -> None:
    old = authority(tmp_path, server_alpn=offered)
    asked: list[tuple[str, bytes, bytes]] = []

    async def fallback(origin: str, path: bytes, profile: Profile, body: bytes, within: float) -> Reply | Failure:
        asked.append((origin, path, body))
        await asyncio.sleep(0)
        return Reply(202, {}) if len(body) else Retry(Reason.BROKEN)

    async with hostile_server(old.server, Mute()) as server:
        burst = Burst(posts(Random(1), 200, (0, 300)))
        origin = f"localhost:{server.port}"
        async with open_pipes(old, fallback=fallback) as pipes:
            await burst.send(pipes, origin, Random(1))
        assert not burst.wrongs
        assert sorted(asked) == sorted((origin, post.path, post.body) for post in burst.posts)
        for ref, post in enumerate(burst.posts):
            assert isinstance(burst.answers[ref], Reply) == bool(post.body)
        assert not list(server.requests())


async def test_a_server_that_stops_reading_costs_neither_memory_nor_others(tls: Authority) -> None:
    one = Post(b"/same", PROFILES[0], bytes(40_000))
    async with (
        hostile_server(tls.server, Generous(), Stopping(200_000)) as stuck,
        hostile_server(tls.server, Gather(Random(1), 9)) as lively,
    ):
        held, burst = Burst([one] * 2_000), Burst(posts(Random(1), 200))
        async with open_pipes(tls) as pipes:
            tracemalloc.start()
            try:
                held.post(pipes, f"localhost:{stuck.port}", range(2_000), within=6)
                await burst.send(pipes, f"localhost:{lively.port}", Random(1), within=60, at_most=90)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert endings(burst) == {201}
            await asyncio.wait_for(held.done.wait(), 60)
            for link in stuck.links:
                link.abort()  # it would not notice that we hung up
        assert not held.wrongs
        assert endings(held) <= {201, Reason.TIMEOUT, Reason.CONNECT, Reason.BROKEN}
        assert Reason.CONNECT in endings(held)  # those that were never written
        assert peak < 32 * 2**20  # of 80 million octets posted
        judge(lively, burst)


async def test_a_server_that_never_takes_anything_is_not_stormed(tls: Authority) -> None:
    async with hostile_server(tls.server, Leaving()) as server:
        burst = Burst(posts(Random(1), 100))
        async with open_pipes(tls) as pipes:
            await burst.send(pipes, f"localhost:{server.port}", Random(1), within=2)
        judge(server, burst)
        assert endings(burst) == {Reason.CONNECT}
        assert len(server.links) < 100


async def test_always_refused_ends(tls: Authority) -> None:
    random = Random(1)
    async with hostile_server(tls.server, Resetting(random, ErrorCodes.REFUSED_STREAM, 1, "came")) as server:
        burst = Burst(posts(random, 50))
        async with open_pipes(tls) as pipes:
            await burst.send(pipes, f"localhost:{server.port}", random, within=2)
        judge(server, burst)
        assert endings(burst) == {Reason.CONNECT}
        assert len(list(server.requests())) < 50 * 20


@pytest.mark.parametrize("moment", ["before connecting", "in flight"])
async def test_closing_answers_what_is_left(moment: str, tls: Authority) -> None:
    async with hostile_server(tls.server, Initially(max_concurrent_streams=5), Mute()) as server:
        burst = Burst(posts(Random(1), 40))
        async with open_pipes(tls, connections=1) as pipes:
            burst.post(pipes, f"localhost:{server.port}", range(40), within=60)
            while moment == "in flight" and len(server.processed()) < 5:
                await asyncio.sleep(0.001)
        judge(server, burst)
        assert endings(burst) == ({Reason.CONNECT} if moment != "in flight" else {Reason.BROKEN, Reason.CONNECT})


async def test_warm_opens_and_sends_nothing(tls: Authority) -> None:
    async with hostile_server(tls.server) as server:
        burst = Burst(posts(Random(1), 1))
        async with open_pipes(tls, connections=1) as pipes:
            await pipes.warm(f"localhost:{server.port}")
            assert len(server.links) == 1
            assert not list(server.requests())
            await burst.send(pipes, f"localhost:{server.port}", Random(1))
        faithful(server, burst)
        assert len(server.links) == 1
