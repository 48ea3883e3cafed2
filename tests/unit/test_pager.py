"""Pages to the officers: who gets them, when, how often, and how they end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alertd.core.open_channel import OpenChannel
from alertd.core.paging import Paging, walled
from alertd.core.storm import Reminding
from alertd.domain.alert import AlertState, MsgType, Scope, Severity, Status
from alertd.domain.delivery import State
from alertd.domain.paging import draft_and_number, ending_id, next_due, page_id
from alertd.domain.subscriber import Cohort
from alertd.ports.adapter import Traits
from alertd.ports.stores.intake import NewAlert
from tests.integration.store_stand import NOW, an_alert, new, sql
from tests.support.clock import ManualClock
from tests.unit.officers_stand import CARRIERS, OFFICER, Desk, a_desk, a_staffed_desk, river


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_staffed_desk(tmp_path) as desk:
        await desk.enrol("actor", Cohort.EXERCISE, zones=("*",))
        yield desk


# --- the first page ---


async def test_a_draft_pages_the_officers_and_nobody_else(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.round()
    (page,) = await desk.pages()
    assert draft.state is AlertState.DRAFT
    assert (page.alert.status, page.alert.scope, page.alert.msg_type) == (
        Status.SYSTEM,
        Scope.RESTRICTED,
        MsgType.ALERT,
    )
    assert page.alert.is_page
    assert [plan.channel for plan in page.plans] == ["push"]
    assert await desk.told(page.alert.id) == [("push", "capo")]
    assert await desk.told(draft.id) == []
    assert sql(desk.folder, "SELECT DISTINCT cohort FROM alert WHERE created_by = 'pager'") == [("officers",)]


async def test_it_says_first_what_it_is_then_what_to_do_what_the_draft_says_and_why(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.round()
    (page,) = await desk.pages()
    italian, english = page.alert.info
    assert italian.headline == "BOZZA IN ATTESA DI DECISIONE: L'Arno sale a Montelupo"
    assert english.headline == "DRAFT WAITING FOR A DECISION: L'Arno sale a Montelupo"
    assert f"alertd approve {draft.id}" in (italian.instruction or "")
    assert f"https://allerta.example.it/v1/alerts/{draft.id}/approve" in (italian.instruction or "")
    said = italian.description or ""
    parts = ["rule:fiume", "La bozza scade", "gauge arno-1: 3.41 m > 3.00 m", "L'Arno sale", "Montelupo", "piani alti"]
    places = [said.index(part) for part in parts]
    assert places == sorted(places)
    assert italian.expires == river().info[0].expires
    assert {info.language for info in page.alert.info} == {"it-IT", "en-GB"}


async def test_zones_and_severity_keep_no_officer_from_a_page(desk: Desk) -> None:
    await desk.enrol("far", Cohort.OFFICERS, zones=("048010",), min_severity=Severity.EXTREME)
    await desk.draft()
    await desk.round()
    (page,) = await desk.pages()
    assert sorted(await desk.told(page.alert.id)) == [("push", "capo"), ("push", "far")]


async def test_a_draft_of_a_person_pages_nobody(desk: Desk) -> None:
    writer = replace(OFFICER, name="bruno", scopes=frozenset({"alerts:draft"}))
    await desk.intake.submit(river(), token=writer, idempotency=None, encode=lambda accepted: accepted.id.encode())
    await desk.round()
    assert await desk.pages() == []


async def test_an_alert_reaches_no_officer_however_it_is_sent(desk: Desk) -> None:
    await desk.draft(unattended=True)
    (stored,) = await desk.store.list_alerts(limit=10)
    await desk.carry()
    assert sorted(await desk.told(stored.alert.id)) == [("push", "citizen"), ("square", "")]


async def test_a_drill_of_a_rule_says_that_it_is_one(desk: Desk) -> None:
    await desk.raising.raise_alert(
        river(status=Status.EXERCISE), rule="fiume", unattended=False, evidence=["prova"], key="k"
    )
    await desk.round()
    (page,) = await desk.pages()
    assert "Exercise" in (page.alert.info[0].description or "")
    assert await desk.told(page.alert.id) == [("push", "capo")]


# --- reminders ---


async def test_reminders_are_updates_of_one_thread_until_somebody_decides(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.round()
    for _ in range(3):
        await desk.later(minutes=5)
        await desk.round()
    await desk.round()
    pages = await desk.pages()
    assert [page.alert.id for page in pages] == [page_id(draft.id, number) for number in (1, 2, 3, 4)]
    assert [page.alert.msg_type for page in pages] == [MsgType.ALERT, *[MsgType.UPDATE] * 3]
    assert [page.state for page in pages[:3]] == [AlertState.SUPERSEDED] * 3
    assert {page.ancestors[-1] for page in pages[1:]} == {page_id(draft.id, 1)}
    assert max(len(page.ancestors) for page in pages) == 2
    assert str(pages[3].alert.references[0]).split(",")[1] == pages[2].alert.identifier
    assert all([await desk.told(page.alert.id) == [("push", "capo")] for page in pages])
    assert "Sollecito n. 3" in (pages[3].alert.info[0].description or "")


async def test_the_decision_ends_them_and_is_told(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.round()
    await desk.approvals.approve(draft.id, token=OFFICER)
    await desk.round()
    first, last = await desk.pages()
    assert last.alert.id == ending_id(page_id(draft.id, 1))
    assert last.alert.info[0].headline == "BOZZA APPROVATA da anna: L'Arno sale a Montelupo"
    assert await desk.told(last.alert.id) == [("push", "capo")]
    assert sorted(await desk.told(draft.id)) == [("push", "citizen"), ("square", "")]
    for _ in range(3):
        await desk.later(minutes=5)
        await desk.round()
    assert len(await desk.pages()) == 2
    assert first.alert.id != last.alert.id


async def test_a_rejection_is_told_with_its_reason(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.round()
    await desk.approvals.reject(draft.id, token=OFFICER, reason="Sensore in manutenzione")
    await desk.round()
    last = (await desk.pages())[-1]
    assert (last.alert.info[0].headline or "").startswith("BOZZA RESPINTA da anna")
    assert "Sensore in manutenzione" in (last.alert.info[0].description or "")


async def test_a_draft_that_expires_undecided_is_told_once_and_no_more(desk: Desk) -> None:
    draft = await desk.draft()
    await desk.round()
    await desk.later(hours=2)
    for _ in range(3):
        await desk.round()
        await desk.later(minutes=5)
    pages = await desk.pages()
    assert [page.alert.id for page in pages] == [page_id(draft.id, 1), ending_id(page_id(draft.id, 1))]
    assert (pages[1].alert.info[0].headline or "").startswith("BOZZA SCADUTA")
    assert await desk.told(pages[1].alert.id) == [("push", "capo")]


async def test_no_more_reminders_than_configured(desk: Desk) -> None:
    desk.reminding = Reminding(timedelta(minutes=5), at_most=2)
    await desk.draft()
    for _ in range(6):
        await desk.round()
        await desk.later(minutes=5)
    assert len(await desk.pages()) == 3


async def test_a_clock_set_back_does_not_silence_them(desk: Desk) -> None:
    assert next_due(NOW, timedelta(minutes=5), NOW - timedelta(hours=3)) == NOW - timedelta(hours=3)
    assert next_due(NOW, timedelta(minutes=5), NOW) == NOW + timedelta(minutes=5)
    assert draft_and_number(page_id("a-page-1", 12)) == ("a-page-1", 12)
    assert draft_and_number(ending_id(page_id("a", 1))) is None
    await desk.draft()
    await desk.round()
    desk.clock = ManualClock(NOW - timedelta(hours=3))
    desk.restart()
    await desk.round()
    await desk.round()
    assert len(await desk.pages()) == 2


# --- restarts ---


async def test_a_restart_forgets_no_page_and_repeats_none(desk: Desk) -> None:
    draft = await desk.draft()
    desk.restart()  # killed between the draft and its page
    await desk.round()
    for _ in range(3):
        desk.restart()
        await desk.round()
    assert [page.alert.id for page in await desk.pages()] == [page_id(draft.id, 1)]
    await desk.later(minutes=5)
    desk.restart()
    await desk.round()
    desk.restart()
    await desk.round()
    assert len(await desk.pages()) == 2
    await desk.approvals.reject(draft.id, token=OFFICER, reason="no")
    for _ in range(2):
        desk.restart()
        await desk.round()
    assert len(await desk.pages()) == 3


async def test_the_same_page_is_stored_once_however_often_it_is_sent(desk: Desk) -> None:
    draft = await desk.draft()
    stored = await desk.store.get_alert(draft.id)
    for _ in range(3):
        assert await Paging(desk.parts).page(stored, 1, None)
    assert len(await desk.pages()) == 1
    assert sql(desk.folder, "SELECT count(*) FROM audit WHERE actor = 'pager'") == [(1,)]


async def test_after_a_long_sleep_there_is_one_page_and_not_all_that_were_missed(desk: Desk) -> None:
    await desk.draft()
    await desk.round()
    await desk.later(minutes=90)
    desk.restart()
    for _ in range(3):
        await desk.round()
    assert len(await desk.pages()) == 2


# --- nobody there, and other mishaps ---


async def test_with_no_officer_the_draft_is_loud_and_is_paged_once_there_is_one(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.enrol("citizen", Cohort.PUBLIC, zones=("048028",))
        await desk.draft()
        await desk.round()
        assert await desk.pages() == []
        assert [call.method_name for call in desk.log.calls] == ["error"]
        assert "no officer to page" in str(desk.log.calls[0])
        assert desk.fit.readiness.concerns == (
            "1 of 1 drafts waiting for a decision could not be paged to any officer",
        )
        assert b"alertd_drafts_unpaged 1.0" in desk.fit.metrics.exposition()
        assert desk.fit.readiness.state() == (True, "")
        await desk.enrol("capo", Cohort.OFFICERS)
        await desk.later(minutes=1)
        await desk.round()
        assert len(await desk.pages()) == 1
        assert desk.fit.readiness.concerns == ()
        assert b"alertd_drafts_unpaged 0.0" in desk.fit.metrics.exposition()


async def test_one_draft_that_cannot_be_paged_about_does_not_keep_the_others(desk: Desk) -> None:
    sick, well = await desk.draft("k1"), await desk.draft("k2")
    written(desk.folder, "UPDATE alert SET content = '{}' WHERE id = ?", sick.id)
    await desk.pager.round()
    assert sql(desk.folder, "SELECT id FROM alert WHERE created_by = 'pager'") == [(page_id(well.id, 1),)]
    assert b"alertd_drafts_unpaged 1.0" in desk.fit.metrics.exposition()


async def test_a_channel_that_became_a_broadcast_one_carries_no_more_pages(desk: Desk) -> None:
    await desk.draft()
    await desk.round()
    push = replace(CARRIERS[0], broadcast=True, exercise=True)
    mail = replace(CARRIERS[0], name="mail")
    desk.carriers = (push, mail)
    await desk.enrol("other", Cohort.OFFICERS)
    written(desk.folder, "UPDATE endpoint SET channel = 'mail' WHERE address = ?", "other")
    await desk.later(minutes=5)
    await desk.round()
    assert [plan.channel for plan in (await desk.pages())[-1].plans] == ["mail"]


@pytest.mark.parametrize("addressed", [True, False])
async def test_the_last_wall_lets_no_page_onto_a_channel_that_posts(desk: Desk, addressed: bool) -> None:
    await desk.draft()
    await desk.round()
    (page,) = await desk.pages()
    traits = Traits(addressed=addressed, provable=State.DELIVERED, idempotent=True)
    unused: Any = None
    channel = OpenChannel("c", "fake", unused, traits, unused, lambda: unused, "it", exercise=True)
    drill = replace(page, alert=replace(page.alert, scope=Scope.PUBLIC))
    assert channel.may_carry(page, personal=True) is addressed
    assert not channel.may_carry(page, personal=False)
    assert channel.may_carry(drill, personal=False) is not addressed


@pytest.mark.parametrize(
    "change",
    [
        lambda new: replace(new, cohort=Cohort.PUBLIC),
        lambda new: replace(new, plans=(CARRIERS[1].plan,)),
        lambda new: replace(new, alert=replace(new.alert, scope=Scope.PUBLIC)),
        lambda new: replace(new, alert=replace(new.alert, status=Status.ACTUAL)),
    ],
    ids=["another cohort", "a post", "public", "actual"],
)
def test_the_wall_at_accept(change: Callable[[NewAlert], NewAlert]) -> None:
    alert = an_alert(status=Status.SYSTEM, scope=Scope.RESTRICTED)
    page = new(CARRIERS[0].plan, alert=alert, cohort=Cohort.OFFICERS)
    assert walled(page) is page
    with pytest.raises(ValueError, match="no page to the officers alone"):
        walled(change(page))


# --- the task ---


async def test_it_wakes_when_a_draft_is_stored_or_decided(desk: Desk) -> None:
    running = asyncio.create_task(desk.pager.run())
    try:
        draft = await desk.draft()
        await _until(desk, 1)
        await desk.approvals.approve(draft.id, token=OFFICER)
        await _until(desk, 2)
    finally:
        running.cancel()
        await asyncio.wait([running])


def written(folder: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(folder / "alertd.db")) as raw:
        raw.execute(statement, parameters)
        raw.commit()


async def _until(desk: Desk, count: int) -> None:
    async with asyncio.timeout(180):
        while len(await desk.pages()) < count:
            await asyncio.sleep(0.002)


async def test_a_fault_of_the_store_s_own_does_not_end_the_pager(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.draft()
    looked = asyncio.Event()

    async def broken(since: datetime) -> list[Any]:
        looked.set()
        raise RuntimeError("a bug")

    with monkeypatch.context() as patched:
        patched.setattr(desk.store, "open_pages", broken)
        running = asyncio.create_task(desk.pager.run())
        await looked.wait()
        await desk.clock.advance(0)
    assert not running.done()
    assert desk.fit.readiness.concerns
    while desk.fit.readiness.concerns:
        await desk.clock.advance(10)
    running.cancel()
    assert len(await desk.pages()) == 1
