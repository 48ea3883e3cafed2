"""The real daemon in this process, on a port of its own, sending to the sandbox."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from alertd.app import House, build
from alertd.daemon import living
from alertd.logs import configure
from alertd.notify import Notifier
from alertd.sandbox.config import channels
from alertd.sandbox.sandbox import Sandbox
from alertd.settings import load
from tests.acceptance.town import free_port
from tests.support.fresh_store import lay

ROOT = Path(__file__).resolve().parents[2]
MONTELUPO = "048028"
_MARK = "stand: "
ALERT: dict[str, Any] = {
    "purpose": "emergency",
    "status": "Actual",
    "msg_type": "Alert",
    "scope": "Public",
    "channels": ["mail"],
    "info": [
        {
            "language": "it-IT",
            "category": ["Met"],
            "event": "Temporali forti",
            "response_type": ["Prepare"],
            "urgency": "Expected",
            "severity": "Severe",
            "certainty": "Likely",
            "headline": "Allerta arancione per temporali",
            "description": "Temporali forti.",
            "instruction": "Resta in casa.",
            "web": "https://allerta.comune.example.it/",
            "parameter": [{"value_name": "colore", "value": "arancione"}],
            "area": [{"zone": MONTELUPO}],
        }
    ],
}


@dataclass
class Stand:
    url: str
    house: House
    sandbox: Sandbox

    async def grant(self, name: str, *scopes: str, modes: frozenset[str] | None = None) -> dict[str, str]:
        """Headers of a new token."""
        secret = await self.house.access.create(name, frozenset(scopes), modes, actor="test")
        return {"Authorization": f"Bearer {secret}"}

    @asynccontextmanager
    async def client(self, *scopes: str, name: str = "anna") -> AsyncIterator[httpx.AsyncClient]:
        headers = await self.grant(name, *scopes)
        async with httpx.AsyncClient(
            base_url=self.url, headers=headers, timeout=60, trust_env=False, verify=False
        ) as client:
            yield client


def _configuration(folder: Path, port: int, sandbox: Sandbox) -> Path:
    tables = channels(sandbox.description)
    settings = {
        "service": {
            "name": "Comune di Montelupo Fiorentino",
            "sender": "protezionecivile@comune.example.it",
            "languages": ["it-IT", "en-GB"],
            "zones": [str(ROOT / "config" / "zones" / "*.geojson")],
            "state": str(folder / "state"),
        },
        "api": {"listen": f"127.0.0.1:{port}", "public_url": "https://allerta.comune.example.it"},
    }
    lines = []
    for section, table in {**settings, **{f"channels.{name}": table for name, table in tables.items()}}.items():
        lines.append(f"[{section}]")
        lines += [f"{key} = {_toml(value)}" for key, value in table.items()]
    path = folder / "alertd.toml"
    path.write_text("\n".join(lines))
    return path


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


@asynccontextmanager
async def standing(folder: Path, more: str = "") -> AsyncIterator[Stand]:
    """`more` is added to its configuration."""
    port = free_port()
    async with Sandbox(folder / "sandbox") as sandbox:
        path = _configuration(folder, port, sandbox)
        path.write_text(f"{path.read_text()}\n{more}")
        settings = load(path, environ={})
        settings.state.mkdir(mode=0o700, exist_ok=True)
        lay(settings.state / "alertd.db")
        async with build(settings) as house, living(house, Notifier(None)):
            yield Stand(f"http://127.0.0.1:{port}", house, sandbox)


def citizen(number: int, **changes: Any) -> dict[str, Any]:
    """A subscriber by mail."""
    return {
        "language": "it",
        "zones": [MONTELUPO],
        "purposes": ["emergency"],
        "min_severity": "Minor",
        "cohort": "public",
        "endpoints": [{"channel": "mail", "address": f"citizen{number}@example.org"}],
        **changes,
    }


async def _alone(folder: Path) -> None:
    """A stand in a process of its own: tells its URL and an admin's headers in one line, ends with its stdin."""
    configure("warning")
    async with standing(folder) as stand:
        told = {"url": stand.url, "headers": await stand.grant("root", "admin")}
        sys.stdout.write(f"\n{_MARK}{json.dumps(told)}\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


def read_mark(line: str) -> tuple[str, dict[str, str]] | None:
    """What `_alone` told, if this is the line."""
    if not line.startswith(_MARK):
        return None
    told = json.loads(line.removeprefix(_MARK))
    return told["url"], told["headers"]


if __name__ == "__main__":
    asyncio.run(_alone(Path(sys.argv[1])))
