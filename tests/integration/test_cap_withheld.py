"""What another system took back before it came is not sent; the officers hear of it, once, and not of two hundred."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.fake_house import fake_house
from tests.support.cap_post import SENDER, Desk, document, info, name

OFFICER = "olga"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with fake_house(tmp_path) as house:
        await house.enrol("here")
        await house.enrol(OFFICER, cohort="officers")
        yield Desk(house)


async def notices(desk: Desk) -> list[str]:
    """The ids of all that the officers were told, each delivered."""
    found = [one for one in await desk.everything() if one.endswith("-notice")]
    await desk.house.settled(*found)
    return found


async def test_the_officers_are_told_once_and_nobody_else(desk: Desk) -> None:
    peer = await desk.grant("regione", "alerts:send")
    await desk.post(document("C", "Cancel", minute=3, references=[name("A")]), who=peer)
    assert await notices(desk) == []
    withheld = document("A", infos=info(headline="Diga in pericolo"))
    for _ in range(3):
        assert (await desk.post(withheld, who=peer))[0] == 409
    assert len(await notices(desk)) == 1
    assert desk.told() == [OFFICER]
    read = desk.house.providers["people"].ledger.bodies[OFFICER].decode()
    for word in ("AVVISO RICEVUTO E NON INVIATO: Diga in pericolo", "regione", name("C", 3), "PER GLI ADDETTI"):
        assert word in read, word
    assert len(await desk.audited("alert.withheld")) == 1


async def test_after_a_restart_it_is_not_told_again(tmp_path: Path) -> None:
    for _ in range(2):
        async with fake_house(tmp_path) as house:
            desk = Desk(house)
            if not await desk.everything():
                await house.enrol("here")
                await house.enrol(OFFICER, cohort="officers")
                await desk.post(document("C", "Cancel", minute=3, references=[name("A")]))
            assert (await desk.post(document("A")))[0] == 409
            assert len(await notices(desk)) == 1


async def test_what_is_overtaken_by_an_update_that_went_out_is_told_too(desk: Desk) -> None:
    await desk.sent(document("B"))
    await desk.sent(document("U", "Update", minute=2, references=[name("A"), name("B")]))
    assert (await desk.post(document("A")))[0] == 409
    assert len(await notices(desk)) == 1


async def test_of_many_in_an_hour_five_are_told(desk: Desk) -> None:
    names = [f"A{number}" for number in range(7)]
    await desk.post(document("C", "Cancel", minute=3, references=[name(one) for one in names]))
    answers = await asyncio.gather(*(desk.post(document(one)) for one in names[:3]))
    answers += [await desk.post(document(one)) for one in names[3:]]
    assert [code for code, _ in answers] == [409] * 7
    assert len(await desk.audited("alert.withheld")) == 7
    told = await notices(desk)
    assert len(told) == 5
    said = [(await desk.alert(one))["info"][0]["description"] for one in told]
    assert sum("alert.withheld" in one for one in said) == 1


async def test_a_message_of_status_draft_is_told_to_nobody(desk: Desk) -> None:
    await desk.post(
        document("C", "Cancel", minute=3, references=[f"{SENDER},A,2026-11-22T06:00:00+01:00"], status="Draft")
    )
    assert (await desk.post(document("A", status="Draft")))[0] == 409
    assert len(await desk.audited("alert.withheld")) == 1
    assert await notices(desk) == []


async def test_drills_leave_what_is_real_its_five(desk: Desk) -> None:
    for number, status in enumerate(["Exercise"] * 6 + ["Actual"]):
        await desk.post(document(f"C{number}", "Cancel", minute=3, references=[name(f"A{number}")], status=status))
        assert (await desk.post(document(f"A{number}", status=status)))[0] == 409
    assert len(await desk.audited("alert.withheld")) == 7
    assert len(await notices(desk)) == 5 + 1
