"""The calls, on stand-ins of what is behind them."""

import json
from dataclasses import replace

import pytest

from alertd.domain.alert import AlertState, MsgType, Purpose
from alertd.domain.delivery import State
from alertd.domain.problems import Unavailable
from alertd.web.api.schemas import EXAMPLE
from tests.unit.web_fakes import POSTED, Web, delivery, make_web, stored_alert, tally


@pytest.fixture
def web() -> Web:
    web = make_web()
    web.store.alerts["a1"] = stored_alert()
    return web


async def test_an_alert_is_taken_whole(web: Web) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:send")) as client:
        answer = await client.post("/v1/alerts", json=EXAMPLE)
    assert answer.status_code == 202
    assert answer.json() == {
        "id": "a1",
        "identifier": "a1",
        "sender": "pc@comune.example.it",
        "sent": "2026-11-22T06:00:00+01:00",
        "state": "pending",
        "channels": ["mail"],
        "links": {
            "self": "/v1/alerts/a1",
            "receipts": "/v1/alerts/a1/receipts",
            "events": "/v1/alerts/a1/events",
            "cap": "/v1/alerts/a1/cap",
            "page": "https://a.example.it/alerts/a1",
        },
    }
    [(submission, idempotency)] = web.intake.taken
    assert idempotency is None
    assert submission.channels is None
    [info] = submission.info
    assert info.onset.isoformat() == EXAMPLE["info"][0]["onset"]
    assert [area.zones for area in info.area] == [("048028",), ()]
    assert [str(p) for p in info.area[1].polygons] == EXAMPLE["info"][0]["area"][1]["polygon"]


async def test_what_may_be_left_out(web: Web) -> None:
    bare = json.loads(json.dumps(POSTED))
    del bare["info"][0]["language"]
    bare["info"][0]["headline"] = "  "
    async with web.client(web.tokens.grant("anna", "alerts:send")) as client:
        assert (await client.post("/v1/alerts", json=bare)).status_code == 202
    [(submission, _)] = web.intake.taken
    assert (submission.purpose, submission.msg_type) == (Purpose.EMERGENCY, MsgType.ALERT)
    assert submission.info[0].language == "it-IT"
    assert submission.info[0].headline is None


async def test_the_idempotency_fingerprint_covers_method_path_and_body(web: Web) -> None:
    headers = {**web.tokens.grant("anna", "alerts:send"), "Idempotency-Key": "k"}
    async with web.client(headers) as client:
        for _ in range(2):
            await client.post("/v1/alerts", json=POSTED)
        await client.post("/v1/alerts", json={**POSTED, "note": "x"})
        await client.post("/v1/alerts/a1/update", json=POSTED)
        await client.post("/v1/alerts/a2/update", json=POSTED)
    prints = [idempotency.fingerprint for _, idempotency in web.intake.taken]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 4
    assert all(len(fingerprint) == 64 for fingerprint in prints)


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\xe8", "a\tb"])
async def test_an_odd_idempotency_key_is_refused(web: Web, key: str) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:send")) as client:
        headers = {"Idempotency-Key": key.encode("latin-1")}
        answer = await client.post("/v1/alerts", json=POSTED, headers=headers)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]


async def test_update_and_cancel(web: Web) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:send")) as client:
        assert (await client.post("/v1/alerts/a1/update", json=POSTED)).status_code == 202
        assert web.intake.taken[0][0].msg_type is MsgType.UPDATE
        refused = await client.post("/v1/alerts/a1/update", json={**POSTED, "msg_type": "Cancel"})
        assert refused.json()["errors"][0]["loc"] == ["msg_type"]
        assert (await client.post("/v1/alerts/a1/cancel")).status_code == 202
        assert (await client.post("/v1/alerts/a1/cancel", json={})).status_code == 202
        spoken = {"note": "passato", "info": POSTED["info"]}
        assert (await client.post("/v1/alerts/a1/cancel", json=spoken)).status_code == 202
        assert (await client.post("/v1/alerts/a1/cancel", json={"why": "?"})).status_code == 422
    assert [(a, note, len(info)) for a, note, info in web.intake.cancelled] == [
        ("a1", None, 0),
        ("a1", None, 0),
        ("a1", "passato", 1),
    ]


async def test_decisions(web: Web) -> None:
    async with web.client(web.tokens.grant("bruno", "alerts:approve", "alerts:send")) as client:
        approved = await client.post("/v1/alerts/a1/approve")
        assert (approved.status_code, approved.json()["id"]) == (200, "a1")
        assert (await client.post("/v1/alerts/a1/reject", json={"reason": "no"})).status_code == 200
        assert (await client.post("/v1/alerts/a1/reject", json={"reason": " "})).status_code == 422
        assert (await client.post("/v1/alerts/a1/reject", json={})).status_code == 422
        again = await client.post("/v1/alerts/a1/retry")
        assert (again.status_code, again.json()) == (202, {"requeued": 7})
    assert web.approvals.said == [("a1", "approved"), ("a1", "no")]


