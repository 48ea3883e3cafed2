"""Against Postfix's own smtp-sink, which offers PIPELINING, and against aiosmtpd."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiosmtpd import smtp as aiosmtpd

from alertd.domain.delivery import Accepted
from tests.support import notices
from tests.support.mail_stand import mail, parcels, send

SINK = shutil.which("smtp-sink", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/lib/postfix/sbin")
needs_postfix = pytest.mark.skipif(SINK is None, reason="Postfix's smtp-sink is not installed")


@asynccontextmanager
async def sink(folder: Path, port: int) -> AsyncIterator[None]:
    """Each message in a file of its own, as it came."""
    folder.chmod(0o777)
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    process = await asyncio.create_subprocess_exec(
        str(SINK), *user, "-R", str(folder), "-d", "%M.", f"127.0.0.1:{port}", "100"
    )
    try:
        async with asyncio.timeout(180):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield
    finally:
        process.terminate()
        await process.wait()


@needs_postfix
async def test_everything_arrives_at_the_sink(tmp_path: Path, unused_port: int) -> None:
    tmp_path.parent.chmod(0o755)
    async with sink(tmp_path, unused_port), mail(unused_port, connections=4) as adapter:
        verdicts, letter = await send(adapter, parcels(400), notices.notice(text=".dot\n..two\n.\nend"))
    assert all(isinstance(verdict, Accepted) for verdict in verdicts.values())
    found = [path.read_bytes() for path in tmp_path.iterdir()]
    assert len(found) == 400
    tail = letter.replace(b"\r\n", b"\n").strip()
    assert all(tail in message.replace(b"\r\n", b"\n") for message in found)
    rcpts = {line for message in found for line in message.splitlines() if line.startswith(b"To: ")}
    assert len(rcpts) == 400


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Box:
    """aiosmtpd's handler, with PIPELINING offered."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes]] = []

    async def handle_EHLO(  # noqa: N802
        self, _server: object, session: Any, _envelope: object, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: object, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if address.startswith("citizen7"):
            return "550 5.1.1 unknown"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 taken"


@asynccontextmanager
async def aiosmtpd_of(box: Box, implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[int]:
    sessions: list[aiosmtpd.SMTP] = []

    def session() -> aiosmtpd.SMTP:
        sessions.append(aiosmtpd.SMTP(box, hostname="relay.test", loop=asyncio.get_running_loop(), **options))
        return sessions[-1]

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=implicit)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        tasks = [each._handler_coroutine for each in sessions if each._handler_coroutine is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for each in sessions:
            if each.transport is not None:
                each.transport.abort()


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
async def test_a_burst_to_aiosmtpd(tmp_path: Path, tls: str) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    options: dict[str, Any] = {"tls_context": context, "require_starttls": True} if tls == "starttls" else {}
    ours = {"tls": tls, "ca_file": str(tmp_path / "ca.pem"), "connections": 3}
    box = Box()
    async with (
        aiosmtpd_of(box, context if tls == "implicit" else None, **options) as port,
        mail(port, **ours) as adapter,
    ):
        for _ in range(2):  # the second time over connections that rested
            box.got.clear()
            verdicts, letter = await send(adapter, parcels(90))
            accepted = {number for number, verdict in verdicts.items() if isinstance(verdict, Accepted)}
            assert accepted == {n for n in range(1, 91) if not str(n).startswith("7")}
            assert sorted(rcpts[0] for _, rcpts, _ in box.got) == sorted(f"citizen{n}@example.org" for n in accepted)
            assert all(content.endswith(letter) for _, _, content in box.got)
        assert adapter.pool.resting <= 3
