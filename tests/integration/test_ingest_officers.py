"""A draft that a rule raised, from the reading to the decision, in the whole house: the officers are paged with the
evidence, reminded, and left in peace once one has decided."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from alertd.domain.alert import AlertState
from tests.integration.fake_house import alert
from tests.integration.replay_stand import PATIENCE, Houses, Replay, replay
from tests.support.clock import START

REMIND = 300.0
CONFIGURATION = """
[officers]
remind = "5m"
[sources.pesa]
reader = "number"
sensor = "pesa-1"
unit = "m"
[templates.piena]
category = ["Met"]
[templates.piena.text.it-IT]
event = "Piena"
headline = "La Pesa segna {value} {unit}"
[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {source = "pesa"}
reading = {above = 2.5, clear = 2.0}
"""


@asynccontextmanager
async def flood(folder: Path, action: str = "") -> AsyncIterator[Houses]:
    """Two officers, a citizen, and a reading that made a draft, or an alert where the rule sends."""
    async with replay(folder, lambda _: CONFIGURATION + action, at=START) as houses:
        it = houses.it
        for name, cohort in (("olga", "officers"), ("oreste", "officers"), ("anna", "public")):
            await it.town.enrol(name, cohort=cohort)
        await reads(it, "2.61")
        yield houses


async def reads(it: Replay, value: str) -> None:
    headers = {"Authorization": f"Bearer {it.town.tokens['admin']}"}
    await it.clock.jump(1.0)
    answer = await it.town.client.post("/v1/ingest/pesa", content=value.encode(), headers=headers)
    assert answer.status_code == 202, answer.text
    await it.quiet()


def heard(it: Replay) -> dict[str, int]:
    """How many parcels each address got."""
    parcels = it.town.providers["people"].parcels
    return {name: sum(p.address == name for p in parcels) for name in ("olga", "oreste", "anna")}


def read_by(it: Replay, name: str) -> str:
    return it.town.providers["people"].ledger.bodies[name].decode()


SEND = 'action = "send"\nunattended = true\nhourly_cap = 5\n'


async def reminded(it: Replay, *numbers: str) -> None:
    """Each page when its time has come."""
    for number in numbers:
        await it.clock.jump(REMIND)
        async with asyncio.timeout(PATIENCE):
            while number not in await pages(it):
                await asyncio.sleep(0.005)
        await it.quiet()


async def in_peace(it: Replay) -> None:
    """However long one waits, nobody is paged."""
    before = heard(it), await pages(it)
    for _ in range(5):
        await it.clock.jump(REMIND)
        await it.town.house.pager.round()
        await it.quiet()
    assert (heard(it), await pages(it)) == before


async def pages(it: Replay) -> list[str]:
    return [stored.alert.id.partition("-page-")[2] for stored in await it.alerts() if stored.created_by == "pager"]


@pytest.mark.parametrize(("decision", "said"), [("approve", "BOZZA APPROVATA"), ("reject", "BOZZA RESPINTA")])
async def test_paged_with_the_evidence_reminded_and_left_in_peace_once_decided(
    decision: str, said: str, tmp_path: Path
) -> None:
    async with flood(tmp_path) as houses:
        it = houses.it
        (draft,) = await it.of("piena")
        assert draft.state is AlertState.DRAFT
        assert heard(it) == {"olga": 1, "oreste": 1, "anna": 0}
        for evidence in ("2.61 m", "pesa-1", "rule:piena", f"alertd approve {draft.alert.id}"):
            assert evidence in read_by(it, "olga"), evidence
        await reminded(it, "2", "3")
        assert (heard(it), await pages(it)) == ({"olga": 3, "oreste": 3, "anna": 0}, ["1", "2", "3"])
        assert "Sollecito n. 2" in read_by(it, "oreste")
        await reads(it, "2.71")  # it goes on: no second draft
        assert len(await it.of("piena")) == 1
        body = {"reason": "falso allarme"} if decision == "reject" else None
        assert (await it.town.call("POST", f"/v1/alerts/{draft.alert.id}/{decision}", body))[0] == 200
        await it.until(lambda: said in read_by(it, "olga"))
        await it.quiet()
        told = 1 if decision == "approve" else 0
        assert heard(it) == {"olga": 4, "oreste": 4, "anna": told}
        assert await pages(it) == ["1", "2", "3", "3-end"]
        await in_peace(it)


async def test_a_crash_neither_forgets_a_draft_nor_pages_it_twice(tmp_path: Path) -> None:
    async with flood(tmp_path) as houses:
        await reminded(houses.it, "2")
        await houses.crash()
        it = houses.it
        await it.quiet()
        assert heard(it)["olga"] == 0
        await reminded(it, "3")
        assert (heard(it)["olga"], await pages(it)) == (1, ["1", "2", "3"])
        await reads(it, "1.5")  # over before anybody decided: the draft is withdrawn, and the officers hear of it
        await it.until(lambda: "BOZZA RITIRATA" in read_by(it, "olga"))
        await it.quiet()
        assert (heard(it), await pages(it)) == ({"olga": 2, "oreste": 2, "anna": 0}, ["1", "2", "3", "3-end"])
        await in_peace(it)


async def test_an_all_clear_that_is_refused_is_brought_to_the_officers(tmp_path: Path) -> None:
    async with flood(tmp_path, SEND) as houses:
        it = houses.it
        (sent,) = await it.of("piena")
        assert heard(it) == {"olga": 0, "oreste": 0, "anna": 1}
        body = alert("Actual", msg_type="Update")
        code, taken = await it.town.call("POST", f"/v1/alerts/{sent.alert.id}/update", body)
        assert code == 202, taken
        await it.quiet()
        await reads(it, "1.5")
        assert heard(it) == {"olga": 1, "oreste": 1, "anna": 2}
        for words in (
            "CESSATA ALLERTA NON INVIATA: regola piena",
            sent.alert.id,
            taken["id"],
            "1.5 m",
            "PER GLI ADDETTI",
        ):
            assert words in read_by(it, "olga"), words
        concern = "1 all-clears of rules were refused: send them by hand"
        assert concern in (await it.town.client.get("/readyz")).json()["concerns"]
        await houses.crash()
        await reads(houses.it, "1.4")
        assert heard(houses.it) == {"olga": 0, "oreste": 0, "anna": 0}
