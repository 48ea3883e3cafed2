"""The whole OpenAPI document against the real daemon: whatever is sent, no 5xx, no traceback, answers as documented."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from subprocess import PIPE

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.integration.api_stand import ALERT, ROOT, citizen, read_mark
from tests.unit.web_fakes import make_web

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
    allow_header_conformance,
]
BOUNDS = settings(
    max_examples=30,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Running:
    """A daemon in a process of its own, an ended alert in it, and an all-powerful token."""

    url: str
    headers: dict[str, str]
    known: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("schemathesis")
    command = [sys.executable, "-m", "tests.integration.api_stand", str(folder)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=log, text=True) as process,
    ):
        try:
            told = next(filter(None, map(read_mark, process.stdout)), None)
            assert told is not None, (folder / "log").read_text()
            yield Running(*told, _furnish(*told))
        finally:
            process.communicate(timeout=60)
    assert b"a request failed on a bug of ours" not in (folder / "log").read_bytes()


def _furnish(url: str, headers: dict[str, str]) -> dict[str, str]:
    """Something to find: a subscriber, and an alert whose stream ends."""
    with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        subscriber = client.post("/v1/subscribers", json=citizen(1)).json()
        alert = client.post("/v1/alerts", json=ALERT).json()
        client.get(f"/v1/alerts/{alert['id']}/events")  # until it has ended
        return {"alert_id": alert["id"], "subscriber_id": subscriber["id"]}


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """The document says of an import only that it is a text."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()


@schemathesis.serializer("application/cap+xml")
def cap(_context: schemathesis.SerializationContext, value: object) -> bytes:
    """The document says of it only that it is a text."""
    return (value if isinstance(value, str) else json.dumps(value)).encode()


schema = schemathesis.openapi.from_dict(make_web().app.openapi())


@schema.parametrize()
@BOUNDS
def test_whatever_is_sent(case: schemathesis.Case, running: Running) -> None:
    _try(case, running)
    named = case.path_parameters.keys() & running.known.keys()
    if named:
        case.path_parameters.update({name: running.known[name] for name in named})
        _try(case, running)


def _try(case: schemathesis.Case, running: Running) -> None:
    answer = case.call(base_url=running.url, headers=running.headers, timeout=30)
    case.validate_response(answer, checks=CHECKS)
    assert b"Traceback" not in answer.content
    if answer.status_code >= 400:
        assert answer.headers["content-type"][0] == "application/problem+json", answer.content
        told = json.loads(answer.content)
        assert told["status"] == answer.status_code
        assert ("errors" in told) == (answer.status_code == 422)
