"""Who may call what."""

import pytest

from tests.unit.web_fakes import POSTED, Web, make_web, stored_alert

CALLS = [
    ("POST", "/v1/alerts", {"alerts:send", "alerts:draft"}),
    ("GET", "/v1/alerts", {"alerts:read"}),
    ("GET", "/v1/alerts/a1", {"alerts:read"}),
    ("GET", "/v1/alerts/a1/cap", {"alerts:read"}),
    ("POST", "/v1/alerts/a1/update", {"alerts:send"}),
    ("POST", "/v1/alerts/a1/cancel", {"alerts:send"}),
    ("POST", "/v1/alerts/a1/approve", {"alerts:approve"}),
    ("POST", "/v1/alerts/a1/reject", {"alerts:approve"}),
    ("POST", "/v1/alerts/a1/retry", {"alerts:send"}),
    ("POST", "/v1/previews", {"alerts:send", "alerts:draft"}),
    ("GET", "/v1/alerts/a1/receipts", {"alerts:read"}),
    ("GET", "/v1/alerts/a1/deliveries", {"alerts:read"}),
    ("GET", "/v1/alerts/a1/events", {"alerts:read"}),
    ("GET", "/v1/channels", {"alerts:read"}),
    ("GET", "/v1/audit", set()),
    ("GET", "/metrics", set()),
    ("POST", "/v1/ingest/x", {"ingest"}),
]
EVERY = {
    "alerts:send",
    "alerts:draft",
    "alerts:approve",
    "alerts:read",
    "subscribers:read",
    "subscribers:write",
    "ingest",
}


@pytest.fixture
def web() -> Web:
    web = make_web()
    web.store.alerts["a1"] = stored_alert()
    return web


@pytest.mark.parametrize(("method", "path", "scopes"), CALLS)
async def test_scopes(web: Web, method: str, path: str, scopes: set[str]) -> None:
    async with web.client() as client:
        anonymous = await client.request(method, path)
        assert anonymous.status_code == 401
        assert anonymous.headers["www-authenticate"] == 'Bearer realm="alertd"'
        poor = await client.request(method, path, headers=web.tokens.grant("poor", *(EVERY - scopes)))
        assert poor.status_code == 403, path
        assert "lacks the scope" in poor.json()["detail"]
    for scope in scopes:
        async with web.client(web.tokens.grant("rich", scope)) as client:
            assert (await client.request(method, path.replace("events", "receipts"))).status_code not in {401, 403}


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Bearer nobody", "Basic anna", "anna", "Bearer anna extra", "Bearer \xe9"]
)
async def test_a_bad_token_is_401_after_exactly_one_look_up(web: Web, header: str) -> None:
    web.tokens.grant("anna", "alerts:read")
    async with web.client() as client:
        answer = await client.get("/v1/alerts", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert web.tokens.looked_up == 1


async def test_the_scheme_is_case_insensitive(web: Web) -> None:
    web.tokens.grant("anna", "alerts:read")
    async with web.client({"Authorization": "bEaReR anna"}) as client:
        assert (await client.get("/v1/alerts")).status_code == 200


async def test_a_drill_token_cannot_speak_for_real(web: Web) -> None:
    drill = web.tokens.grant("drill", "alerts:send", modes=frozenset({"Exercise", "Test"}))
    async with web.client(drill) as client:
        real = {**POSTED, "status": "Actual"}
        for path in ("/v1/alerts", "/v1/previews", "/v1/alerts/a1/update"):
            answer = await client.post(path, json=real)
            assert answer.status_code == 403
            assert "may only send Exercise, Test, not Actual" in answer.json()["detail"]
        assert (await client.post("/v1/alerts", json=POSTED)).status_code == 202
    assert len(web.intake.taken) == 1


async def test_metrics_are_open_on_loopback_only() -> None:
    async with make_web().client(listener="127.0.0.1") as client:
        assert (await client.get("/metrics")).status_code == 200
    away = make_web()
    async with away.client() as client:
        assert (await client.get("/metrics")).status_code == 401
        granted = away.tokens.grant("prometheus", "admin")
        assert (await client.get("/metrics", headers=granted)).status_code == 200
