"""The HTTP API of the real daemon, as CONTRACT.md words it, over a real connection."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from alertd.domain.audit import AuditEntry, first_break
from alertd.domain.delivery import State
from alertd.storage.store import Store
from tests.integration.api_stand import ALERT, MONTELUPO, Stand, citizen, standing

EVERY = ("alerts:send", "alerts:read", "alerts:approve", "subscribers:read", "subscribers:write")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with standing(tmp_path) as place:
        yield place


@pytest.fixture
async def client(stand: Stand) -> AsyncIterator[httpx.AsyncClient]:
    async with stand.client(*EVERY) as client:
        rows = [citizen(1), citizen(2), citizen(3, cohort="exercise"), citizen(4, zones=["048010"])]
        body = "\n".join(json.dumps(row) for row in rows)
        loaded = await client.post(
            "/v1/subscribers/import", content=body, headers={"Content-Type": "application/x-ndjson"}
        )
        assert loaded.json() == {"created": 4, "updated": 0, "rejected": 0, "errors": []}, loaded.text
        yield client


async def ended(client: httpx.AsyncClient, alert_id: str) -> dict[str, Any]:
    """The receipts of `done`."""
    async with asyncio.timeout(180), client.stream("GET", f"/v1/alerts/{alert_id}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        event = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            event = value if name == "event" else event
            if name == "data" and event == "done":
                return json.loads(value)
    raise AssertionError("the stream ended without done")


async def send(client: httpx.AsyncClient, **changes: Any) -> dict[str, Any]:
    answer = await client.post("/v1/alerts", json={**ALERT, **changes})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_an_alert_from_post_to_receipt(stand: Stand, client: httpx.AsyncClient) -> None:
    accepted = await send(client)
    assert accepted.keys() == {"id", "identifier", "sender", "sent", "state", "channels", "links"}
    assert accepted["sender"] == "protezionecivile@comune.example.it"
    assert accepted["channels"] == ["mail"]
    alert_id = accepted["id"]
    done = await ended(client, alert_id)
    [mail] = done["channels"]
    assert (mail["total"], mail["accepted"]) == (2, 2)
    assert sum(mail[state.value] for state in State) == mail["total"]
    assert (await client.get(accepted["links"]["receipts"])).json()["channels"] == done["channels"]

    found = (await client.get(accepted["links"]["self"])).json()
    assert found["state"] in {"active", "complete"}
    assert found["info"][0]["area"][0]["zone"] == MONTELUPO
    assert found["info"][0]["area"][0]["area_desc"] == "Montelupo Fiorentino"
    for key in ALERT["info"][0].keys() - {"area"}:
        assert found["info"][0][key] == ALERT["info"][0][key]

    document = await client.get(accepted["links"]["cap"])
    assert document.headers["content-type"] == "application/cap+xml"
    assert f"<identifier>{accepted['identifier']}</identifier>" in document.text

    rows = (await client.get(f"/v1/alerts/{alert_id}/deliveries?channel=mail&state=accepted")).json()["items"]
    assert {row["address"] for row in rows} == {"citizen1@example.org", "citizen2@example.org"}
    reader = await stand.grant("reader", "alerts:read")
    masked = (await client.get(f"/v1/alerts/{alert_id}/deliveries?limit=1", headers=reader)).json()
    assert masked["items"][0]["address"] == "c…@example.org"
    assert masked["next"]
    rest = await client.get(f"/v1/alerts/{alert_id}/deliveries?limit=1&cursor={masked['next']}", headers=reader)
    assert len(rest.json()["items"]) == 1
    assert rest.json()["next"] is None


async def test_a_repeated_key_replays_the_answer(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "temporali-1"}
    answers = await asyncio.gather(*(client.post("/v1/alerts", json=ALERT, headers=headers) for _ in range(20)))
    assert {answer.status_code for answer in answers} <= {202, 409}
    again = await client.post("/v1/alerts", json=ALERT, headers=headers)
    assert again.status_code == 202
    assert {answer.content for answer in answers if answer.status_code == 202} == {again.content}
    other = await client.post("/v1/alerts", json={**ALERT, "note": "altro"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]
    assert len((await client.get("/v1/alerts")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("change", "loc"),
    [
        ({"channels": ["fax"]}, ["channels", 0]),
        ({"info": [{**ALERT["info"][0], "area": [{"zone": "Atlantide"}]}]}, ["info", 0, "area", 0]),
        ({"info": [{**ALERT["info"][0], "area": []}]}, ["info", 0, "area"]),
        (
            {"info": [{**ALERT["info"][0], "area": [{"zone": MONTELUPO, "colour": "red"}]}]},
            ["info", 0, "area", 0, "colour"],
        ),
        ({"msg_type": "Update"}, ["msg_type"]),
        ({"status": "Exercise", "channels": ["push"]}, ["info"]),
    ],
)
async def test_what_is_refused_is_named_and_not_stored(client: httpx.AsyncClient, change: Any, loc: list[Any]) -> None:
    answer = await client.post("/v1/alerts", json={**ALERT, **change})
    assert answer.status_code == 422, answer.text
    assert loc in [error["loc"] for error in answer.json()["errors"]], answer.text
    assert (await client.get("/v1/alerts")).json() == {"items": [], "next": None}


async def test_an_update_and_a_cancel_follow_the_original(client: httpx.AsyncClient) -> None:
    first = await send(client)
    await ended(client, first["id"])
    wrong = await client.post(f"/v1/alerts/{first['id']}/update", json={**ALERT, "status": "Exercise"})
    assert (wrong.status_code, wrong.json()["errors"][0]["loc"]) == (422, ["status"])
    second = (await client.post(f"/v1/alerts/{first['id']}/update", json={**ALERT, "note": "più forte"})).json()
    found = (await client.get(f"/v1/alerts/{second['id']}")).json()
    assert found["msg_type"] == "Update"
    assert found["references"] == [f"{first['sender']},{first['identifier']},{first['sent']}"]
    third = await client.post(f"/v1/alerts/{second['id']}/cancel")
    assert third.status_code == 202
    states = {item["id"]: item["state"] for item in (await client.get("/v1/alerts")).json()["items"]}
    assert states[first["id"]] == "superseded"
    assert states[second["id"]] == "cancelled"
    again = await client.post(f"/v1/alerts/{second['id']}/cancel", json={"note": "di nuovo"})
    assert again.status_code == 409
    assert (await client.get(f"/v1/alerts/{second['id']}")).json()["followed_by"] == third.json()["id"]
    [mail] = (await ended(client, third.json()["id"]))["channels"]
    assert mail["total"] == 2


async def test_the_two_person_rule(stand: Stand, client: httpx.AsyncClient) -> None:
    drafter = await stand.grant("drafter", "alerts:draft", "alerts:approve")
    draft = (await client.post("/v1/alerts", json=ALERT, headers=drafter)).json()
    assert draft["state"] == "draft"
    own = await client.post(f"/v1/alerts/{draft['id']}/approve", headers=drafter)
    assert own.status_code == 403
    approved = await client.post(f"/v1/alerts/{draft['id']}/approve")
    assert approved.status_code == 200
    assert approved.json()["state"] in {"pending", "active"}
    assert approved.json()["decided_by"] == "anna"
    assert (await client.post(f"/v1/alerts/{draft['id']}/approve")).status_code == 409
    other = (await client.post("/v1/alerts", json=ALERT, headers=drafter)).json()
    rejected = await client.post(f"/v1/alerts/{other['id']}/reject", json={"reason": "zona sbagliata"})
    assert rejected.json()["state"] == "rejected"
    assert rejected.json()["reject_reason"] == "zona sbagliata"
    assert (await ended(client, other["id"]))["state"] == "rejected"


async def test_a_preview_shows_every_channel_and_stores_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/previews", json={**ALERT, "channels": None})
    assert answer.status_code == 200, answer.text
    shown = {channel["channel"]: channel for channel in answer.json()["channels"]}
    assert {"mail", "push", "bot", "canale", "hook"} <= shown.keys()
    assert shown["mail"]["audience"] == 2
    assert "Montelupo" in shown["mail"]["messages"][0]["carried"]
    assert answer.json()["zones"] == ["Montelupo Fiorentino"]
    assert (await client.get("/v1/alerts")).json()["items"] == []


async def test_channels_retry_audit_and_metrics(stand: Stand, client: httpx.AsyncClient) -> None:
    listed = {channel["name"]: channel for channel in (await client.get("/v1/channels")).json()["items"]}
    assert listed["mail"]["adapter"] == "email"
    assert (listed["mail"]["broadcast"], listed["hook"]["broadcast"], listed["hook"]["exercise"]) == (False, True, True)
    alert_id = (await send(client))["id"]
    await ended(client, alert_id)
    again = await client.post(f"/v1/alerts/{alert_id}/retry")
    assert (again.status_code, again.json()) == (202, {"requeued": 0})
    root = await stand.grant("root", "admin")
    entries, cursor = [], None
    while True:
        page = (
            await client.get("/v1/audit", params={"limit": 2, **({"cursor": cursor} if cursor else {})}, headers=root)
        ).json()
        entries += [AuditEntry(**row) for row in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert first_break(entries) is None
    assert page["head"] == {"seq": entries[-1].seq, "hash": entries[-1].hash}
    metrics = (await client.get("/metrics")).text
    assert "alertd_accept_seconds_count 1.0" in metrics
    assert 'alertd_attempts_total{channel="mail",reason="",verdict="accepted"} 2.0' in metrics


async def test_a_stopping_daemon_ends_the_streams(tmp_path: Path) -> None:
    async with standing(tmp_path) as place, place.client("alerts:draft", "alerts:read") as client:
        rows = json.dumps(citizen(1))
        writer = await place.grant("writer", "subscribers:write")
        headers = {"Content-Type": "application/x-ndjson", **writer}
        await client.post("/v1/subscribers/import", content=rows, headers=headers)
        draft = (await client.post("/v1/alerts", json=ALERT)).json()
        async with client.stream("GET", f"/v1/alerts/{draft['id']}/events") as answer:
            lines = answer.aiter_lines()
            assert await anext(lines) == "event: progress"
            place.house.web.state.streams.close()
            async with asyncio.timeout(180):
                assert "event: done" not in [line async for line in lines]


async def test_a_token_revoked_on_the_store_is_refused_however_well_known(
    stand: Stand, client: httpx.AsyncClient
) -> None:
    officer = await stand.grant("leaver", "alerts:send")
    sent = await client.post("/v1/alerts", json=ALERT, headers={**officer, "Idempotency-Key": "k"})
    assert sent.status_code == 202
    assert (await client.post("/v1/alerts", json=ALERT, headers=officer)).status_code == 202
    before = len((await client.get("/v1/alerts")).json()["items"])
    async with Store.open(stand.house.current.settings.store.url, exclusive=False) as aside:
        await aside.revoke_token("leaver", actor="admin", at=datetime.now(UTC))
    for refused in (
        await client.post("/v1/alerts", json=ALERT, headers=officer),
        await client.post("/v1/alerts", json=ALERT, headers=officer),
        await client.post("/v1/alerts", json=ALERT, headers={**officer, "Idempotency-Key": "k"}),
        await client.post("/v1/alerts", json={"info": []}, headers=officer),
        await client.post("/v1/alerts", content=b"no JSON", headers=officer),
    ):
        assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert len((await client.get("/v1/alerts")).json()["items"]) == before
