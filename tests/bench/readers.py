"""Browsers of somebody else's making: npm web-push-testing, and http_ece. What they can read, a browser can."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import http_ece

from alertd.sandbox.keyring import Keys
from tests.acceptance.town import ROOT
from tests.bench.measure import Skipped, program
from tests.bench.sinks import Authority

PEERS = ROOT / "tests" / "bench" / "peers"
_START = 20.0


def read_by_http_ece(keys: Keys, body: bytes) -> bytes:
    """The plaintext of an aes128gcm message; http_ece.ECEException where there is none."""
    return http_ece.decrypt(body, private_key=keys.private, auth_secret=keys.auth, version="aes128gcm")


@dataclass(frozen=True, slots=True)
class Browsers:
    """A running web-push-testing. `port` speaks HTTP/2 over TLS and HTTP/1.1."""

    port: int
    _session: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    async def subscribe(self, key: str) -> tuple[str, str]:
        """A new browser for this application server key: its name, and its subscription in canonical form."""
        told = (await self._ask("/subscribe", {"userVisibleOnly": "true", "applicationServerKey": key}))["data"]
        keys = {name: told["keys"][name].rstrip("=") for name in ("auth", "p256dh")}
        address = {"endpoint": f"{self.origin}/notify/{told['clientHash']}", "keys": keys}
        return told["clientHash"], json.dumps(address, separators=(",", ":"))

    async def read(self, name: str) -> list[str]:
        """What that browser decrypted so far."""
        return (await self._ask("/get-notifications", {"clientHash": name}))["data"]["messages"]

    async def protocols(self) -> dict[str, int]:
        """Pushes by the HTTP version they came over."""
        async with self._session.get("/protocols") as answer:
            return await answer.json()

    async def _ask(self, path: str, what: dict[str, str]) -> dict:
        async with self._session.post(path, json=what) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def browsers(folder: Path, trust: Authority) -> AsyncIterator[Browsers]:
    node = program("node", "apt install nodejs npm")
    if not (PEERS / "node_modules" / "web-push-testing").is_dir():
        raise Skipped("web-push-testing is not installed: make bench-peers")
    folder.mkdir(parents=True, exist_ok=True)
    files = _certificate(folder, trust)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(node), str(PEERS / "web_push_testing_peer.js"), *map(str, files), cwd=PEERS, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START):
            ports = json.loads(await process.stdout.readline())
        async with aiohttp.ClientSession(f"http://127.0.0.1:{ports['inside']}") as session:
            yield Browsers(ports["front"], session)
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(_START):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def _certificate(folder: Path, trust: Authority) -> Sequence[Path]:
    issued = trust.ca.issue_cert("127.0.0.1", "localhost")
    chain, key = folder / "server.pem", folder / "server.key"
    chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key
