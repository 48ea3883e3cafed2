"""kill -9 at random moments: no accepted alert lost, every delivery settled, duplicates bounded."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from alertd.core.lanes import PAGES
from alertd.sandbox.sandbox import Sandbox
from tests.acceptance.place import BOT, MAIL, PUSH, citizens, place
from tests.acceptance.town import MONTELUPO, ROOT, Town, alert

CITIZENS = 150
PAGE = {PUSH: 1000, MAIL: 500, BOT: 30}


async def _send_for_certain(town: Town, key: str, kills: random.Random, left: int) -> tuple[str, int]:
    """Post until answered, killing the daemon meanwhile; the key makes the repeats one alert."""
    while True:
        with contextlib.suppress(aiohttp.ClientError, OSError, AssertionError):
            sending = asyncio.ensure_future(town.send(alert(), key=key))
            if left > 0 and kills.random() < 0.3:
                await asyncio.sleep(kills.random() * 0.01)
                await town.kill()
                await town.start()
                left -= 1
            return await sending, left


async def _campaign(town: Town, sandbox: Sandbox, kills: int, seed: int) -> list[str]:
    chance = random.Random(seed)
    accepted: list[str] = []
    left = kills
    while left > 0:
        alert_id, left = await _send_for_certain(town, f"key-{len(accepted)}", chance, left)
        accepted.append(alert_id)
        for _ in range(min(left, chance.randint(2, 8))):
            await asyncio.sleep(chance.random() * 0.3)
            await town.kill()
            await town.start()
            left -= 1
    return accepted


async def _prove(town: Town, sandbox: Sandbox, accepted: list[str], kills: int) -> None:
    for alert_id in accepted:
        receipts = await town.settled(alert_id, 300)
        for channel in (PUSH, MAIL, BOT):
            assert receipts[channel]["total"] == CITIZENS, (alert_id, channel)
            assert receipts[channel]["accepted"] == CITIZENS, (alert_id, receipts[channel])
    listed = await town.api("GET", "/v1/alerts?limit=500")
    assert sorted(a["id"] for a in listed["items"]) == sorted(accepted), "an alert nobody was told of, or one lost"
    for name, provider in sandbox.providers.items():
        if name not in PAGE:
            continue
        counts = provider.ledger.counts
        assert len(counts) == CITIZENS
        assert all(count >= len(accepted) for count in counts.values())
        duplicates = counts.total() - CITIZENS * len(accepted)
        bound = kills * PAGES * min(PAGE[name], CITIZENS)
        print(f"{name}: {duplicates} duplicates after {kills} kills (bound {bound})")
        assert duplicates <= bound
    assert town.integrity() == "ok"
    verified = subprocess.run(
        [sys.executable, "-m", "alertd.cli", "audit", "verify", "--config", str(town.config)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert verified.returncode == 0, verified.stderr


def _one_zone(folder: Path) -> str:
    """Montelupo alone: two hundred starts need not read forty-one boundaries each."""
    towns = json.loads((ROOT / "config" / "zones" / "comuni_firenze.geojson").read_text())
    towns["features"] = [f for f in towns["features"] if f["properties"]["code"] == MONTELUPO]
    file = folder / "montelupo.geojson"
    file.write_text(json.dumps(towns))
    return str(file)


async def _killed(tmp_path: Path, kills: int, seed: int) -> None:
    async with place(tmp_path, zones=_one_zone(tmp_path)) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, CITIZENS))
        accepted = await _campaign(town, sandbox, kills, seed)
        await _prove(town, sandbox, accepted, kills)


async def test_two_hundred_kills(tmp_path: Path) -> None:
    await _killed(tmp_path, 200, seed=1)


@pytest.mark.campaign
async def test_two_thousand_kills(tmp_path: Path) -> None:
    await _killed(tmp_path, 2_000, seed=2)
