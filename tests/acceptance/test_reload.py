"""SIGHUP: a good change is applied without dropping a delivery; a bad one is refused and the old one stays."""

import asyncio
from pathlib import Path

from tests.acceptance.place import BOT, MAIL, PUSH, channels_of, citizens, place
from tests.acceptance.town import Town, alert

CITIZENS = 1_000


async def _logged(town: Town, words: str) -> None:
    async with asyncio.timeout(180):
        while words not in town.log():
            await asyncio.sleep(0.05)


async def test_a_good_change_in_the_middle_of_a_fan_out(tmp_path: Path) -> None:
    async with place(tmp_path, only=(PUSH, MAIL)) as (town, sandbox):
        await town.start()
        await town.enrol(citizens(sandbox, CITIZENS, only=(PUSH, MAIL)))
        sent = await town.send(alert())
        changed = channels_of(sandbox, (PUSH, MAIL, BOT), 900).replace(
            'adapter = "email"', 'adapter = "email"\nconcurrency = 4'
        )
        town.configure(changed)
        town.hangup()
        await _logged(town, "reloaded")
        names = {c["name"] for c in (await town.api("GET", "/v1/channels"))["items"]}
        assert names == {PUSH, MAIL, BOT}
        receipts = await town.settled(sent)
        for channel in (PUSH, MAIL):
            assert receipts[channel]["accepted"] == CITIZENS
            assert sandbox.providers[channel].ledger.duplicates.total() == 0


async def test_a_bad_change_is_refused_by_name_and_nothing_changes(tmp_path: Path) -> None:
    async with place(tmp_path, only=(PUSH,)) as (town, sandbox):
        await town.start()
        good = town.config.read_text()
        town.config.write_text(good.replace('adapter = "webpush"', 'adapter = "webpsuh"'))
        town.hangup()
        await _logged(town, "reload refused")
        assert "channels.push.adapter" in town.log()
        await town.enrol(citizens(sandbox, 3, only=(PUSH,)))
        assert (await town.settled(await town.send(alert())))[PUSH]["accepted"] == 3
