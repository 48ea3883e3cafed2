"""The whole sandbox: its description, its control door, its life as a process."""

import asyncio
import json
import os
import signal
import socket
import sys
import tomllib
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import aiohttp
import pytest

from alertd.sandbox.config import CHANNEL_OF, channels, channels_toml
from alertd.sandbox.description import Description
from alertd.sandbox.faults import NONE, Fault, Faults, Kind, Phase
from alertd.sandbox.remote import RemoteSandbox
from alertd.sandbox.sandbox import Options, Sandbox

PROGRAM = "import asyncio, sys, pathlib; from alertd.sandbox.main import run; asyncio.run(run(int(sys.argv[1]), pathlib.Path(sys.argv[2])))"


async def test_the_toml_says_what_the_tables_say(tmp_path: Path) -> None:
    async with Sandbox(tmp_path) as sandbox:
        read = tomllib.loads(channels_toml(sandbox.description))["channels"]
        assert read == channels(sandbox.description)
        assert read.keys() == CHANNEL_OF.keys()
        assert (tmp_path / "bot-token").read_text() == sandbox.bot.token
        assert read["bot"]["token"] == {"file": str(tmp_path / "bot-token")}
        assert (tmp_path / "bot-token").stat().st_mode & 0o077 == 0
        assert Description.from_json(sandbox.description.to_json()) == sandbox.description


async def test_a_restart_is_known_as_before(tmp_path: Path) -> None:
    ports = Options(port_base=free_ports())
    seen = []
    for _ in range(2):
        async with Sandbox(tmp_path, ports) as sandbox:
            authority = (tmp_path / "ca.pem").read_text()
            seen.append((asdict(sandbox.description), list(sandbox.push.subscriptions(3)), authority))
    assert seen[0] == seen[1]


async def test_a_taken_port_stops_all_again(tmp_path: Path) -> None:
    base = free_ports()
    with socket.create_server(("127.0.0.1", base + 4)), pytest.raises(OSError, match="address already in use"):
        async with Sandbox(tmp_path, Options(port_base=base)):
            pass
    async with Sandbox(tmp_path, Options(port_base=base)):
        pass


async def test_steering_from_outside(tmp_path: Path) -> None:
    async with Sandbox(tmp_path) as sandbox, RemoteSandbox(sandbox.description.control_url) as remote:
        assert await remote.describe() == sandbox.description
        assert [s async for s in remote.subscriptions(1_200, 5)] == list(sandbox.push.subscriptions(1_200, 5))
        fault = Fault(Kind.STATUS, phase=Phase.RCPT, recipients=frozenset({"a"}), status=450, first=3, lasts=2.5)
        await remote.set_faults(mail=Faults((fault,)), bot=Faults(gone=frozenset({"1"})))
        assert sandbox.mail.faults == Faults((fault,))
        assert sandbox.bot.faults.gone == {"1"}
        assert sandbox.push.faults == NONE
        await remote.clear_faults()
        assert sandbox.mail.faults == NONE
        sandbox.hook.ledger.took("/hook", b"1", b"{}", at=sandbox.hook.ledger.arrived("/hook"))
        assert (await remote.stats())["hook"]["messages"] == 1
        assert await remote.received("hook") == [{"recipient": "/hook", "count": 1, "duplicates": 0, "last": {}}]
        assert await remote.arrivals("hook") == sandbox.hook.ledger.arrivals.tolist()
        assert await remote.early("hook") == []
        await remote.reset()
        assert (await remote.stats())["hook"]["messages"] == 0


@pytest.mark.parametrize("body", [b"no", b"[]", b'{"sms": {}}', b'{"push": {"rules": [{"kind": "flood"}]}}'])
async def test_a_bad_fault_is_refused_whole(tmp_path: Path, body: bytes) -> None:
    async with Sandbox(tmp_path) as sandbox, aiohttp.ClientSession() as session:
        url = sandbox.description.control_url + "/_sandbox/faults"
        async with session.put(url, data=body) as response:
            assert response.status == 422
        assert all(provider.faults == NONE for provider in sandbox.providers.values())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_as_a_process(tmp_path: Path, number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", PROGRAM, "0", str(tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(180):
        ready = json.loads(await process.stdout.readline())
        async with RemoteSandbox(ready["control_url"]) as remote:
            assert (await remote.stats()).keys() == {"push", "mail", "bot", "hook"}
        process.send_signal(number)
        assert await process.wait() == 0


def free_ports() -> int:
    """A base with four free ports after it, below those the system gives to clients by itself."""
    for base in range(21_000 + os.getpid() % 500 * 20, 32_000, 5):
        with ExitStack() as stack:
            try:
                for port in range(base, base + 5):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
        return base
    raise AssertionError("no five free ports in a row")
