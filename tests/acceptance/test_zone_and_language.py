"""A real alert for the real Montelupo Fiorentino reaches only the endpoints of that zone, in each one's language."""

import json
from pathlib import Path

from tests.acceptance.place import BOT, MAIL, PUSH, citizens, place
from tests.acceptance.town import MONTELUPO, alert

EMPOLI = "048014"


async def test_only_montelupo_each_in_his_language(tmp_path: Path) -> None:
    async with place(tmp_path) as (town, sandbox):
        await town.start()
        here = citizens(sandbox, 30)
        rows = citizens(sandbox, 60)
        elsewhere = [{**row, "zones": [EMPOLI]} for row in rows[30:]]
        await town.enrol(here + elsewhere)
        sent = await town.send(alert(area=[{"zone": "Montelupo Fiorentino"}]))
        receipts = await town.settled(sent)
        assert {c: receipts[c]["accepted"] for c in (PUSH, MAIL, BOT)} == {PUSH: 30, MAIL: 30, BOT: 30}
        assert set(sandbox.push.ledger.counts) == {str(n) for n in range(30)}
        assert set(sandbox.mail.ledger.counts) == {f"citizen{n}@example.org" for n in range(30)}
        assert set(sandbox.bot.ledger.counts) == {str(1_000_000 + n) for n in range(30)}
        for number in range(30):
            english = number % 3 == 2
            wanted, other = "Orange alert", "Allerta arancione"
            for provider, recipient in (
                (sandbox.push, str(number)),
                (sandbox.mail, f"citizen{number}@example.org"),
                (sandbox.bot, str(1_000_000 + number)),
            ):
                text = json.dumps(provider.read(recipient), ensure_ascii=False)
                assert (wanted in text) == english, (provider.name, text)
                assert (other in text) != english
                assert "Comune di Montelupo Fiorentino" in text
        stored = await town.api("GET", f"/v1/alerts/{sent}")
        assert stored["info"][0]["area"][0]["polygon"], "the zone's own polygon was filled in"
        assert MONTELUPO in json.dumps(stored["info"][0]["area"][0]["geocode"])
