"""A town for the acceptance tests: a real daemon in its own process, talked to over HTTP, killed without mercy."""

import asyncio
import contextlib
import io
import json
import os
import random
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import aiohttp

from tests.acceptance.nursery import spawn

ROOT = Path(__file__).resolve().parents[2]
START = 60.0
_CHANCE = random.SystemRandom()  # Hypothesis seeds the other, the same in every process
MONTELUPO = "048028"


def free_port() -> int:
    """One that no outgoing connection is given (Linux takes those from 32,768 on): a daemon killed finds it free again."""
    while True:
        port = _CHANCE.randrange(10_000, 32_768)
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port


class Town:
    """One folder, one configuration, one daemon at a time. `api` speaks with the bootstrap admin token."""

    def __init__(self, folder: Path, channels: str, *, extra: str = "", zones: str | None = None) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "alertd.toml"
        self.state = folder / "state"
        self.zones = zones or str(ROOT / "config" / "zones" / "*.geojson")
        self.extra = extra
        self.process: ForkServerProcess | None = None
        self.token = ""
        self._session: aiohttp.ClientSession | None = None
        self.configure(channels)

    def configure(self, channels: str) -> None:
        self.config.write_text(
            f"""
[service]
name = "Comune di Montelupo Fiorentino"
sender = "protezionecivile@comune.example.it"
languages = ["it-IT", "en-GB"]
zones = ["{self.zones}"]
state = "{self.state}"

[api]
listen = "127.0.0.1:{self.port}"
public_url = "https://allerta.comune.example.it"
{self.extra}
{channels}
"""
        )

    # --- the process ----------------------------------------------------------------------------------------------

    async def start(self, *, env: Mapping[str, str] | None = None, wait: bool = True) -> None:
        self.process = spawn(self.config, self.folder / "daemon.log", dict(env or {}))
        if wait:
            await self.ready()

    async def ready(self) -> None:
        assert self.process is not None
        async with asyncio.timeout(START):
            while True:
                if self.process.exitcode is not None:
                    raise AssertionError(f"the daemon ended with {self.process.exitcode}:\n{self.log()[-3000:]}")
                with contextlib.suppress(aiohttp.ClientError, OSError):
                    status, _ = await self.call("GET", "/healthz")
                    if status == 200:
                        break
                await asyncio.sleep(0.02)
        self.token = (self.state / "bootstrap-token").read_text().strip()

    async def kill(self) -> None:
        """kill -9."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """An orderly stop; the exit code."""
        return await self._end(signal.SIGTERM)

    async def gone(self, seconds: float = 30.0) -> int:
        """Wait until it ended by itself; the exit code, -9 for kill -9."""
        assert self.process is not None
        await asyncio.to_thread(self.process.join, seconds)
        code = self.process.exitcode
        assert code is not None, f"the daemon did not end within {seconds} s"
        self.process = None
        return code

    async def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        if self.process.exitcode is None:
            assert self.process.pid is not None
            os.kill(self.process.pid, number)
        return await self.gone(60)

    def hangup(self) -> None:
        assert self.process is not None
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGHUP)

    def log(self) -> str:
        return (self.folder / "daemon.log").read_text(errors="replace")

    # --- HTTP -----------------------------------------------------------------------------------------------------

    @property
    def session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=60), connector=aiohttp.TCPConnector(limit=0, force_close=True)
            )
        return self._session

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        data: bytes | io.BytesIO | None = None,
        token: str | None = None,
    ) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {self.token if token is None else token}", **(headers or {})}
        if body is not None:
            data = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        async with self.session.request(method, self.url + path, data=data, headers=sent) as answer:
            raw = await answer.read()
            kind = answer.headers.get("Content-Type", "")
            return answer.status, json.loads(raw) if "json" in kind and raw else raw

    async def api(self, method: str, path: str, body: object = None, **more: Any) -> Any:
        status, answer = await self.call(method, path, body, **more)
        assert status < 400, f"{method} {path}: {status} {answer}"
        return answer

    async def send(self, alert: Mapping[str, object], *, key: str | None = None) -> str:
        headers = {"Idempotency-Key": key} if key else {}
        return (await self.api("POST", "/v1/alerts", alert, headers=headers))["id"]

    async def receipts(self, alert_id: str) -> dict[str, dict[str, Any]]:
        answer = await self.api("GET", f"/v1/alerts/{alert_id}/receipts")
        return {channel["channel"]: channel for channel in answer["channels"]}

    async def settled(self, alert_id: str, seconds: float = 120.0) -> dict[str, dict[str, Any]]:
        """The receipts once the alert has ended."""
        async with asyncio.timeout(seconds):
            while True:
                answer = await self.api("GET", f"/v1/alerts/{alert_id}/receipts")
                if answer["state"] not in {"pending", "active"} and not any(
                    c["queued"] + c["sending"] + c["retrying"] for c in answer["channels"]
                ):
                    return {channel["channel"]: channel for channel in answer["channels"]}
                await asyncio.sleep(0.05)

    async def enrol(self, rows: list[dict[str, object]]) -> dict[str, Any]:
        body = "\n".join(json.dumps(row) for row in rows).encode()
        answer = await self.api(
            "POST", "/v1/subscribers/import", data=io.BytesIO(body), headers={"Content-Type": "application/x-ndjson"}
        )
        assert answer["rejected"] == 0, answer
        return answer

    # --- the store, looked at from outside ----------------------------------------------------------------------------

    def sql(self, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.state / "alertd.db")) as db:
            return db.execute(statement, parameters).fetchall()

    def integrity(self) -> str:
        return str(self.sql("PRAGMA integrity_check")[0][0])

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        if self.process is not None:
            await self.kill()


@asynccontextmanager
async def town(folder: Path, channels: str, **more: Any) -> AsyncIterator[Town]:
    """A town whose daemon has not started yet; whatever happens, its process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    place = Town(folder, channels, **more)
    try:
        yield place
    finally:
        await place.close()


def alert(**changes: object) -> dict[str, Any]:
    """A real emergency for Montelupo Fiorentino, in Italian and English; keyword arguments replace parts."""
    area = changes.pop("area", [{"zone": MONTELUPO}])
    info = {
        "category": ["Met"],
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "response_type": ["Prepare"],
        "area": area,
    }
    return {
        "purpose": "emergency",
        "status": "Actual",
        "msg_type": "Alert",
        "scope": "Public",
        "info": [
            {**info, "language": "it-IT", "event": "Temporali forti", "headline": "Allerta arancione per temporali"},
            {**info, "language": "en-GB", "event": "Severe storms", "headline": "Orange alert for thunderstorms"},
        ],
        **changes,
    }
