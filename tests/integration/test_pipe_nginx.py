"""The HTTP/2 sender against real servers: nginx and nghttpd."""

import asyncio
import shutil
import signal
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from adapters.exchange import Failure, Reply
from adapters.webpush.pipes import Pipes, Profile
from alertd.domain.delivery import Reason, Refused, Retry
from tests.support.clock import RealClock

PROFILE = Profile(((b"ttl", b"60"), (b"urgency", b"high"), (b"authorization", b"vapid t=" + b"e" * 250)))
NGINX, NGHTTPD = shutil.which("nginx") or "/usr/sbin/nginx", shutil.which("nghttpd") or "/usr/sbin/nghttpd"
needs_nginx = pytest.mark.skipif(not Path(NGINX).exists(), reason="needs nginx")
needs_nghttpd = pytest.mark.skipif(not Path(NGHTTPD).exists(), reason="needs nghttpd")
CREATED = "return 201;"


@dataclass
class Server:
    """A process that listens. `log` is what nginx says it answered."""

    process: asyncio.subprocess.Process
    port: int
    client: ssl.SSLContext
    log: Path

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self.port}"

    def answered(self) -> Counter[str]:
        """How often each path was, by nginx's own log."""
        return Counter(line.split()[1] for line in self.log.read_text().splitlines() if line.startswith("201 "))


@dataclass
class Burst:
    """Outcomes by number, each of which may come once."""

    outcomes: dict[int, Reply | Failure] = field(default_factory=dict)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    def answered(self, ref: int, outcome: Reply | Failure) -> None:
        assert ref not in self.outcomes
        self.outcomes[ref] = outcome
        self.came.set()

    def post(self, pipes: Pipes, origin: str, refs: range, *, body: bytes = b"b" * 300, within: float = 30) -> None:
        for ref in refs:
            pipes.post(origin, b"/push/%d" % ref, PROFILE, body, ref, self.answered, within=within)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(180):
            while len(self.outcomes) < count:
                self.came.clear()
                await self.came.wait()

    def kinds(self) -> Counter[object]:
        return Counter(one.status if isinstance(one, Reply) else one for one in self.outcomes.values())


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("nginx")
    ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificate = ca.issue_cert("localhost", "127.0.0.1", key_type=trustme.KeyType.ECDSA)
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in certificate.cert_chain_pems))
    return folder


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running(keys: Path, log: Path, port: int, *command: str) -> AsyncIterator[Server]:
    devnull = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(*command, stdout=devnull, stderr=devnull)
    try:
        async with asyncio.timeout(180):
            while not await listens(port):
                assert process.returncode is None, "it did not start"
                await asyncio.sleep(0.02)
        yield Server(process, port, ssl.create_default_context(cafile=str(keys / "ca.pem")), log)
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), 60)


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


