"""A real Prometheus Alertmanager posts: what fires becomes an alert, what is resolved its all-clear."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.town import free_port
from tests.integration.fake_house import CHANNELS, FakeHouse, fake_house

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
RULES = """
[sources.monitor]
reader = "alertmanager"

[templates.guasto]
category = ["Infra"]
purpose = "service"
[templates.guasto.text.it-IT]
event = "Guasto idrico"
headline = "{fact.annotation.summary}"
[templates.guasto.clear.it-IT]
headline = "Guasto riparato"

[[rules]]
name = "guasti"
template = "guasto"
zones = ["048028"]
match = {source = "monitor", event = "Acquedotto*", min_severity = "Severe"}
action = "send"
unattended = true
hourly_cap = 5
"""
CONFIG = """
route:
  receiver: alertd
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: alertd
    webhook_configs:
      - url: '{url}/v1/ingest/monitor'
        send_resolved: true
        http_config:
          authorization: {{credentials: '{token}'}}
"""


@asynccontextmanager
async def _alertmanager(folder: Path, url: str, token: str) -> AsyncIterator[str]:
    assert PROGRAM is not None
    folder.mkdir()
    config, port = folder / "alertmanager.yml", free_port()
    config.write_text(CONFIG.format(url=url, token=token))
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=error",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(timeout=30) as client, asyncio.timeout(180):
            ready = False
            while not ready:
                with contextlib.suppress(httpx.HTTPError):
                    ready = (await client.get(f"{url}/-/ready")).is_success
                await asyncio.sleep(0.05)
        yield url
    finally:
        process.terminate()
        await process.wait()


async def _fires(url: str, began: datetime, ended: datetime | None = None) -> None:
    alert = {
        "labels": {"alertname": "AcquedottoPressione", "severity": "critical", "instance": "vasca-2"},
        "annotations": {"summary": "Pressione assente a Montelupo"},
        "startsAt": began.isoformat(),
        **({"endsAt": ended.isoformat()} if ended else {}),
    }
    async with httpx.AsyncClient(timeout=30) as client:
        answer = await client.post(f"{url}/api/v2/alerts", json=[alert])
        assert answer.is_success, answer.text


async def _raised(town: FakeHouse, count: int) -> list[dict[str, Any]]:
    """The rule's alerts, oldest first, once there are so many."""
    async with asyncio.timeout(180):
        while True:
            _, answer = await town.call("GET", "/v1/alerts")
            mine = [alert for alert in answer["items"] if alert["created_by"] == "rule:guasti"]
            if len(mine) >= count:
                return mine[::-1]
            await asyncio.sleep(0.05)


@pytest.mark.skipif(PROGRAM is None, reason="Alertmanager is not installed: apt install prometheus-alertmanager")
async def test_firing_is_an_alert_and_resolved_its_all_clear(tmp_path: Path) -> None:
    async with fake_house(tmp_path, CHANNELS + RULES) as town:
        await town.enrol("anna@example.org")
        token = await town.house.access.create("monitor", frozenset({"ingest"}), None, actor="test")
        url = f"http://{town.house.current.settings.api.listen}"
        async with _alertmanager(tmp_path / "alertmanager", url, token) as manager:
            began = datetime.now(UTC)
            await _fires(manager, began)
            (alert,) = await _raised(town, 1)
            await town.settled(alert["id"])
            await _fires(manager, began, datetime.now(UTC) - timedelta(milliseconds=1))
            first, clear = await _raised(town, 2)
            await town.settled(clear["id"])
        assert first["info"][0]["headline"] == "Pressione assente a Montelupo"
        assert first["msg_type"] == "Alert"
        assert clear["msg_type"] == "Update"
        assert clear["info"][0]["headline"] == "Guasto riparato"
        assert clear["info"][0]["response_type"] == ["AllClear"]
        assert clear["references"] == [f"{first['sender']},{first['identifier']},{first['sent']}"]
        told = [parcel.address for parcel in town.providers["people"].parcels]
        assert told == ["anna@example.org"] * 2
