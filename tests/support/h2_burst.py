"""Bursts of posts through the real sender to the misbehaving server, and the judgement on what came of them."""

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import trustme

from adapters.exchange import Failure, Reply
from adapters.webpush.pipes import Pipes, Profile
from alertd.domain.delivery import Reason, Retry
from tests.support.h2_server import HostileServer

PROFILES = (
    Profile(((b"ttl", b"86400"), (b"urgency", b"high"), (b"content-encoding", b"aes128gcm"))),
    Profile(((b"ttl", b"60"), (b"topic", b"dGhyZWFk"), (b"authorization", b"vapid t=" + b"e" * 200 + b", k=BA"))),
)


@dataclass(frozen=True)
class Authority:
    """Both ends of TLS: who trusts the test's authority, and who has its certificate for the loopback."""

    client: ssl.SSLContext
    server: ssl.SSLContext


def authority(
    folder: Path,
    *names: str,
    client_alpn: Sequence[str] = ("h2", "http/1.1"),
    server_alpn: Sequence[str] = ("h2",),
) -> Authority:
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    path = folder / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    client = ssl.create_default_context(cafile=str(path))
    client.set_alpn_protocols(list(client_alpn))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate = ca.issue_cert(*(names or ("localhost", "127.0.0.1")), key_type=trustme.KeyType.ECDSA)
    certificate.configure_cert(server)
    if server_alpn:
        server.set_alpn_protocols(list(server_alpn))
    return Authority(client, server)


@dataclass(frozen=True)
class Post:
    path: bytes
    profile: Profile
    body: bytes


def posts(random: Random, count: int, sizes: Sequence[int] = (0, 1, 300, 301, 4_096)) -> list[Post]:
    """Posts of distinct paths and bodies."""
    made = []
    for number in range(count):
        size = random.choice(sizes)
        path = f"/push/{number}/{random.randbytes(random.randint(4, 60)).hex()}"
        made.append(Post(path.encode(), random.choice(PROFILES), random.randbytes(size)))
    return made


@dataclass
class Burst:
    """What became of posts; `done` once each has its answer. An answer too many, or too early, fails at once."""

    posts: list[Post]
    answers: dict[int, Reply | Failure] = field(default_factory=dict)
    wrongs: list[str] = field(default_factory=list)
    done: asyncio.Event = field(default_factory=asyncio.Event)
    _posting: bool = False

    def answered(self, ref: int, outcome: Reply | Failure) -> None:
        if self._posting:
            self.wrongs.append(f"{ref} was answered from inside post()")
        if ref in self.answers:
            self.wrongs.append(f"{ref} was answered again: {self.answers[ref]}, then {outcome}")
        self.answers[ref] = outcome
        if len(self.answers) == len(self.posts):
            self.done.set()

    def post(self, pipes: Pipes, origin: str, numbers: Iterable[int], within: float) -> None:
        self._posting = True
        for ref in numbers:
            each = self.posts[ref]
            pipes.post(origin, each.path, each.profile, each.body, ref, self.answered, within=within)
        self._posting = False

    async def send(self, pipes: Pipes, origin: str, random: Random, *, within: float = 20, at_most: float = 40) -> None:
        """Post all, at once or in waves, and wait for the answers."""
        start, waves = 0, random.random() < 0.5
        while start < len(self.posts):
            end = min(start + random.randint(1, 60), len(self.posts)) if waves else len(self.posts)
            self.post(pipes, origin, range(start, end), within)
            start = end
            await asyncio.sleep(0)
        try:
            await asyncio.wait_for(self.done.wait(), at_most)
        except TimeoutError:
            missing = sorted(set(range(len(self.posts))) - set(self.answers))
            raise AssertionError(f"{len(missing)} never answered, among them {missing[:5]}; {self.tally()}") from None

    def tally(self) -> dict[str, int]:
        """How many of each outcome, for a message."""
        counts: dict[str, int] = {}
        for outcome in self.answers.values():
            name = str(outcome.status) if isinstance(outcome, Reply) else f"{type(outcome).__name__} {outcome.reason}"
            counts[name] = counts.get(name, 0) + 1
        return counts

    def replied(self) -> int:
        return sum(isinstance(outcome, Reply) for outcome in self.answers.values())


def judge(server: HostileServer, burst: Burst) -> None:
    """The rules that hold whatever the server does."""
    assert not burst.wrongs, burst.wrongs[:5]
    assert set(burst.answers) == set(range(len(burst.posts)))
    assert not server.all_faults(), server.all_faults()[:5]
    by_path = {post.path: ref for ref, post in enumerate(burst.posts)}
    processed: dict[int, list[str]] = {}
    for request in server.requests():
        ref = by_path[request.path]
        post = burst.posts[ref]
        assert post.body.startswith(request.body), f"{ref}: not what was posted"
        assert not request.whole or len(request.body) == len(post.body), f"{ref}: cut short"
        assert set(post.profile.headers) <= set(request.headers), f"{ref}: {request.headers}"
        if request.processed or request.fate.isdigit():
            processed.setdefault(ref, []).append(request.fate)
    for ref, outcome in burst.answers.items():
        fates = processed.get(ref, [])
        assert len(fates) <= 1, f"{ref} was processed {len(fates)} times: {fates}, told {outcome}"
        if isinstance(outcome, Reply):
            assert fates == [str(outcome.status)], f"{ref}: told {outcome.status}, the server says {fates}"
        else:
            _judge_failure(ref, outcome, fates)


def _judge_failure(ref: int, outcome: Failure, fates: list[str]) -> None:
    assert isinstance(outcome, Retry), f"{ref}: {outcome}"
    assert outcome.reason in {Reason.CONNECT, Reason.TIMEOUT, Reason.BROKEN}, f"{ref}: {outcome}"
    if outcome.reason is Reason.CONNECT:
        assert not fates, f"{ref}: told that nothing was sent, but {fates}"


def faithful(server: HostileServer, burst: Burst) -> None:
    """Where nothing was lost, each post has its reply; every PING and every SETTINGS has its acknowledgement."""
    judge(server, burst)
    assert burst.replied() == len(burst.posts), burst.tally()
    for link in server.links:
        if not link.gone and not link.transport.is_closing():
            assert link.ledger.settled, f"link {link.number}: SETTINGS not acknowledged"
            assert not link.ledger.pings, f"link {link.number}: {link.ledger.pings} PINGs not answered"
