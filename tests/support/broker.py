"""An MQTT broker: amqtt in this process, or Debian's mosquitto in its own."""

import asyncio
import contextlib
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trustme
from amqtt.broker import Broker
from amqtt.contexts import BrokerConfig

from tests.acceptance.town import free_port

USER, PASSWORD = "alertd", "correct horse"
_PLUGINS = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
_START = 60.0


@asynccontextmanager
async def amqtt_broker(port: int | None = None, *, trust: "Certificates | None" = None) -> AsyncIterator[int]:
    """Its port; over TLS with `trust`."""
    port = port or free_port()
    listener: dict[str, object] = {"type": "tcp", "bind": f"127.0.0.1:{port}"}
    if trust is not None:
        chain, key = map(str, trust.server)
        listener |= {"ssl": True, "cafile": str(trust.ca_file), "certfile": chain, "keyfile": key}
    config = BrokerConfig.from_dict({"listeners": {"default": listener}, "plugins": _PLUGINS})
    broker = Broker(config)
    await broker.start()
    try:
        yield port
    finally:
        await broker.shutdown()


def mosquitto_program() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class Certificates:
    """A town hall's own authority: `server` is the broker's certificate, `client` ours; each with its key."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._authority = trustme.CA()
        self._folder = folder
        self.ca_file = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.ca_file)
        self.server = self.issue("server", "localhost")
        self.client = self.issue("client", "alertd.comune.example.it")

    def issue(self, name: str, host: str) -> tuple[Path, Path]:
        """A certificate for the host, and its key."""
        issued = self._authority.issue_cert(host)
        chain, key = self._folder / f"{name}.pem", self._folder / f"{name}.key"
        chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(key)
        return chain, key

    def settings(self, *, ask: bool = False) -> tuple[str, ...]:
        """Mosquitto's own lines for its listener; `ask`: whoever comes must have a certificate of ours."""
        chain, key = self.server
        lines = (f"cafile {self.ca_file}", f"certfile {chain}", f"keyfile {key}")
        return (*lines, "require_certificate true") if ask else lines

    def context(self) -> ssl.SSLContext:
        """For a gauge that has a certificate."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        context.load_cert_chain(*self.client)
        return context


def password_file(folder: Path) -> Path:
    """USER with PASSWORD, as mosquitto_passwd writes it."""
    program = shutil.which("mosquitto_passwd")
    assert program is not None
    file = folder / "passwords"
    subprocess.run([program, "-b", "-c", str(file), USER, PASSWORD], check=True, capture_output=True, timeout=30)
    return file


class Mosquitto:
    """Debian's, on one port, with the lines of its listener; it must be installed. To be killed and started again."""

    def __init__(self, folder: Path, lines: Sequence[str] = ("allow_anonymous true",), *, keep: bool = False) -> None:
        self.port = free_port()
        self._folder = folder
        kept = (
            "persistence true",
            f"persistence_location {folder}/",
            "autosave_on_changes true",
            "autosave_interval 1",
        )
        # Started by root it would become somebody who may not read a test's folder.
        own = ("user root", f"log_dest file {folder / 'mosquitto.log'}", *(kept if keep else ()))
        every = (*own, f"listener {self.port} 127.0.0.1", *lines)
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(every) + "\n")
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        program = mosquitto_program()
        assert program is not None
        quiet = asyncio.subprocess.DEVNULL
        self._process = await asyncio.create_subprocess_exec(
            program, "-c", str(self._config), stdout=quiet, stderr=quiet
        )
        async with asyncio.timeout(_START):
            while True:
                assert self._process.returncode is None, f"mosquitto ended: {self._log()}"
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def stop(self, *, kill: bool = False) -> None:
        """`kill`: without a word, as a power cut does."""
        if self._process is not None and self._process.returncode is None:
            (self._process.kill if kill else self._process.terminate)()
            await self._process.wait()

    def _log(self) -> str:
        log = self._folder / "mosquitto.log"
        return log.read_text()[-2000:] if log.exists() else "it wrote no log"


@asynccontextmanager
async def mosquitto(folder: Path, *lines: str, keep: bool = False) -> AsyncIterator[Mosquitto]:
    """A running one; `keep`: what it holds for others outlives it."""
    broker = Mosquitto(folder, lines or ("allow_anonymous true",), keep=keep)
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()