@asynccontextmanager
async def nginx(
    keys: Path, folder: Path, *, say: str = CREATED, http2: str = "http2", more: str = ""
) -> AsyncIterator[Server]:
    """One worker; `more` goes into the server block."""
    port = free_port()
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;"
        "events { worker_connections 512; }"
        f"http {{ {places} log_format l '$status $uri'; access_log {folder}/access.log l;"
        f"server {{ listen 127.0.0.1:{port} ssl {http2}; ssl_certificate {keys}/cert.pem;"
        f"ssl_certificate_key {keys}/key.pem; {more} location / {{ {say} }} }} }}"
    )
    folder.chmod(0o755)
    command = (NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log"))
    async with running(keys, folder / "access.log", port, *command) as server:
        yield server


@asynccontextmanager
async def nghttpd(keys: Path, folder: Path, *options: str) -> AsyncIterator[Server]:
    port = free_port()
    files = (str(keys / "key.pem"), str(keys / "cert.pem"))
    command = (NGHTTPD, "-a", "127.0.0.1", "-d", str(folder), *options, str(port), *files)
    async with running(keys, folder / "none", port, *command) as server:
        yield server


async def no_fallback(*_: object) -> Reply | Failure:
    raise AssertionError("the server speaks HTTP/2")


@asynccontextmanager
async def pipes_to(
    server: Server,
    *,
    connections: int = 4,
    fallback: Callable[..., Awaitable[Reply | Failure]] = no_fallback,
    permitted: bool = True,
) -> AsyncIterator[Pipes]:
    pipes = Pipes(
        server.client, lambda _: permitted, RealClock(), timeout=10, connections=connections, fallback=fallback
    )
    try:
        yield pipes
    finally:
        await pipes.close()


# --- nginx --------------------------------------------------------------------------------------------------------


@needs_nginx
@pytest.mark.parametrize("lifetime", [50, 1_000, 1_000_000])
@pytest.mark.parametrize("streams", [1, 128])
async def test_every_post_arrives_once_however_long_connections_live(
    keys: Path, tmp_path: Path, lifetime: int, streams: int
) -> None:
    more = f"keepalive_requests {lifetime}; http2_max_concurrent_streams {streams};"
    count = 3_000 if streams > 1 else 300
    async with nginx(keys, tmp_path, more=more) as server, pipes_to(server) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(count))
        await burst.until(count)
    assert burst.kinds() == {201: count}
    assert server.answered() == {f"/push/{ref}": 1 for ref in range(count)}


@needs_nginx
async def test_a_reload_in_the_middle_is_not_noticed(keys: Path, tmp_path: Path) -> None:
    async with nginx(keys, tmp_path) as server, pipes_to(server) as pipes:
        burst = Burst()
        for part in range(5):
            burst.post(pipes, server.origin, range(part * 400, part * 400 + 400))
            await burst.until(part * 400 + 100)
            server.process.send_signal(signal.SIGHUP)
        await burst.until(2_000)
    assert burst.kinds() == {201: 2_000}
    assert server.answered().total() == 2_000


@needs_nginx
async def test_a_server_that_dies_leaves_what_was_written_unknown(keys: Path, tmp_path: Path) -> None:
    async with nginx(keys, tmp_path) as server, pipes_to(server) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(3_000))
        await burst.until(500)
        server.process.send_signal(signal.SIGTERM)  # at once, without a word
        await burst.until(3_000)
        assert burst.kinds().keys() <= {201, Retry(Reason.BROKEN), Retry(Reason.CONNECT)}
        never = {f"/push/{ref}" for ref, one in burst.outcomes.items() if one == Retry(Reason.CONNECT)}
        assert not never & server.answered().keys()


@needs_nginx
@pytest.mark.parametrize(
    ("size", "say"), [(0, CREATED), (4_096, CREATED), (200_000, "return 413;"), (10, "return 410;")]
)
async def test_bodies_of_any_size_and_answers_of_any_kind(keys: Path, tmp_path: Path, size: int, say: str) -> None:
    async with nginx(keys, tmp_path, say=say) as server, pipes_to(server) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(50), body=bytes(size))
        await burst.until(50)
    assert burst.kinds() == {int(say.split()[1].strip(";")): 50}


@needs_nginx
async def test_strain_halves_what_is_in_flight_and_success_lets_it_grow(keys: Path, tmp_path: Path) -> None:
    say = 'if ($request_uri ~ "/push/[0-9]$") { return 429; } return 201;'
    async with nginx(keys, tmp_path, say=say) as server, pipes_to(server) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(10))
        await burst.until(10)
        pace = pipes._origins[server.origin]._pace
        strained = pace.limit
        assert 1 <= strained <= 10
        burst.post(pipes, server.origin, range(10, 1_010))
        await burst.until(1_010)
        assert pace.limit > strained
    assert burst.kinds() == {429: 10, 201: 1_000}


@needs_nginx
async def test_warm_opens_one_connection_that_is_used(keys: Path, tmp_path: Path) -> None:
    async with nginx(keys, tmp_path) as server, pipes_to(server) as pipes:
        await pipes.warm(server.origin)
        await pipes.warm(server.origin)
        [pipe] = pipes._origins[server.origin]._fleet.pipes
        burst = Burst()
        burst.post(pipes, server.origin, range(1))
        await burst.until(1)
        assert pipes._origins[server.origin]._fleet.pipes == [pipe]


