"""A feed of ten thousand alerts: how fast it is read against nginx with the same bytes as a file, whether accepting
an alert suffers while readers make the daemon put it together anew, and how late its loop is meanwhile.

h2load asks, over HTTP/1.1. The daemon slows a stranger after 600 requests, so it is told of another one for each turn
of the clients (trust_forwarded), and nginx is asked in the same turns.
"""

import asyncio
import gzip
import itertools
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import aiohttp

from alertd.sandbox.sandbox import Sandbox
from tests.acceptance.place import MAIL, channels_of
from tests.acceptance.town import Town, free_port, town
from tests.bench.feed_lag import lag
from tests.bench.figures import quantile
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Target, command, program, rounds
from tests.bench.sinks import _running
from tests.bench.stage import emergency
from tests.support.crowd import fill

OURS, NGINX = "alertd", "nginx, a file"
QUIET, READ = "nobody reads", "the feed is read all the time"
_PATH = "/feed.atom"
_TURN = 500
"""Requests of one stranger; the daemon's bound is 600 at once."""
_CLIENTS = 8
_ACCEPTS = 100
_PAUSE = 0.02
_WITHIN = 60.0
_FINISHED = re.compile(r"finished in ([0-9.]+)(us|ms|s), ")
_CODES = re.compile(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_CONF = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    {temporary}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = {path} {{
            alias {folder}/feed;
            default_type application/atom+xml;
            add_header Content-Encoding gzip;
            add_header Cache-Control "public, max-age=15";
        }}
    }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class _Place:
    """A server, and the validator of what it serves at `_PATH`."""

    url: str
    etag: str


async def measure(bench: Bench) -> list[Section]:
    h2load = program("h2load", "apt install nghttp2-client")
    nginx = program("nginx", "apt install nginx-light")
    alerts = bench.pick(10_000, 2_000)
    async with Sandbox(bench.folder / "sandbox") as sandbox:
        channels = channels_of(sandbox, (MAIL,), None)
        async with town(bench.folder / "town", channels, extra="trust_forwarded = true") as here:
            await here.start()
            await here.enrol([_citizen()])
            fill(here.state / "alertd.db", alerts)
            body, ours = await _whole(here)
            async with _file(bench.folder / "nginx", nginx, body) as theirs:
                size = f"{alerts:,} alerts, {len(body):,} bytes, {len(gzip.decompress(body)):,} before gzip"
                read = partial(_read, h2load, {OURS: ours, NGINX: theirs}, bench.pick(4, 1))
                sections = [
                    await rounds(bench, _group("feed", "Reading a feed", f"GET of {size}", read, known=False)),
                    await rounds(
                        bench, _group("feed304", "Asking again", f"If-None-Match: 304; {size}", read, known=True)
                    ),
                ]
            sections.append(await _accepting(bench, here, alerts))
    sections.append(await lag(bench))
    return sections


def _group(key: str, title: str, work: str, read: partial, *, known: bool) -> Group:
    """Of the whole feed the kernel does most; of a 304 everything is the server's."""
    return Group(
        key=key,
        title=title,
        work=work,
        figure=Figure.RATE,
        unit="requests/s",
        peer=NGINX,
        contestants=(
            Contestant(OURS, f"{_CLIENTS} connections of h2load", partial(read, OURS, known=known)),
            Contestant(NGINX, "the very bytes, one worker", partial(read, NGINX, known=known), peer=True),
        ),
        targets=(Target(OURS, NGINX),),
        silent=("h2load and the server share the cores; nginx sends a file from the page cache and keeps no log.",),
    )


