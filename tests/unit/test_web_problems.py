"""Every error is a problem (RFC 9457), whoever raised it, and none shows a traceback."""

import json

import httpx
import pytest
from structlog.testing import capture_logs

from alertd.domain.problems import Conflict, Unavailable
from tests.unit.web_fakes import POSTED, Web, make_web, stored_alert


@pytest.fixture
def web() -> Web:
    return make_web()


def is_problem(answer: httpx.Response, status: int) -> dict:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert {"type", "title", "status", "detail"} <= found.keys()
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return found


async def test_the_frameworks_own_errors(web: Web) -> None:
    async with web.client() as client:
        is_problem(await client.get("/nowhere/at/all"), 404)
        is_problem(await client.get("/v1/alerts/"), 404)
        wrong = await client.delete("/v1/alerts")
        is_problem(wrong, 405)
        assert wrong.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        (None, "missing"),
        ("text/plain", "text/plain"),
        ("application/x-www-form-urlencoded", "application/json"),
        ("text/html", "or application/cap+xml or"),
    ],
)
async def test_a_wrong_content_type_is_415(web: Web, content_type: str | None, words: str) -> None:
    headers = web.tokens.grant("anna", "alerts:send")
    if content_type:
        headers["Content-Type"] = content_type
    async with web.client(headers) as client:
        answer = await client.post("/v1/alerts", content=json.dumps(POSTED))
    assert words in is_problem(answer, 415)["detail"]
    assert not web.intake.taken


@pytest.mark.parametrize("content_type", ["application/cap+xml", "application/xml; charset=utf-8", "text/xml"])
async def test_where_cap_is_not_taken_it_is_told_where_it_is(web: Web, content_type: str) -> None:
    headers = {**web.tokens.grant("anna", "alerts:send"), "Content-Type": content_type}
    async with web.client(headers) as client:
        answer = await client.post("/v1/alerts/a1/update", content=b"<alert/>")
    assert "goes to POST /v1/alerts" in is_problem(answer, 415)["detail"]
    assert answer.headers["accept"] == "application/json"


async def test_a_compressed_body_is_415(web: Web) -> None:
    headers = {
        **web.tokens.grant("anna", "alerts:send"),
        "Content-Type": "application/json",
        "Content-Encoding": "gzip",
    }
    async with web.client(headers) as client:
        is_problem(await client.post("/v1/alerts", content=b"\x1f\x8b"), 415)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        (b"", []),
        (b"{", []),
        (b"[]", []),
        (b"\xff\xfe", []),
        (b'{"status":"Actual","info":[],"colour":"red"}', ["colour"]),
        (b'{"status":"Actual"}', ["info"]),
        (b'{"status":"actual","info":[]}', ["status"]),
        (b'{"status":"Actual","info":[{"event":1}]}', ["info", 0, "category"]),
        (b'{"status":"Actual","info":[],"identifier":"mine"}', ["identifier"]),
        (b"[" * 200_000 + b"]" * 200_000, []),
        (b'{"info":' * 50_000 + b"1" + b"}" * 50_000, []),
        (b'{"status":"Actual","info":' + b"1" * 900_000 + b"}", []),
        (b'"' + b"a" * 900_000 + b'"', []),
    ],
)
async def test_a_faulty_body_is_422_and_says_where(web: Web, body: bytes, loc: list) -> None:
    headers = {**web.tokens.grant("anna", "alerts:send"), "Content-Type": "application/json"}
    async with web.client(headers) as client:
        found = is_problem(await client.post("/v1/alerts", content=body), 422)
    assert found["errors"]
    assert loc in [error["loc"] for error in found["errors"]], found
    assert all(error["msg"] for error in found["errors"])
    assert len(json.dumps(found)) < 20_000
    assert not web.intake.taken


async def test_a_hundred_thousand_faults_are_told_in_short(web: Web) -> None:
    headers = {**web.tokens.grant("anna", "alerts:send"), "Content-Type": "application/json"}
    body = "{" + ",".join(f'"k{i}":0' for i in range(80_000)) + "}"
    async with web.client(headers) as client:
        found = is_problem(await client.post("/v1/alerts", content=body), 422)
    assert len(found["errors"]) == 50


async def test_a_body_over_a_mebibyte_is_413_declared_or_streamed(web: Web) -> None:
    headers = {**web.tokens.grant("anna", "alerts:send"), "Content-Type": "application/json"}

    async def pieces():
        for _ in range(20):
            yield b"x" * 65_536

    async with web.client(headers) as client:
        is_problem(await client.post("/v1/alerts", content=b"x" * ((1 << 20) + 1)), 413)
        streamed = await client.post("/v1/alerts", content=pieces())
        is_problem(streamed, 413)
        assert streamed.headers["connection"] == "close"
        is_problem(await client.post("/v1/alerts", content=b" " * (1 << 20)), 422)
    assert not web.intake.taken


async def test_a_query_that_is_wrong_is_422(web: Web) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
        for query in (
            "limit=0",
            "limit=501",
            "limit=x",
            "cursor=%00",
            "cursor=zzzz",
            "state=lost",
            "cursor=YXVkaXQ6MQ",
        ):
            found = is_problem(await client.get(f"/v1/alerts?{query}"), 422)
            assert found["errors"][0]["loc"][0] == "query"
        huge = "YWxlcnRzOjk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"  # alerts:99999999999999999999999
        is_problem(await client.get(f"/v1/alerts?cursor={huge}"), 422)


async def test_what_the_core_refuses(web: Web) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:send", "alerts:read")) as client:
        web.intake.broken = Unavailable("the disk is full")
        full = await client.post("/v1/alerts", json=POSTED)
        assert is_problem(full, 503)["detail"] == "the disk is full"
        assert full.headers["retry-after"]
        web.intake.broken = Conflict("still in flight")
        is_problem(await client.post("/v1/alerts", json=POSTED), 409)
        is_problem(await client.get("/v1/alerts/unknown"), 404)
        for strange in ("a" * 65, "%00", "è", "a b", "..%2f"):
            is_problem(await client.get(f"/v1/alerts/{strange}"), 404)


async def test_a_bug_is_a_500_that_tells_nothing(web: Web) -> None:
    web.store.broken = RuntimeError("secret innards")
    web.store.alerts["a1"] = stored_alert()
    with capture_logs():
        async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
            answer = await client.get("/v1/alerts/a1")
    is_problem(answer, 500)
    assert "innards" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_source_is_known_yet(web: Web) -> None:
    async with web.client(web.tokens.grant("gauge", "ingest")) as client:
        assert "no such source" in is_problem(await client.post("/v1/ingest/pesa", json={}), 404)["detail"]