@needs_nginx
async def test_withdrawn_requests_are_not_answered_and_the_rest_is(keys: Path, tmp_path: Path) -> None:
    async with nginx(keys, tmp_path) as server, pipes_to(server, connections=1) as pipes:
        withdrawn, kept = Burst(), Burst()
        withdrawn.post(pipes, server.origin, range(2_000))
        kept.post(pipes, server.origin, range(2_000, 2_050))
        await withdrawn.until(10)
        known = len(withdrawn.outcomes)
        pipes.cancel(withdrawn.answered)
        await kept.until(50)
        assert len(withdrawn.outcomes) == known
    assert kept.kinds() == {201: 50}
    assert server.answered().total() < 2_050


@needs_nginx
async def test_without_h2_the_library_client_is_asked(keys: Path, tmp_path: Path) -> None:
    asked: list[tuple[str, bytes, Profile, bytes]] = []

    async def fallback(origin: str, path: bytes, profile: Profile, body: bytes, within: float) -> Reply | Failure:
        asked.append((origin, path, profile, body))
        assert 0 < within <= 30
        return Reply(201, {})

    async with nginx(keys, tmp_path, http2="") as server, pipes_to(server, fallback=fallback) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(200))
        await burst.until(200)
    assert burst.kinds() == {201: 200}
    assert asked[0] == (server.origin, b"/push/0", PROFILE, b"b" * 300)


@needs_nginx
async def test_an_unknown_authority_and_a_wrong_name_get_no_data(keys: Path, tmp_path: Path) -> None:
    async with nginx(keys, tmp_path) as server:
        server.client = ssl.create_default_context()
        async with pipes_to(server) as pipes:
            burst = Burst()
            burst.post(pipes, server.origin, range(3))
            burst.post(pipes, f"127.0.0.2:{server.port}", range(3, 4))
            await burst.until(4)
        assert burst.kinds() == {Retry(Reason.CONNECT): 4}
        assert server.answered().total() == 0


@needs_nginx
async def test_a_forbidden_address_is_not_connected_to(keys: Path, tmp_path: Path) -> None:
    async with nginx(keys, tmp_path) as server, pipes_to(server, permitted=False) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(3))
        burst.post(pipes, f"localhost:{server.port}", range(3, 6))
        await burst.until(6)
    assert burst.kinds() == {Refused(Reason.BLOCKED): 6}


async def test_a_context_that_does_not_verify_is_refused() -> None:
    context = ssl.create_default_context()
    context.check_hostname = False
    with pytest.raises(ValueError, match="verify"):
        Pipes(context, lambda _: True, RealClock(), timeout=1, connections=1, fallback=no_fallback)


# --- nghttpd ------------------------------------------------------------------------------------------------------


@needs_nghttpd
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--max-concurrent-streams=1",),
        ("--header-table-size=0",),
        ("--header-table-size=65536", "--encoder-header-table-size=65536"),
        ("--window-bits=5", "--connection-window-bits=8"),
        ("--trailer=x-checksum: 1",),
        ("--padding=200",),
        ("--error-gzip",),
        ("--early-response",),
    ],
    ids=" ".join,
)
async def test_nghttpd_in_its_moods(keys: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    async with nghttpd(keys, tmp_path, "--echo-upload", *options) as server, pipes_to(server) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(500), body=b"b" * 1_000)
        await burst.until(500)
    assert set(burst.kinds()) <= {200, 404}


@needs_nghttpd
async def test_answers_with_bodies_longer_than_we_care_for(keys: Path, tmp_path: Path) -> None:
    async with nghttpd(keys, tmp_path, "--echo-upload") as server, pipes_to(server, connections=1) as pipes:
        burst = Burst()
        burst.post(pipes, server.origin, range(100), body=bytes(200_000))
        await burst.until(100)
    assert burst.kinds() == {200: 100}
