"""The demo's town: stand-ins for the providers, a daemon that sends to them, in one temporary folder."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from rich.console import Console

from alertd.cli.client import Client
from alertd.cli.demo.processes import Process, alertd, last_words
from alertd.cli.errors import Failure
from alertd.sandbox.config import channels_toml
from alertd.sandbox.description import Description

_PORT = 8470
_PATIENCE = 60.0
_STOP = 15.0
_POLL = 0.05
_OK = 200

_CONFIG = """\
[service]
name = "Comune di Montelupo Fiorentino (demo)"
sender = "protezionecivile@comune.example.it"
languages = ["it-IT", "en-GB"]
state = {state}

[api]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"

{channels}
"""


@dataclass(frozen=True, slots=True)
class Stand:
    """A daemon at `url` with its admin token, and the stand-ins' control door."""

    url: str
    token: str
    config: Path
    control_url: str

    def client(self) -> Client:
        return Client(self.url, self.token)

    async def received(self) -> Mapping[str, Mapping[str, Any]]:
        """What each stand-in says it received."""
        async with aiohttp.ClientSession() as http, http.get(f"{self.control_url}/_sandbox/stats") as answer:
            stats: Mapping[str, Mapping[str, Any]] = await answer.json()
            return stats

    async def subscriptions(self, count: int) -> AsyncIterator[bytes]:
        """Push subscriptions, one JSON each."""
        url = f"{self.control_url}/_sandbox/subscriptions?count={count}"
        unhurried = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=unhurried) as http, http.get(url) as answer:
            async for line in answer.content:
                yield line


@asynccontextmanager
async def standing(folder: Path, console: Console) -> AsyncIterator[Stand]:
    """Start both, wait until they answer; end both on the way out."""
    sandbox_log, daemon_log = folder / "sandbox.log", folder / "daemon.log"
    arguments = ["sandbox", "--folder", str(folder / "sandbox")]
    async with alertd(arguments, sandbox_log, patience=_STOP) as sandbox:
        description = await _described(sandbox, sandbox_log)
        port = _free_port()
        config, state = folder / "alertd.toml", folder / "state"
        config.write_text(_CONFIG.format(state=json.dumps(str(state)), port=port, channels=channels_toml(description)))
        url = f"http://127.0.0.1:{port}"
        async with alertd(["run", "--config", str(config)], daemon_log, patience=_STOP) as daemon:
            reading = asyncio.create_task(_drained(daemon))
            try:
                await _answers(daemon, url)
                console.print(f"Stand-ins and daemon are up; the daemon listens on {url}")
                token = (state / "bootstrap-token").read_text().strip()
                yield Stand(url, token, config, description.control_url)
            except Failure as failure:
                ended = f" It ended with {daemon.returncode}." if daemon.returncode is not None else ""
                raise Failure(f"{failure}\nThe daemon's last words:{ended}\n{last_words(daemon_log)}") from None
            finally:
                reading.cancel()


async def _described(sandbox: Process, log: Path) -> Description:
    assert sandbox.stdout is not None
    line = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            line = await sandbox.stdout.readline()
    if not line:
        raise Failure(f"The stand-ins did not start:\n{last_words(log)}")
    return Description.from_json(line)


async def _answers(daemon: Process, url: str) -> None:
    """Return once the daemon takes work."""
    ready = asyncio.create_task(_ready(url))
    ended = asyncio.create_task(daemon.wait())
    try:
        async with asyncio.timeout(_PATIENCE):
            await asyncio.wait({ready, ended}, return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        raise Failure(f"The daemon did not answer in {_PATIENCE:.0f} s.") from None
    finally:
        ready.cancel()
        ended.cancel()
    if daemon.returncode is not None:
        raise Failure("The daemon ended at once.")


async def _ready(url: str) -> None:
    async with aiohttp.ClientSession() as http:
        while True:
            with suppress(aiohttp.ClientError):
                async with http.get(f"{url}/readyz") as answer:
                    if answer.status == _OK:
                        return
            await asyncio.sleep(_POLL)


async def _drained(process: Process) -> None:
    """Read what it prints, so that it never waits for a full pipe."""
    assert process.stdout is not None
    while await process.stdout.read(65_536):
        pass


def _free_port() -> int:
    """The contract's own port where nobody has it, else any."""
    for wanted in (_PORT, 0):
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", wanted))
            port: int = probe.getsockname()[1]
            return port
    raise Failure("There is no free port on 127.0.0.1")
