"""One Idempotency-Key, one alert: a hundred at once, and again after a restart."""

import asyncio
from pathlib import Path

from tests.acceptance.place import PUSH, citizens, place
from tests.acceptance.town import alert


async def test_a_hundred_posts_one_alert(tmp_path: Path) -> None:
    async with place(tmp_path, only=(PUSH,)) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, 5, only=(PUSH,)))
        body, headers = alert(), {"Idempotency-Key": "storm-2026-11-21"}
        answers = await asyncio.gather(*(town.call("POST", "/v1/alerts", body, headers=headers) for _ in range(100)))
        assert {status for status, _ in answers} <= {202, 409}
        ids = {answer["id"] for status, answer in answers if status == 202}
        assert len(ids) == 1
        await town.kill()
        await town.start()
        again = await asyncio.gather(*(town.call("POST", "/v1/alerts", body, headers=headers) for _ in range(20)))
        assert {answer["id"] for status, answer in again if status == 202} == ids
        assert len((await town.api("GET", "/v1/alerts"))["items"]) == 1
        status, problem = await town.call("POST", "/v1/alerts", alert(note="another"), headers=headers)
        assert status == 422
        assert "Idempotency-Key" in str(problem)
        await town.settled(ids.pop())
        assert set(sandbox.push.ledger.counts.values()) == {1}
