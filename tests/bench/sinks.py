"""What is sent to: nginx over TLS with HTTP/2, and Postfix's smtp-sink. On the loopback, ended by their process ids.

nginx counts the requests it read (ngx_http_stub_status_module), so that nobody's own word is needed for what arrived.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import trustme

from tests.acceptance.town import free_port
from tests.bench.measure import Skipped, program
from tests.bench.programs import end

KEEPALIVE_REQUESTS = 1_000
"""nginx's own default: after so many requests it ends the connection (on HTTP/2 with GOAWAY)."""
PATIENT = 1_000_000_000
"""As `keepalive_requests`: a connection lasts as long as the run. For h2load, which never opens another one."""
_ECHO = Path("/usr/lib/nginx/modules/ngx_http_echo_module.so")
_START = 10.0
_STOP = 5.0

_CONF = """
{modules}
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 8192; }}
http {{
    {temporary}
    log_format seen '$request_uri $status $content_length $server_protocol';
    keepalive_requests {keepalive};
    server {{
        listen 127.0.0.1:{port} ssl http2 backlog=1024;
        ssl_certificate {folder}/server.pem;
        ssl_certificate_key {folder}/server.key;
        access_log {log};
        location / {{ {answer} }}
        location @answer {{ return 201; }}
    }}
    server {{
        listen 127.0.0.1:{status};
        access_log off;
        location = /status {{ stub_status; }}
    }}
}}
"""
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@dataclass(frozen=True, slots=True)
class Authority:
    """Who vouches for the sinks of one measurement; a daemon trusts `ca_file`."""

    ca_file: Path
    ca: trustme.CA = field(repr=False)


def authority(folder: Path) -> Authority:
    ca = trustme.CA(organization_name="alertd benchmark")
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.cert_pem.bytes())
    return Authority(ca_file, ca)


@dataclass(slots=True)
class Nginx:
    """A running one. `log` lists `path status body-bytes protocol` of each request where one was asked for."""

    port: int
    pid: int
    log: Path | None
    status: str
    _asked: int = 0

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def requests(self) -> int:
        """How many it has read so far, but for these questions."""
        async with aiohttp.ClientSession() as session, session.get(self.status) as answer:
            words = (await answer.text()).split()
        self._asked += 1
        return int(words[words.index("requests") + 3]) - self._asked  # "accepts handled requests" and three numbers


@asynccontextmanager
async def nginx(
    folder: Path,
    trust: Authority,
    *,
    port: int | None = None,
    delay: float = 0.0,
    keepalive: int = KEEPALIVE_REQUESTS,
    log: bool = False,
) -> AsyncIterator[Nginx]:
    """Answers 201 to everything on `port`, after `delay` seconds. Skipped where nginx or its echo module is missing."""
    binary = program("nginx", "apt install nginx-light")
    if delay and not _ECHO.exists():
        raise Skipped("nginx's echo module is not installed: apt install libnginx-mod-http-echo")
    folder.mkdir(parents=True, exist_ok=True)
    port, status = port or free_port(), free_port()
    certificate = trust.ca.issue_cert("localhost", "127.0.0.1")
    (folder / "server.pem").write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    (folder / "server.key").write_bytes(certificate.private_key_pem.bytes())
    (folder / "nginx.conf").write_text(
        _CONF.format(
            modules=f"load_module {_ECHO};" if delay else "",
            folder=folder,
            temporary=" ".join(f"{kind}_temp_path {folder}/{kind};" for kind in _TEMPORARY),
            keepalive=keepalive,
            port=port,
            status=status,
            log=f"{folder}/seen.log seen" if log else "off",
            # The answer itself is the same as without the delay: `return` after the pause.
            answer=f"echo_status 201; echo_sleep {delay}; echo_exec @answer;" if delay else "return 201;",
        )
    )
    async with _running([binary, "-p", folder, "-c", folder / "nginx.conf"], folder / "nginx.out", port) as pid:
        yield Nginx(port, pid, folder / "seen.log" if log else None, f"http://127.0.0.1:{status}/status")


@dataclass(frozen=True, slots=True)
class SmtpSink:
    """Postfix's. It announces PIPELINING, 8BITMIME and more; it keeps nothing."""

    port: int
    pid: int


@asynccontextmanager
async def smtp_sink(folder: Path, *options: str) -> AsyncIterator[SmtpSink]:
    """`options` are smtp-sink's, see smtp-sink(1)."""
    binary = program("smtp-sink", "apt install postfix")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    who = ["-u", "nobody"] if os.geteuid() == 0 else []  # as root it insists on becoming somebody else
    async with _running([binary, *who, *options, f"127.0.0.1:{port}", "1024"], folder / "smtp-sink.out", port) as pid:
        yield SmtpSink(port, pid)


@asynccontextmanager
async def _running(argv: Sequence[str | Path], output: Path, port: int) -> AsyncIterator[int]:
    """The process id, once somebody listens on `port`; ended with the block."""
    with output.open("wb") as words:
        process = await asyncio.create_subprocess_exec(
            *map(str, argv), stdin=asyncio.subprocess.DEVNULL, stdout=words, stderr=words, start_new_session=True
        )
    try:
        await _listening(process, port, output)
        yield process.pid
    finally:
        await end(process, _STOP)


async def _listening(process: asyncio.subprocess.Process, port: int, output: Path) -> None:
    async with asyncio.timeout(_START):
        while True:
            if process.returncode is not None:
                raise RuntimeError(
                    f"ended with {process.returncode} at once: {output.read_text(errors='replace')[-2000:]}"
                )
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.01)
