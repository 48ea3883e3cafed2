"""An emergency overtakes any backlog: little of it is begun between its acceptance and its first attempts, which are soon."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.place import BOT, MAIL, PUSH, citizens, place
from tests.acceptance.town import alert

BACKLOG = 34_000  # on three channels: more than 100,000 deliveries
SOON = 2.0


def _newsletter() -> dict[str, Any]:
    news = alert(purpose="service")
    for info in news["info"]:
        info.update(urgency="Unknown", severity="Minor", headline="Orari estivi della biblioteca")
    return news


@pytest.mark.alone
async def test_first_attempts_while_a_hundred_thousand_wait(tmp_path: Path) -> None:
    async with place(tmp_path) as (town, sandbox):
        await town.start()
        rows = citizens(sandbox, BACKLOG)
        for start in range(0, BACKLOG, 2_000):
            await town.enrol(rows[start : start + 2_000])
        news = await town.send(_newsletter())
        async with asyncio.timeout(180):
            while sum(c["total"] for c in (await town.receipts(news)).values()) < 3 * BACKLOG:
                await asyncio.sleep(0.02)
        waiting = sum(c["queued"] for c in (await town.receipts(news)).values())
        print(f"waiting when the emergency came: {waiting}")
        emergency = await town.send(alert())
        async with asyncio.timeout(180):
            while True:
                receipts = await town.receipts(emergency)
                if all(receipts[c]["attempts"] for c in (PUSH, MAIL, BOT)):
                    break
                await asyncio.sleep(0.02)
        first = {channel: (seconds, begun) for channel, seconds, begun in town.sql(_FIRST, emergency, news)}
        print({channel: f"{seconds:.2f} s, {begun} of the backlog" for channel, (seconds, begun) in first.items()})
        assert set(first) == {PUSH, MAIL, BOT}
        assert max(seconds for seconds, _ in first.values()) <= SOON
        assert max(begun for _, begun in first.values()) < BACKLOG / 4


_FIRST = """
WITH first AS (
  SELECT d.channel, a.accepted_at AS came, min(d.started_at) AS began
  FROM delivery d JOIN alert a ON a.seq = d.alert_seq WHERE a.id = ? AND d.started_at IS NOT NULL GROUP BY d.channel
)
SELECT channel, (began - came) / 1e6, (
  SELECT count(*) FROM delivery d JOIN alert a ON a.seq = d.alert_seq
  WHERE a.id = ? AND d.channel = first.channel AND d.started_at BETWEEN first.came AND first.began
) FROM first
"""
