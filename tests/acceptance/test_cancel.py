"""Cancel in the middle of a fan-out: nothing starts after it was accepted, and all who may have got it hear of it."""

import asyncio
import random
from datetime import datetime
from pathlib import Path

import pytest

from tests.acceptance.place import BOT, MAIL, PUSH, citizens, place
from tests.acceptance.town import alert

CITIZENS = 3_400  # on three channels: a fan-out of just over 10,000


def _micros(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_cancel_at_a_random_point(seed: int, tmp_path: Path) -> None:
    async with place(tmp_path) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, CITIZENS))
        original = await town.send(alert())
        await asyncio.sleep(random.Random(seed).uniform(0.0, 2.0))
        cancel = (await town.api("POST", f"/v1/alerts/{original}/cancel", {"note": "Falso allarme"}))["id"]
        cancelled_at = _micros((await town.api("GET", f"/v1/alerts/{cancel}"))["accepted_at"])
        before, after = await town.settled(original), await town.settled(cancel)
        print({c: (r["accepted"], r["superseded"]) for c, r in before.items()})

        started_late = town.sql(
            "SELECT count(*) FROM delivery d JOIN alert a ON a.seq = d.alert_seq WHERE a.id = ? AND d.started_at > ?",
            original,
            cancelled_at,
        )
        assert started_late == [(0,)]
        assert (await town.api("GET", f"/v1/alerts/{original}"))["state"] == "cancelled"
        for channel in (PUSH, MAIL, BOT):
            assert before[channel]["accepted"] + before[channel]["superseded"] == before[channel]["total"]
            assert after[channel]["accepted"] == after[channel]["total"]
            counts = sandbox.providers[channel].ledger.counts
            assert set(counts.values()) <= {2}, "whoever got the original, and nobody else, got the cancel"
            assert len(counts) == after[channel]["total"]
