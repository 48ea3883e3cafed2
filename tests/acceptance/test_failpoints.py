"""The process stopped at every boundary of the road: it recovers within five seconds, and nothing is lost."""

import contextlib
import time
from pathlib import Path

import aiohttp
import pytest

from alertd.ports.failpoint import BOUNDARIES
from tests.acceptance.place import BOT, MAIL, PUSH, citizens, place
from tests.acceptance.town import alert

CITIZENS = 40
RECOVERS = 5.0


@pytest.mark.alone
@pytest.mark.parametrize("crossing", [1, 2])
@pytest.mark.parametrize("boundary", BOUNDARIES)
async def test_stopped_at(boundary: str, crossing: int, tmp_path: Path) -> None:
    async with place(tmp_path) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, CITIZENS))
        await town.stop()
        await town.start(env={"ALERTD_FAILPOINT": f"{boundary}:{crossing}"})
        answered: list[str] = []
        for number in range(crossing):
            with contextlib.suppress(aiohttp.ClientError, OSError):
                answered.append(await town.send(alert(), key=f"k{number}"))
        assert await town.gone() == -9, "the failpoint was never crossed"
        await town.start()
        began = time.monotonic()
        sent = [await town.send(alert(), key=f"k{number}") for number in range(crossing)]
        assert sent[: len(answered)] == answered, "an accepted alert was forgotten"
        for alert_id in sent:
            receipts = await town.settled(alert_id)
            for channel in (PUSH, MAIL, BOT):
                assert receipts[channel]["accepted"] == CITIZENS
        took = time.monotonic() - began
        print(f"recovered in {took:.1f} s")
        assert took < RECOVERS, f"recovered in {took:.1f} s"
        for name in (PUSH, MAIL, BOT):
            counts = sandbox.providers[name].ledger.counts
            assert len(counts) == CITIZENS
            assert all(crossing <= n <= 2 * crossing for n in counts.values())
        assert town.integrity() == "ok"
