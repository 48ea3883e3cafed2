"""A storm in the whole house: thirty sensors cross at once, and no officer drowns in pages, nor after a crash; one
command clears what was false, each draft by itself."""

import asyncio
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alertd.cli.decide import reject
from alertd.cli.drafts import drafts
from alertd.cli.errors import Failure
from alertd.domain.alert import AlertState
from alertd.domain.paging import draft_and_number, is_together_ending, together
from tests.integration.replay_stand import Replay, replay

SENSORS = 30
CONFIGURATION = """
[officers]
remind = "5m"
[sources.monitor]
reader = "alertmanager"
[templates.piena]
category = ["Met"]
[templates.piena.text.it-IT]
event = "Piena"
headline = "{fact.annotation.summary}"
[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {source = "monitor"}
"""


async def crossed(it: Replay, first: int, count: int, severity: str = "warning") -> None:
    """One message of a monitor names so many sensors, as after an outage of their network."""
    alerts = [
        {
            "status": "firing",
            "labels": {"alertname": "Livello", "instance": f"sensore-{number}", "severity": severity},
            "annotations": {"summary": f"Il sensore {number} segna piena"},
            "startsAt": it.clock.now().isoformat(),
            "endsAt": "0001-01-01T00:00:00Z",
            "fingerprint": f"{number:016x}",
        }
        for number in range(first, first + count)
    ]
    payload = {"version": "4", "groupKey": "{}", "status": "firing", "receiver": "alertd", "alerts": alerts}
    headers = {"Authorization": f"Bearer {it.town.tokens['admin']}"}
    await it.clock.jump(1.0)
    answer = await it.town.client.post("/v1/ingest/monitor", content=json.dumps(payload), headers=headers)
    assert answer.status_code == 202, answer.text
    async with asyncio.timeout(60):
        while len(await it.of("piena")) < first + count:
            await it.clock.jump(0.05)
            await asyncio.sleep(0.002)
    await looked(it)


async def looked(it: Replay) -> None:
    """Whatever page was due is with the officers."""
    await it.town.house.pager.round()
    await it.quiet()


async def pages(it: Replay) -> Counter[str]:
    kinds: Counter[str] = Counter()
    for stored in await it.alerts():
        page = stored.alert.id
        kinds["own"] += draft_and_number(page) is not None
        kinds["together"] += together(page) is not None
        kinds["over"] += is_together_ending(page)
    return kinds


def heard(it: Replay, name: str) -> int:
    return sum(parcel.address == name for parcel in it.town.providers["people"].parcels)


def read_by(it: Replay, name: str) -> str:
    return it.town.providers["people"].ledger.bodies[name].decode()


async def test_few_pages_none_again_after_a_crash_and_one_command_to_clear_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with replay(tmp_path, lambda _: CONFIGURATION, at=datetime.now(UTC)) as houses:
        it = houses.it
        for name, cohort in (("olga", "officers"), ("anna", "public")):
            await it.town.enrol(name, cohort=cohort)
        await crossed(it, 0, SENSORS)
        told = await pages(it)
        assert told["own"] == 5
        assert 1 <= told["together"] <= 3  # the first ones, and ten times as many
        assert 5 < heard(it, "olga") <= told.total()
        assert heard(it, "anna") == 0

        await houses.crash()
        it = houses.it
        await looked(it)
        assert (await pages(it), heard(it, "olga")) == (told, 0)
        await crossed(it, SENSORS, 1, "critical")  # what matters is not drowned
        assert (await pages(it))["own"] == 6
        assert "Il sensore 30 segna piena" in read_by(it, "olga")

        await it.clock.jump(300.0)
        await looked(it)
        assert await pages(it) == {"own": 6 + 6, "together": told["together"] + 1, "over": 0}
        assert heard(it, "olga") == 1 + 6 + 1
        await _cleared(it, capsys, monkeypatch)


async def _cleared(it: Replay, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    house = it.town.house
    secret = await house.access.create("bruno", frozenset({"alerts:read", "alerts:approve"}), None, actor="test")
    url = f"http://{house.current.settings.api.listen}"
    call: dict[str, Any] = {"url": url, "token": secret}
    waiting = [stored.alert.id for stored in await it.of("piena")]
    capsys.readouterr()  # what the house itself said
    await asyncio.to_thread(drafts, rule="piena", **call)
    listed = capsys.readouterr().out
    assert all(draft in listed for draft in waiting)
    assert listed.index(waiting[-1]) < listed.index(waiting[0])  # the gravest is the first
    with pytest.raises(Failure, match="No draft of the rule vento waits"):
        await asyncio.to_thread(reject, rule="vento", reason="falso", **call)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    with pytest.raises(Failure, match="Nothing was rejected"):
        await asyncio.to_thread(reject, rule="piena", reason="falso", **call)
    assert "31 drafts of the rule piena wait (1 Actual, Severe; 30 Actual, Moderate)" in capsys.readouterr().err
    assert {stored.state for stored in await it.of("piena")} == {AlertState.DRAFT}

    await asyncio.to_thread(reject, rule="piena", reason="Manutenzione della rete", yes=True, **call)
    done = capsys.readouterr()
    assert sorted(line for line in done.out.splitlines() if " " not in line) == sorted(waiting)
    assert "31 of 31 rejected" in done.err
    assert {(one.state, one.decided_by) for one in await it.of("piena")} == {(AlertState.REJECTED, "bruno")}
    _, log = await it.town.call("GET", "/v1/audit?limit=200")
    rejected = [entry["subject"] for entry in log["items"] if entry["action"] == "alert.reject"]
    assert sorted(rejected) == sorted(waiting)
    await looked(it)
    [over] = [stored.alert for stored in await it.alerts() if is_together_ending(stored.alert.id)]
    assert "NESSUN'ALTRA BOZZA" in over.info[0].headline
    told = (await it.town.receipts(over.id))["people"]
    assert (told["total"], told["delivered"]) == (1, 1)
    assert heard(it, "anna") == 0
    before = await pages(it)
    for _ in range(3):
        await it.clock.jump(300.0)
        await looked(it)
    assert await pages(it) == before
