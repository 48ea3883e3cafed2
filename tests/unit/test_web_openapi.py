"""The OpenAPI document is complete and says what is true."""

from typing import Any

import httpx
import pytest

from tests.unit.web_fakes import make_web

CONTRACT = {
    "/v1/alerts": {"get", "post"},
    "/v1/alerts/{alert_id}": {"get"},
    "/v1/alerts/{alert_id}/cap": {"get"},
    "/v1/alerts/{alert_id}/update": {"post"},
    "/v1/alerts/{alert_id}/cancel": {"post"},
    "/v1/alerts/{alert_id}/approve": {"post"},
    "/v1/alerts/{alert_id}/reject": {"post"},
    "/v1/previews": {"post"},
    "/v1/alerts/{alert_id}/receipts": {"get"},
    "/v1/alerts/{alert_id}/deliveries": {"get"},
    "/v1/alerts/{alert_id}/events": {"get"},
    "/v1/alerts/{alert_id}/retry": {"post"},
    "/v1/channels": {"get"},
    "/v1/subscribers": {"get", "post"},
    "/v1/subscribers/{subscriber_id}": {"get", "patch", "delete"},
    "/v1/subscribers/import": {"post"},
    "/v1/ingest/{source}": {"post"},
    "/v1/audit": {"get"},
    "/metrics": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return make_web().app.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, call) for path, methods in document["paths"].items() for method, call in methods.items()]


def test_every_call_of_the_contract_is_there(document: dict[str, Any]) -> None:
    for path, methods in CONTRACT.items():
        assert methods <= document["paths"][path].keys(), path


def test_every_call_is_documented(document: dict[str, Any]) -> None:
    ids = [call["operationId"] for path, _, call in operations(document) if path.startswith("/v1/")]
    assert len(ids) == len(set(ids))
    for path, method, call in operations(document):
        if path.startswith("/v1/"):
            assert call["tags"], path
            assert call["summary"], path
            assert call["security"] == [{"bearer": []}], path
            assert {"401", "403", "422", "500", "503"} <= call["responses"].keys(), path
            assert (
                method in {"get", "delete"}
                or path.endswith(("approve", "retry", "ingest/{source}"))
                or "requestBody" in call
            )
        for status, answer in call["responses"].items():
            if status >= "400":
                assert list(answer["content"]) == ["application/problem+json"], (path, status)


def test_nothing_of_the_frameworks_own_is_left(document: dict[str, Any]) -> None:
    text = str(document)
    assert "HTTPValidationError" not in text
    assert "x-body" not in text
    assert {"AlertIn", "AlertAnswer", "ProblemBody"} <= document["components"]["schemas"].keys()
    assert document["components"]["schemas"]["AlertIn"]["examples"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if "$ref" in part:
                assert part["$ref"].removeprefix("#/components/schemas/") in document["components"]["schemas"]
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(document)


async def test_it_is_served_and_no_page_of_strangers_is() -> None:
    web = make_web()
    async with web.client() as client:
        answer: httpx.Response = await client.get("/openapi.json")
        assert answer.json() == web.app.openapi()
        assert (await client.get("/docs")).status_code == 404
        assert (await client.get("/redoc")).status_code == 404
