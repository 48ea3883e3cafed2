"""A storm of drafts at the officers' desk: few pages, nothing lost, and all of it after a restart too."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from alertd.core.raising import Raised
from alertd.core.storm import Reminding
from alertd.core.words.pages import PAGE_WORDS
from alertd.core.words.together import TogetherSpeech
from alertd.core.words.together_words import TOGETHER_WORDS
from alertd.domain.alert import AlertState, MsgType, Severity, Status
from alertd.domain.paging import (
    Gravity,
    draft_and_number,
    ending_id,
    is_ending,
    is_together_ending,
    page_id,
    together,
)
from alertd.domain.subscriber import Cohort
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.pages import Outcome, Undecided
from tests.unit.officers_stand import OFFICER, SERVICE, Desk, a_desk, a_staffed_desk, river

STORM = 16
"""Enough for a second page about many: ten times as many wait as the first told of."""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with a_staffed_desk(tmp_path) as desk:
        yield desk


async def storm(desk: Desk, drafts: int = STORM, rule: str = "fiume") -> list[Raised]:
    return [await desk.draft(f"{rule}{number}", rule=rule) for number in range(drafts)]


async def grave(desk: Desk, severity: Severity, key: str = "grave") -> Raised:
    info = replace(river().info[0], severity=severity, headline="La diga di Levane cede")
    terms = {"rule": "diga", "unattended": False, "evidence": ["diga: 12 m"], "key": key}
    return await desk.raising.raise_alert(river(info=(info,)), **terms)  # type: ignore[arg-type]


async def kinds(desk: Desk) -> dict[str, int]:
    ids = [page.alert.id for page in await desk.pages()]
    return {
        "own": sum(draft_and_number(page) is not None for page in ids),
        "together": sum(together(page) is not None for page in ids),
        "ended": sum(map(is_ending, ids)),
        "over": sum(map(is_together_ending, ids)),
    }


async def last_of_all(desk: Desk) -> StoredAlert:
    many = [page for page in await desk.pages() if together(page.alert.id) or is_together_ending(page.alert.id)]
    return many[-1]


async def reject(desk: Desk, *drafts: Raised) -> None:
    for draft in drafts:
        await desk.approvals.reject(draft.id, token=OFFICER, reason="Sensori in manutenzione")


# --- few pages ---


async def test_many_at_once_are_five_pages_and_one_about_all_the_others(desk: Desk) -> None:
    await storm(desk)
    await desk.round()
    assert await kinds(desk) == {"own": 5, "together": 1, "ended": 0, "over": 0}
    page = await last_of_all(desk)
    assert (page.alert.status, page.alert.is_page, page.alert.msg_type) == (Status.SYSTEM, True, MsgType.ALERT)
    assert await desk.told(page.alert.id) == [("push", "capo")]
    assert b"alertd_drafts_waiting 16.0" in desk.fit.metrics.exposition()
    assert b"alertd_drafts_unpaged 0.0" in desk.fit.metrics.exposition()


async def test_one_by_one_as_they_come_they_are_few_pages_too(desk: Desk) -> None:
    for number in range(STORM):
        await desk.draft(f"k{number}")
        await desk.pager.round()
    assert await kinds(desk) == {"own": 5, "together": 2, "ended": 0, "over": 0}  # 1 more, then 10 more
    many = together((await last_of_all(desk)).alert.id)
    assert many is not None
    assert many[:3] == ((await drafts_of(desk))[5], 2, 10)


async def drafts_of(desk: Desk) -> list[str]:
    found = await desk.store.list_alerts(limit=1_000, states=(AlertState.DRAFT,))
    return [stored.alert.id for stored in reversed(found)]


async def test_all_are_reminded_of_on_the_same_rhythm_until_they_are_decided(desk: Desk) -> None:
    await storm(desk)
    for number in range(1, 4):
        await desk.round()
        await desk.round()
        assert await kinds(desk) == {"own": 5 * number, "together": number, "ended": 0, "over": 0}
        await desk.later(minutes=5)
    page = await last_of_all(desk)
    assert page.alert.msg_type is MsgType.UPDATE
    assert "Sollecito n. 2" in (page.alert.info[0].description or "")


async def test_the_page_says_how_many_of_which_rules_and_the_gravest_first(desk: Desk) -> None:
    await storm(desk, 8)
    await desk.round()
    await storm(desk, 12, "vento")
    await grave(desk, Severity.EXTREME)
    await desk.round()
    await grave(desk, Severity.EXTREME, "second")
    await desk.later(minutes=5)
    await desk.round()
    italian, english = (await last_of_all(desk)).alert.info
    assert italian.headline == "BOZZE IN ATTESA DI DECISIONE, altre 16. La più grave: La diga di Levane cede"
    assert italian.severity is Severity.EXTREME
    said = italian.description or ""
    parts = ["rule:diga: 1 (gravità massima: estrema)", "rule:fiume: 3 (gravità massima: elevata)", "rule:vento: 12"]
    places = [
        said.index(part) for part in (*parts, "Le più gravi:", "La diga di Levane cede (Montelupo", "L'Arno sale")
    ]
    assert places == sorted(places)
    waiting = await drafts_of(desk)
    assert sum(draft in said for draft in waiting) == 5
    assert "alertd reject --rule vento --reason" in (italian.instruction or "")
    assert "GET https://allerta.example.it/v1/alerts?state=draft" in (english.instruction or "")


# --- what must not be drowned ---


async def test_a_graver_draft_is_paged_at_once(desk: Desk) -> None:
    await storm(desk)
    await desk.round()
    draft = await grave(desk, Severity.EXTREME)
    await desk.round()
    assert (await kinds(desk))["own"] == 6
    page = (await desk.pages())[-1]
    assert draft_and_number(page.alert.id) == (draft.id, 1)
    await grave(desk, Severity.MINOR, "minor")
    await desk.round()
    assert (await kinds(desk))["own"] == 6


async def test_a_draft_told_of_together_is_approved_by_its_id(desk: Desk) -> None:
    drafts = await storm(desk)
    await desk.round()
    await desk.approvals.approve(drafts[-1].id, token=OFFICER)
    await desk.approvals.approve(drafts[0].id, token=OFFICER)
    await desk.round()
    assert [await desk.told(drafts[i].id) for i in (0, -1)] == [[("push", "citizen"), ("square", "")]] * 2
    assert (await kinds(desk))["ended"] == 1
    await desk.later(minutes=5)
    await desk.round()
    assert "approvate da anna: 1" in ((await last_of_all(desk)).alert.info[0].description or "")


# --- how it ends ---


async def test_once_all_are_rejected_the_officers_are_told_and_left_in_peace(desk: Desk) -> None:
    drafts = await storm(desk)
    await desk.round()
    await reject(desk, *drafts)
    await desk.round()
    assert await kinds(desk) == {"own": 5, "together": 1, "ended": 5, "over": 1}
    over = await last_of_all(desk)
    assert over.alert.info[0].headline == "NESSUN'ALTRA BOZZA IN ATTESA"
    assert "respinte da anna: 11 (Sensori in manutenzione)" in (over.alert.info[0].description or "")
    assert await desk.told(over.alert.id) == [("push", "capo")]
    for _ in range(3):
        await desk.later(minutes=5)
        await desk.round()
    assert await kinds(desk) == {"own": 5, "together": 1, "ended": 5, "over": 1}


async def test_drafts_that_no_page_named_are_counted_when_they_end(desk: Desk) -> None:
    drafts = await storm(desk, 7)
    await desk.round()
    drafts += await storm(desk, 4, "vento")
    await desk.round()
    assert (await kinds(desk))["together"] == 1
    await reject(desk, *drafts)
    await desk.round()
    assert "respinte da anna: 6 (" in ((await last_of_all(desk)).alert.info[0].description or "")


async def test_rejected_one_after_the_other_no_other_takes_their_place(desk: Desk) -> None:
    for draft in await storm(desk):
        await desk.round()
        await reject(desk, draft)
    await desk.round()
    assert await kinds(desk) == {"own": 5, "together": 1, "ended": 5, "over": 1}


async def test_after_the_window_the_gravest_of_the_others_get_pages_of_their_own(desk: Desk) -> None:
    drafts = await storm(desk, 8)
    await desk.round()
    await reject(desk, *drafts[:5])
    await desk.round()
    assert (await kinds(desk))["own"] == 5
    await desk.later(minutes=5)
    await desk.round()
    assert await kinds(desk) == {"own": 8, "together": 1, "ended": 5, "over": 1}
    assert "Dalla notifica" not in ((await last_of_all(desk)).alert.info[0].description or "")


async def test_those_that_expire_undecided_are_told(desk: Desk) -> None:
    await storm(desk)
    await desk.round()
    await desk.later(hours=2)
    await desk.round()
    assert await kinds(desk) == {"own": 5, "together": 1, "ended": 5, "over": 1}
    assert "scadute senza decisione: 11" in ((await last_of_all(desk)).alert.info[0].description or "")


async def test_one_more_after_a_storm_is_paged_at_once(desk: Desk) -> None:
    drafts = await storm(desk)
    await desk.round()
    await reject(desk, *drafts)
    await desk.round()
    alone = await desk.draft("alone")
    await desk.round()
    assert draft_and_number((await desk.pages())[-1].alert.id) == (alone.id, 1)


# --- restarts, and other mishaps ---


async def test_no_burst_after_a_restart(desk: Desk) -> None:
    drafts = await storm(desk)
    desk.restart()
    await desk.round()
    before = await kinds(desk)
    assert before == {"own": 5, "together": 1, "ended": 0, "over": 0}
    for _ in range(3):
        desk.restart()
        await desk.round()
    assert await kinds(desk) == before
    await desk.later(minutes=5)
    for _ in range(3):
        desk.restart()
        await desk.round()
    assert await kinds(desk) == {"own": 10, "together": 2, "ended": 0, "over": 0}
    await reject(desk, *drafts)
    for _ in range(3):
        desk.restart()
        await desk.round()
    assert await kinds(desk) == {"own": 10, "together": 2, "ended": 5, "over": 1}
    assert "respinte" not in ((await last_of_all(desk)).alert.info[0].description or "")


async def test_with_no_officer_it_is_said_a_few_times_and_not_for_each(tmp_path: Path) -> None:
    async with a_desk(tmp_path) as desk:
        await desk.enrol("citizen", Cohort.PUBLIC, zones=("048028",))
        await storm(desk)
        await desk.round()
        assert await desk.pages() == []
        assert len(desk.log.calls) == 6
        concern = "16 of 16 drafts waiting for a decision could not be paged to any officer"
        assert desk.fit.readiness.concerns == (concern,)
        await desk.enrol("capo", Cohort.OFFICERS)
        await desk.later(minutes=1)
        await desk.round()
        assert await kinds(desk) == {"own": 5, "together": 1, "ended": 0, "over": 0}
        assert desk.fit.readiness.concerns == ()


async def test_the_setting_says_how_many_are_paged_one_by_one(desk: Desk) -> None:
    desk.reminding = Reminding(timedelta(minutes=5), one_by_one=2)
    await storm(desk, 5)
    await desk.round()
    assert await kinds(desk) == {"own": 2, "together": 1, "ended": 0, "over": 0}


async def test_a_draft_that_ended_with_its_own_page_is_not_counted_among_the_others(desk: Desk) -> None:
    drafts = await storm(desk, 6)
    await desk.round()
    await reject(desk, drafts[5])
    await desk.round()
    assert "respinte da anna: 1 (" in ((await last_of_all(desk)).alert.info[0].description or "")
    assert ending_id(page_id(drafts[0].id, 1)) not in [page.alert.id for page in await desk.pages()]


# --- words ---


@pytest.mark.parametrize("tag", sorted(PAGE_WORDS))
async def test_every_language_of_pages_has_words_for_many(desk: Desk, tag: str) -> None:
    raised = await grave(desk, Severity.EXTREME)
    stored = await desk.store.get_alert(raised.id)
    gravity = Gravity(real=True, emergency=True, severity=4)
    drafts = [Undecided(n, f"d{n}", stored.deadline, f"rule:r{n % 12}", gravity) for n in range(1600)]
    outcomes = [
        Outcome(AlertState.DRAFT, False, None, None, 3),
        Outcome(AlertState.REJECTED, True, "rule:a", None, 4),
        Outcome(AlertState.REJECTED, False, "anna", "falso", 5),
        Outcome(AlertState.ACTIVE, False, "bruno", None, 6),
    ]
    service = replace(SERVICE, languages=(tag,))
    (info,) = TogetherSpeech(drafts, [stored], outcomes, service, 3).infos()
    (over,) = TogetherSpeech((), (), outcomes, service, 4).infos()
    said = f"{info.headline} {info.description} {info.instruction}"
    for word in ("1600", "La diga di Levane cede", raised.id, "rule:r0", "alertd drafts", "--rule r0", "anna", "falso"):
        assert word in said, word
    for word in (": 3", ": 4", "anna: 5 (falso)", "bruno: 6"):
        assert word in (over.description or "").replace(" :", ":"), word
    assert "{" not in f"{said}{over.headline}{over.description}{over.instruction}"
    assert tag in TOGETHER_WORDS


@pytest.mark.parametrize("tag", sorted(PAGE_WORDS))
async def test_the_longest_page_about_many_fits_a_chat_message_with_what_to_do(desk: Desk, tag: str) -> None:
    long = "parola " * 60
    info = replace(river().info[0], headline=long, area=(replace(river().info[0].area[0], area_desc=long),))
    stored = await desk.store.get_alert((await grave(desk, Severity.EXTREME)).id)
    shown = [replace(stored, alert=replace(stored.alert, info=(info,)))] * 5
    gravity = Gravity(real=True, emergency=True, severity=4)
    names = [f"rule:{number}{'r' * 80}" for number in range(40)]
    drafts = [Undecided(n, f"d{n}", stored.deadline, names[n % 40], gravity) for n in range(100_000)]
    outcomes = [Outcome(AlertState.REJECTED, False, name, long, 2_500) for name in names]
    (one,) = TogetherSpeech(drafts, shown, outcomes, replace(SERVICE, languages=(tag,)), 99).infos()
    assert one.description is not None
    assert not one.description.endswith("…"), "it was cut"
    assert len(f"{one.headline}\n\n{one.description}\n\n{one.instruction}") < 4_096 - 256


async def test_between_rounds_over_very_many_others_have_their_turn(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[float] = []

    async def round_over_many() -> datetime:
        rounds.append(desk.clock.monotonic())
        desk.pager._tell(waiting=21_000, unpaged=0)
        return desk.clock.now() + timedelta(minutes=1)

    monkeypatch.setattr(desk.pager, "round", round_over_many)
    running = asyncio.create_task(desk.pager.run())
    try:
        await desk.clock.advance(0.9)
        desk.fit.bells.drafts.ring()
        await desk.clock.advance(0.05)
        assert rounds == [0.0]
        await desk.clock.advance(0.05)
        assert rounds == [0.0, 1.0]
    finally:
        running.cancel()
        await asyncio.wait([running])
