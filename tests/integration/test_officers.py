"""The officers' side in the whole daemon: a rule's draft pages them, an approval pushes, and the public hears nothing
before."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from alertd.cli.drafts import drafts
from alertd.core.raising import Raised
from alertd.core.submission import Submission
from alertd.domain.alert import Area, Category, Certainty, Info, MsgType, Purpose, Scope, Severity, Status, Urgency
from tests.integration.api_stand import MONTELUPO, citizen, standing
from tests.integration.fake_house import FakeHouse, fake_house

PUBLIC_PAGES = ("/", "/feed.atom", "/feed.rss", "/feed-exercise.atom")


@pytest.fixture
async def it(tmp_path: Path) -> AsyncIterator[FakeHouse]:
    async with fake_house(tmp_path) as it:
        for cohort in ("officers", "public", "exercise"):
            await it.enrol(cohort, cohort=cohort)
        yield it


def submission(**changes: Any) -> Submission:
    info = Info(
        "it-IT",
        (Category.MET,),
        "Piena dell'Arno",
        Urgency.EXPECTED,
        Severity.SEVERE,
        Certainty.OBSERVED,
        headline="L'Arno sale a Montelupo",
        area=(Area("", (MONTELUPO,)),),
    )
    return Submission(Purpose.EMERGENCY, Status.ACTUAL, MsgType.ALERT, Scope.PUBLIC, (info,), **changes)


async def raised(it: Any, key: str = "k") -> Raised:
    return await it.house.raising.raise_alert(
        submission(), rule="fiume", unattended=False, evidence=["gauge arno-1: 3.41 m"], key=key
    )


async def page_of(it: FakeHouse, draft_id: str, number: str) -> str:
    page = f"{draft_id}-page-{number}"
    async with asyncio.timeout(180):
        while (await it.call("GET", f"/v1/alerts/{page}"))[0] == 404:
            await asyncio.sleep(0.002)
    await it.settled(page)
    return page


def heard(it: FakeHouse) -> dict[str, list[str]]:
    """Channel → the addresses of every parcel that left; a post has none."""
    return {name: [parcel.address for parcel in provider.parcels] for name, provider in it.providers.items()}


async def test_before_the_decision_officers_alone_hear_and_after_it_the_public(it: FakeHouse) -> None:
    draft = await raised(it)
    page = await page_of(it, draft.id, "1")
    assert heard(it) == {"people": ["officers"], "square": [], "drillground": []}
    assert (await it.call("POST", f"/v1/alerts/{draft.id}/approve"))[0] == 200
    await it.settled(draft.id)
    ending = await page_of(it, draft.id, "1-end")
    told = heard(it)
    assert sorted(told["people"]) == ["officers", "officers", "public"]
    assert (len(told["square"]), len(told["drillground"])) == (1, 1)
    _, answer = await it.call("GET", f"/v1/alerts/{ending}")
    assert answer["info"][0]["headline"].startswith("BOZZA APPROVATA da bootstrap")
    assert (await it.call("GET", f"/v1/alerts/{page}"))[1]["followed_by"] == ending


async def test_what_arrives_says_for_whom_it_is_and_not_that_all_is_well(it: FakeHouse) -> None:
    draft = await raised(it)
    await page_of(it, draft.id, "1")
    message = it.providers["people"].ledger.bodies["officers"].decode()
    title = message.splitlines()[0]
    assert title.startswith("PER GLI ADDETTI - Comune di Prova: BOZZA IN ATTESA DI DECISIONE: L'Arno sale")
    assert f"alertd approve {draft.id}" in message
    assert "non è in corso alcuna emergenza" not in message


async def test_no_page_shows_on_any_public_page(it: FakeHouse) -> None:
    draft = await raised(it)
    page = await page_of(it, draft.id, "1")
    for path in PUBLIC_PAGES:
        answer = await it.client.get(path)
        assert answer.status_code == 200, path
        assert page not in answer.text, path
        assert "BOZZA" not in answer.text, path
    for path in (f"/alerts/{page}", f"/cap/{page}.xml", f"/alerts/{draft.id}", f"/cap/{draft.id}.xml"):
        assert (await it.client.get(path)).status_code == 404, path


async def test_system_posted_by_anybody_still_goes_to_the_drills_alone(it: FakeHouse) -> None:
    system = await it.send("System")
    await it.settled(system)
    assert heard(it) == {"people": ["exercise"], "square": [], "drillground": [""]}
    body = {"purpose": "emergency", "status": "System", "scope": "Restricted", "restriction": "officers", "info": []}
    assert (await it.call("POST", "/v1/alerts", body))[0] == 422


async def test_nobody_can_call_himself_a_rule_or_the_pager(it: FakeHouse) -> None:
    for name in ("pager", "rule:fiume"):
        with pytest.raises(ValueError, match="a name of the house's own"):
            await it.house.access.create(name, frozenset({"alerts:draft"}), None, actor="test")


async def test_a_house_without_officers_says_so_where_operators_look(tmp_path: Path) -> None:
    async with fake_house(tmp_path) as it:
        await it.enrol("public")
        await raised(it)
        async with asyncio.timeout(180):
            while not (ready := (await it.client.get("/readyz")).json())["concerns"]:
                await asyncio.sleep(0.002)
        assert ready["status"] == "ready"
        assert ready["concerns"] == ["1 of 1 drafts waiting for a decision could not be paged to any officer"]


async def test_an_approved_draft_ends_as_pushes(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand, stand.client("admin") as client:
        officers, public = stand.sandbox.push.subscriptions(2)
        for subscription, cohort in ((officers, "officers"), (public, "public")):
            endpoint = {"channel": "push", "subscription": json.loads(subscription)}
            answer = await client.post("/v1/subscribers", json=citizen(0, cohort=cohort, endpoints=[endpoint]))
            assert answer.status_code == 201, answer.text
        draft = await raised(stand)
        await _pushes(stand, 1)
        assert (await client.post(f"/v1/alerts/{draft.id}/approve")).status_code == 200
        await _pushes(stand, 3)  # the alert, and the page that says who decided
        pushed = stand.sandbox.push.ledger
        assert sorted(pushed.counts.values()) == [1, 2]
        told = {count: str(stand.sandbox.push.read(recipient)) for recipient, count in pushed.counts.items()}
        assert "L'Arno sale a Montelupo" in told[1]
        assert "BOZZA" not in told[1]
        assert "BOZZA APPROVATA da anna" in told[2]
        assert "'drill': False" in told[2]


async def test_the_command_lists_what_waits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with standing(tmp_path) as stand, stand.client("admin") as client:
        assert (await client.post("/v1/subscribers", json=citizen(1))).status_code == 201
        draft = await raised(stand)
        secret = await stand.house.access.create("bruno", frozenset({"alerts:read"}), None, actor="test")
        await asyncio.to_thread(drafts, url=stand.url, token=secret)
        told = capsys.readouterr().out
        for word in (draft.id, "rule:fiume", "L'Arno sale a Montelupo", MONTELUPO, "gauge arno-1: 3.41 m"):
            assert word in told


async def _pushes(stand: Any, count: int) -> None:
    async with asyncio.timeout(180):
        while stand.sandbox.push.ledger.messages < count:
            await asyncio.sleep(0.005)