async def test_one_alert_mirrors_what_was_posted(web: Web) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
        found = (await client.get("/v1/alerts/a1")).json()
        document = await client.get("/v1/alerts/a1/cap")
    assert found["state"] == "active"
    assert found["accepted_at"] == "2026-11-22T05:00:00+00:00"
    assert found["info"][0]["onset"] == "2026-11-22T06:00:00+01:00"
    assert found["info"][0]["area"][0]["zone"] == "048028"
    assert {
        "id",
        "identifier",
        "sender",
        "sent",
        "references",
        "created_by",
        "decided_by",
        "settled_at",
        "followed_by",
        "links",
    } <= found.keys()
    assert {"purpose", "status", "msg_type", "scope", "channels", "info"} <= found.keys()
    assert document.headers["content-type"] == "application/cap+xml"
    assert b"<identifier>i1</identifier>" in document.content


async def test_the_list_pages_newest_first_and_filters(web: Web) -> None:
    web.store.alerts = {f"a{i}": stored_alert(i, AlertState.DRAFT if i % 2 else AlertState.ACTIVE) for i in range(1, 8)}
    seen: list[str] = []
    async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
        following, pages = None, 0
        while pages == 0 or following:
            query = {"limit": "3"} | ({"cursor": following} if following else {})
            page = (await client.get("/v1/alerts", params=query)).json()
            seen += [item["id"] for item in page["items"]]
            following, pages = page["next"], pages + 1
        drafts = (await client.get("/v1/alerts?state=draft")).json()
        both = (await client.get("/v1/alerts?state=draft&state=active")).json()
    assert seen == [f"a{i}" for i in range(7, 0, -1)]
    assert pages == 3
    assert [item["id"] for item in drafts["items"]] == ["a7", "a5", "a3", "a1"]
    assert len(both["items"]) == 7


async def test_receipts_have_every_state_and_sum_to_total(web: Web) -> None:
    web.store.sums["a1"] = (tally(accepted=985, sending=12, failed=1, gone=2),)
    async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
        found = (await client.get("/v1/alerts/a1/receipts")).json()
    [channel] = found["channels"]
    assert {state.value for state in State} <= channel.keys()
    assert sum(channel[state.value] for state in State) == channel["total"] == 1000
    assert found["first_attempt_at"] == channel["first_attempt_at"] == "2026-11-22T05:00:00+00:00"
    assert found["settled_at"] is None
    assert (channel["provable"], channel["p50_ms"], channel["p99_ms"]) == ("accepted", 41, 230)


async def test_addresses_are_masked_unless_the_token_may_see_them(web: Web) -> None:
    web.store.rows = [delivery(1, "rossi@example.org"), delivery(2, ""), delivery(3, "123456789")]
    async with web.client() as client:
        path = "/v1/alerts/a1/deliveries"
        reader = await client.get(path, headers=web.tokens.grant("r", "alerts:read"))
        seer = await client.get(path, headers=web.tokens.grant("s", "alerts:read", "subscribers:read"))
        admin = await client.get(path, headers=web.tokens.grant("a", "admin"))
        lost = await client.get(f"{path}?state=seen", headers=web.tokens.grant("r", "alerts:read"))
        none = await client.get("/v1/alerts/zz/deliveries", headers=web.tokens.grant("r", "alerts:read"))
    assert [row["address"] for row in reader.json()["items"]] == ["r…@example.org", "", "…789"]
    assert [row["address"] for row in seer.json()["items"]] == ["rossi@example.org", "", "123456789"]
    assert admin.json() == seer.json()
    assert lost.json() == {"items": [], "next": None}
    assert none.status_code == 404


async def test_the_audit_log_pages_with_the_chains_head(web: Web) -> None:
    for i in range(5):
        web.store.write_log(f"did {i}")
    async with web.client(web.tokens.grant("root", "admin")) as client:
        first = (await client.get("/v1/audit?limit=3")).json()
        second = (await client.get(f"/v1/audit?limit=3&cursor={first['next']}")).json()
    assert [row["seq"] for row in first["items"] + second["items"]] == [1, 2, 3, 4, 5]
    assert second["next"] is None
    assert first["head"] == {"seq": 5, "hash": second["items"][-1]["hash"]}


async def test_health_and_readiness(web: Web) -> None:
    async with web.client() as client:
        assert (await client.get("/healthz")).status_code == 200
        assert (await client.head("/healthz")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200
        web.health.append((False, "the disk is full"))
        assert (await client.get("/healthz")).status_code == 200
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "the disk is full"


async def test_metrics_outlive_the_store(web: Web) -> None:
    web.store.broken = Unavailable("busy")
    async with web.client(listener="127.0.0.1") as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    assert "alertd_accept_seconds_bucket" in answer.text


async def test_where_an_alert_ended_is_shown(web: Web) -> None:
    web.store.alerts["a1"] = replace(stored_alert(state=AlertState.CANCELLED), followed_by="a2", decided_by="bruno")
    async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
        found = (await client.get("/v1/alerts/a1")).json()
    assert (found["state"], found["followed_by"], found["decided_by"]) == ("cancelled", "a2", "bruno")
