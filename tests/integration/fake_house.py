"""The real daemon in this process on the shipped fake adapter, for what only faults on demand can show."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from alertd.app import House, build
from alertd.daemon import living
from alertd.notify import Notifier
from alertd.ports.clock import Clock
from alertd.sandbox.fake import FakeAdapter, FakeConfig, FakeProvider
from alertd.settings import Settings, load
from tests.acceptance.town import free_port
from tests.support.fresh_store import lay

ROOT = Path(__file__).resolve().parents[2]
ZONES = ROOT / "config" / "zones" / "*.geojson"
MONTELUPO = "048028"
CHANNELS = """
[channels.people]
adapter = "fake"
[channels.square]
adapter = "fake"
addressed = false
[channels.drillground]
adapter = "fake"
addressed = false
exercise = true
"""
OPEN = {"pending", "active"}


@dataclass
class FakeHouse:
    house: House
    client: httpx.AsyncClient
    tokens: dict[str, str]
    folder: Path

    @property
    def providers(self) -> Mapping[str, FakeProvider]:
        channels = self.house.current.settings.channels
        return {name: _config(channel.config).provider for name, channel in channels.items()}

    async def call(self, method: str, path: str, body: object = None, *, who: str = "admin") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = await self.client.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    async def enrol(
        self, address: str, *, cohort: str = "public", zones: tuple[str, ...] = (MONTELUPO,), **more: Any
    ) -> str:
        body = {
            "language": "it",
            "zones": list(zones),
            "purposes": ["emergency", "service", "event"],
            "cohort": cohort,
            "endpoints": [{"channel": "people", "address": address}],
            **more,
        }
        status, answer = await self.call("POST", "/v1/subscribers", body)
        assert status == 201, answer
        return str(answer["id"])

    async def send(self, status: str = "Actual", **changes: Any) -> str:
        code, answer = await self.call("POST", "/v1/alerts", alert(status, **changes))
        assert code == 202, answer
        return str(answer["id"])

    async def receipts(self, alert_id: str) -> dict[str, dict[str, Any]]:
        _, answer = await self.call("GET", f"/v1/alerts/{alert_id}/receipts")
        return {channel["channel"]: channel for channel in answer["channels"]}

    async def settled(self, *alert_ids: str, within: float = 180.0) -> None:
        async with asyncio.timeout(within):
            for alert_id in alert_ids:
                while not await self._ended(alert_id):
                    await asyncio.sleep(0.002)

    async def _ended(self, alert_id: str) -> bool:
        _, answer = await self.call("GET", f"/v1/alerts/{alert_id}/receipts")
        waiting = any(c["queued"] + c["sending"] + c["retrying"] for c in answer["channels"])
        return answer["state"] in {"draft", "rejected"} or not (answer["state"] in OPEN or waiting)


def alert(status: str, *, zones: tuple[str, ...] = (MONTELUPO,), **changes: Any) -> dict[str, Any]:
    info = {
        "language": "it-IT",
        "category": ["Met"],
        "event": "Prova",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "area": [{"zone": zone} for zone in zones],
    }
    return {"purpose": "emergency", "status": status, "info": [info], **changes}


def settings_of(folder: Path, channels: str = CHANNELS, *, zones: Path = ZONES) -> Settings:
    file = folder / "alertd.toml"
    file.write_text(
        f"""
[service]
name = "Comune di Prova"
sender = "prova@comune.example.it"
zones = ["{zones}"]
state = "{folder / "state"}"
[api]
listen = "127.0.0.1:{_port(folder)}"
{channels}
"""
    )
    return load(file, environ={}, adapters={"fake": lambda: FakeAdapter})


def _port(folder: Path) -> int:
    """The same for every configuration of one folder: a reload cannot change it."""
    kept = folder / "port"
    if not kept.exists():
        kept.write_text(str(free_port()))
    return int(kept.read_text())


@asynccontextmanager
async def fake_house(
    folder: Path, channels: str = CHANNELS, *, zones: Path = ZONES, clock: Clock | None = None
) -> AsyncIterator[FakeHouse]:
    """`clock` in place of the machine's own."""
    settings = settings_of(folder, channels, zones=zones)
    settings.state.mkdir(mode=0o700, exist_ok=True)
    lay(settings.state / "alertd.db")
    async with build(settings, clock=clock) as house, living(house, Notifier(None)):
        admin = (folder / "state" / "bootstrap-token").read_text().strip()
        transport = httpx.ASGITransport(house.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield FakeHouse(house, client, {"admin": admin}, folder)


def _config(config: object) -> FakeConfig:
    assert isinstance(config, FakeConfig)
    return config
