"""One channel in trouble: the others finish, and a Retry-After is obeyed to the letter.

By how little the others are slowed is measured in tests/bench/isolation.py.
"""

import asyncio
from pathlib import Path

import pytest

from alertd.sandbox.faults import Fault, Faults, Kind
from tests.acceptance.place import BOT, MAIL, PUSH, citizens, place
from tests.acceptance.town import alert

CITIZENS = 200
IN_FLIGHT = 1.0
"""Seconds within which a request that had left before the 429 arrived may still reach a busy sandbox."""
TROUBLES = {
    "hangs": Fault(Kind.HANG),
    "drips": Fault(Kind.DRIP, seconds=1.0),
    "resets": Fault(Kind.RESET),
    "answers 429": Fault(Kind.STATUS, status=429, retry_after=30),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@pytest.mark.parametrize("sick", [PUSH, MAIL, BOT])
async def test_the_other_channels_finish(sick: str, trouble: str, tmp_path: Path) -> None:
    async with place(tmp_path) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, CITIZENS))
        fault = TROUBLES[trouble]
        if sick == MAIL and trouble == "answers 429":
            fault = Fault(Kind.STATUS, status=451)
        sandbox.providers[sick].faults = Faults(rules=(fault,))
        sent = await town.send(alert())
        healthy = {PUSH, MAIL, BOT} - {sick}
        async with asyncio.timeout(180):
            while True:
                receipts = await town.receipts(sent)
                if all(receipts[c]["accepted"] == CITIZENS for c in healthy):
                    break
                await asyncio.sleep(0.05)
        assert receipts[sick]["accepted"] < CITIZENS
        assert receipts[sick]["failed"] == receipts[sick]["gone"] == 0, "trouble in transport retires nobody"


@pytest.mark.alone
async def test_a_429_storm_sees_no_request_inside_its_retry_after(tmp_path: Path) -> None:
    async with place(tmp_path) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, CITIZENS))
        for name in (PUSH, BOT):
            rule = Fault(Kind.STATUS, status=429, retry_after=5, lasts=8.0)
            sandbox.providers[name].faults = Faults(rules=(rule,))
        sent = await town.send(alert())
        receipts = await town.settled(sent, 120)
        for name in (PUSH, BOT):
            ledger = sandbox.providers[name].ledger
            assert ledger.answers[429] > 0
            assert ledger.inside_retry_after(IN_FLIGHT) == []
            assert receipts[name]["accepted"] == CITIZENS
            assert ledger.duplicates.total() == 0
