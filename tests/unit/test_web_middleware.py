"""What surrounds every request: ids, headers, the access log."""

import asyncio

import pytest
from structlog.testing import capture_logs

from tests.unit.web_fakes import POSTED, make_web


@pytest.mark.parametrize("sane", ["a", "req-1.2_3~4", "x" * 64])
async def test_a_sane_request_id_is_kept(sane: str) -> None:
    async with make_web().client({"X-Request-ID": sane}) as client:
        assert (await client.get("/healthz")).headers["x-request-id"] == sane


@pytest.mark.parametrize("odd", ["", "a b", "x" * 65, "<script>", "a\tb", "a;b"])
async def test_an_odd_request_id_is_replaced(odd: str) -> None:
    async with make_web().client({"X-Request-ID": odd}) as client:
        made = (await client.get("/healthz")).headers["x-request-id"]
        assert made != odd
        assert len(made) == 16


async def test_every_answer_has_its_security_headers() -> None:
    async with make_web().client() as client:
        for path in ("/healthz", "/nowhere", "/v1/alerts"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            assert headers["referrer-policy"]
            assert "default-src" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"


async def test_the_access_log_names_the_caller_and_no_secret() -> None:
    web = make_web()
    headers = {**web.tokens.grant("anna", "alerts:send"), "Idempotency-Key": "key-of-anna"}
    with capture_logs() as lines:
        async with web.client(headers) as client:
            await client.post("/v1/alerts?token=hunter2", json=POSTED)
            await client.get("/unsubscribe-me/hunter2")
            await asyncio.sleep(0)  # a line is written in the turn of the loop after its answer
    first, second = (line for line in lines if line["event"] == "request")
    assert first["method"] == "POST"
    assert first["route"] == "/v1/alerts"
    assert first["status"] == 202
    assert first["token"] == "anna"
    assert first["ms"] >= 0
    assert second["status"] == 404
    assert "hunter2" not in str(lines)
    assert "Bearer" not in str(lines)
    assert "key-of-anna" not in str(lines)


async def test_a_bug_is_logged_under_its_request_id() -> None:
    web = make_web()
    web.store.broken = RuntimeError("innards")
    with capture_logs() as lines:
        async with web.client({**web.tokens.grant("anna", "alerts:read"), "X-Request-ID": "r1"}) as client:
            assert (await client.get("/v1/alerts/a1")).json()["request_id"] == "r1"
            await asyncio.sleep(0)
    assert [line["log_level"] for line in lines] == ["error", "info"]
    assert lines[1]["status"] == 500
