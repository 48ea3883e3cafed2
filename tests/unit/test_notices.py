"""Notices to the officers: what they say in every language, and that they are pages to officers alone, told once."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alertd.core.notices import Notices
from alertd.core.words.notice_words import NOTICE_WORDS
from alertd.core.words.notices import (
    NotCleared,
    Notice,
    SensorsSilent,
    SourceHeard,
    SourceSilent,
    Withheld,
    notice_infos,
)
from alertd.core.words.pages import PAGE_WORDS
from alertd.domain.alert import AlertState, MsgType, Status
from alertd.domain.paging import draft_and_number, notice_id
from alertd.domain.subscriber import Cohort
from tests.integration.store_stand import NOW
from tests.unit.officers_stand import SERVICE, Desk, a_desk

SILENT = SourceSilent("regione", NOW, "it answers 500 (8 in a row)")
NEVER = SourceSilent("regione", None)
HEARD = SourceHeard("regione")
SENSORS = SensorsSilent("fiume", ("arno-1", "arno-2"), ("arno-1 has sent nothing", "arno-2 has sent nothing"))
WITHHELD = Withheld(
    name="ente@x,A,2026", what="Allerta meteo", why="it was cancelled by C", posted_by="regione", status=Status.EXERCISE
)
LAST = replace(WITHHELD, last=True)
UNCLEARED = NotCleared("fiume", "01ABC", "anna has taken over", ("arno-1: 2.10 m",))


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_desk(tmp_path) as desk:
        await desk.enrol("citizen", Cohort.PUBLIC, zones=("048028",))
        yield desk


@pytest.mark.parametrize("tag", sorted(PAGE_WORDS))
@pytest.mark.parametrize("notice", [SILENT, NEVER, HEARD, SENSORS, UNCLEARED, WITHHELD, LAST])
def test_every_language_of_pages_has_words_for_every_notice(tag: str, notice: Notice) -> None:
    (info,) = notice_infos(notice, replace(SERVICE, languages=(tag,)))
    said = f"{info.headline} {info.description} {info.instruction}"
    told = {
        SILENT: ("regione", "it answers 500", "2026"),
        NEVER: ("regione",),
        HEARD: ("regione",),
        SENSORS: ("fiume", "arno-1, arno-2", "arno-2 has sent nothing"),
        WITHHELD: ("Allerta meteo", "it was cancelled by C", "regione", "Exercise"),
        LAST: ("Allerta meteo", "alert.withheld"),
        UNCLEARED: ("fiume", "01ABC", "anna has taken over", "arno-1: 2.10 m"),
    }[notice]
    for word in told:
        assert word in said
    assert "{" not in said
    assert tag in NOTICE_WORDS


async def test_officers_alone_are_told_and_once(desk: Desk) -> None:
    await desk.enrol("capo", Cohort.OFFICERS)
    notices = Notices(desk.parts)
    page = await notices.tell("source-regione-1", SILENT)
    assert page is not None
    assert await notices.tell("source-regione-1", SILENT) == page
    desk.restart()
    assert await Notices(desk.parts).tell("source-regione-1", HEARD) == page
    await desk.carry()
    (stored,) = await desk.pages()
    assert (stored.alert.id, stored.alert.status, stored.alert.is_page) == (page, Status.SYSTEM, True)
    assert await desk.told(page) == [("push", "capo")]


async def test_the_one_after_it_replaces_it_and_a_forgotten_one_is_missed_by_nobody(desk: Desk) -> None:
    await desk.enrol("capo", Cohort.OFFICERS)
    notices = Notices(desk.parts)
    first = await notices.tell("a-1", SILENT)
    second = await notices.tell("a-2", HEARD, after=first)
    third = await notices.tell("a-3", SILENT, after="no-such-page")
    fourth = await notices.tell("a-4", HEARD, after=first)
    found: dict[Any, Any] = {stored.alert.id: stored for stored in await desk.pages()}
    assert found[first].state is AlertState.SUPERSEDED
    assert found[second].alert.msg_type is MsgType.UPDATE
    assert {found[page].alert.msg_type for page in (third, fourth)} == {MsgType.ALERT}


async def test_with_no_officer_it_says_so_and_nothing_is_stored(desk: Desk) -> None:
    assert await Notices(desk.parts).tell("a-1", SILENT) is None
    assert await desk.pages() == []
    assert any("no officer to tell" in str(call) for call in desk.log.calls)


async def test_the_pager_takes_no_notice_for_a_page_about_a_draft(desk: Desk) -> None:
    await desk.enrol("capo", Cohort.OFFICERS)
    for key in ("source-x-page-1", "a-page-2", "page"):
        assert draft_and_number(notice_id(key)) is None
        await Notices(desk.parts).tell(key, SILENT)
    await desk.round()
    assert len(await desk.pages()) == 3
