"""The clock is set back after officers were told how it ended: what waits again is paged again, and ends again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alertd.core.storm import Reminding
from alertd.domain.paging import is_ending, is_together_ending, together
from tests.integration.store_stand import NOW
from tests.support.clock import ManualClock
from tests.unit.officers_stand import OFFICER, Desk, a_staffed_desk, river

SOON = NOW + timedelta(minutes=3)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_staffed_desk(tmp_path) as desk:
        yield desk


async def drafted(desk: Desk, drafts: int) -> list[str]:
    info = replace(river().info[0], expires=SOON)
    terms = {"rule": "fiume", "unattended": False, "evidence": ["3.41 m"]}
    made = [await desk.raising.raise_alert(river(info=(info,)), **terms, key=f"k{n}") for n in range(drafts)]  # type: ignore[arg-type]
    return [one.id for one in made]


def set_back(desk: Desk, **length: float) -> None:
    """The daemon starts again, as it does where the clock of a whole machine was wrong."""
    desk.clock = ManualClock(desk.clock.now() - timedelta(**length))
    desk.restart()


async def ids(desk: Desk) -> list[str]:
    return [page.alert.id for page in await desk.pages()]


@pytest.mark.parametrize("at_most", [None, 0])
async def test_a_draft_that_waits_again_is_paged_again_and_its_end_told_again(desk: Desk, at_most: int | None) -> None:
    desk.reminding = Reminding(timedelta(minutes=5), at_most)
    [draft] = await drafted(desk, 1)
    await desk.round()
    await desk.later(minutes=4)
    await desk.round()
    set_back(desk, minutes=4)
    await desk.round()
    await desk.round()
    assert await ids(desk) == [f"{draft}-page-1", f"{draft}-page-1-end", f"{draft}-page-2"]
    await desk.later(minutes=4)
    await desk.round()
    await desk.round()
    assert (await ids(desk))[3:] == [f"{draft}-page-2-end"]
    assert [page.alert_id for page in await desk.store.open_pages(NOW - timedelta(days=1))] == [f"{draft}-page-2-end"]


@pytest.mark.parametrize("rejected", [0, 2])
async def test_so_are_many_and_nobody_looks_again_and_again(desk: Desk, rejected: int) -> None:
    desk.reminding = Reminding(timedelta(minutes=5), one_by_one=1)
    drafts = await drafted(desk, 8)
    await desk.round()
    await desk.later(minutes=4)
    await desk.round()
    set_back(desk, minutes=4)
    for draft in drafts[-rejected:] if rejected else ():
        await desk.approvals.reject(draft, token=OFFICER, reason="falso")
    await desk.round()
    said = [many for page in await ids(desk) if (many := together(page))]
    assert [(many.number, many.drafts) for many in said] == [(1, 7), (2, 7 - rejected)]
    await desk.later(minutes=4)
    await desk.round()
    due = await desk.pager.round()
    assert due > desk.clock.now(), "a round that begins at once has something to do"
    open_still = [page.alert_id for page in await desk.store.open_pages(NOW - timedelta(days=1))]
    assert all(is_ending(page) or is_together_ending(page) for page in open_still)
    assert sum(map(is_together_ending, await ids(desk))) == 2