async def _read(h2load: Path, places: dict[str, _Place], turns: int, who: str, *, known: bool) -> Outcome:
    place, seconds = places[who], 0.0
    for _ in range(turns):
        headers = ["-H", "Accept-Encoding: gzip", "-H", f"X-Forwarded-For: {next(_STRANGERS)}"]
        headers += ["-H", f"If-None-Match: {place.etag}"] if known else []
        argv = [h2load, "--h1", "-n", str(_TURN), "-c", str(_CLIENTS), *headers, place.url + _PATH]
        told = (await command(argv, seconds=_WITHIN)).stdout
        codes, ended = _CODES.search(told), _FINISHED.search(told)
        assert codes and ended, told
        wanted = ("0", str(_TURN), "0", "0") if known else (str(_TURN), "0", "0", "0")
        assert codes.groups() == wanted, told
        seconds += float(ended[1]) * _UNITS[ended[2]]
    return Outcome(turns * _TURN, seconds)


def _strangers() -> Iterator[str]:
    for number in itertools.count(1):
        yield f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


_STRANGERS = _strangers()


async def _whole(here: Town) -> tuple[bytes, _Place]:
    """The compressed feed as the daemon sends it."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        async with session.get(here.url + _PATH, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.status == 200
            return await answer.read(), _Place(here.url, answer.headers["ETag"])


@asynccontextmanager
async def _file(folder: Path, binary: Path, body: bytes) -> AsyncIterator[_Place]:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    (folder / "feed").write_bytes(body)
    port = free_port()
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY)
    (folder / "nginx.conf").write_text(_CONF.format(folder=folder, port=port, path=_PATH, temporary=temporary))
    async with _running([binary, "-p", folder, "-c", folder / "nginx.conf"], folder / "nginx.out", port):
        url = f"http://127.0.0.1:{port}"
        async with aiohttp.ClientSession(auto_decompress=False) as session, session.get(url + _PATH) as answer:
            assert await answer.read() == body
            yield _Place(url, answer.headers["ETag"])


# --- accepting ----------------------------------------------------------------------------------------------------


async def _accepting(bench: Bench, here: Town, alerts: int) -> Section:
    return await rounds(
        bench,
        Group(
            key="feedcalm",
            title="Accepting while a large feed is read",
            work=f"POST → 202 of {_ACCEPTS} emergencies, p99; each changes a feed of {alerts:,} alerts",
            figure=Figure.SECONDS,
            unit="s at p99",
            peer=QUIET,
            contestants=(
                Contestant(QUIET, "nothing is put together", partial(_accept, here, read=False)),
                Contestant(READ, "every copy is replaced as soon as it may be", partial(_accept, here, read=True)),
            ),
            targets=(Target(READ, QUIET, most=6),),
            silent=("Sandbox, daemon and whoever asks share the same cores: a part of the wait is theirs.",),
        ),
    )


async def _accept(here: Town, *, read: bool) -> Outcome:
    seen: set[str] = set()
    reader = asyncio.create_task(_keep_reading(here, seen)) if read else None
    took: list[float] = []
    try:
        for _ in range(_ACCEPTS):
            began = time.perf_counter()
            await here.send(emergency())
            took.append(time.perf_counter() - began)
            await asyncio.sleep(_PAUSE)
    finally:
        if reader:
            reader.cancel()
    assert not read or len(seen) > 1, "the feed was never made anew"
    figures = {"p50 ms": quantile(took, 0.5) * 1000, "max ms": max(took) * 1000, "feeds made": float(len(seen))}
    return Outcome(len(took), quantile(took, 0.99), figures=figures)


async def _keep_reading(here: Town, seen: set[str]) -> None:
    """Only heads, so that reading bodies costs the machine nothing; they make the daemon make the feed all the same."""
    while True:
        headers = {"Accept-Encoding": "gzip", "X-Forwarded-For": next(_STRANGERS)}
        async with here.session.head(here.url + _PATH, headers=headers) as answer:
            assert answer.status == 200
            seen.add(answer.headers["ETag"])
        await asyncio.sleep(_PAUSE)


def _citizen() -> dict[str, object]:
    return {
        "language": "it",
        "zones": ["048028"],
        "purposes": ["emergency"],
        "endpoints": [{"channel": MAIL, "address": "citizen1@example.org"}],
    }
