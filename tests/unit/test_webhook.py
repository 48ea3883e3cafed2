import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from pydantic import ValidationError

from adapters.webhook import WebhookAdapter
from adapters.webhook.body import body_of
from adapters.webhook.config import WebhookConfig
from alertd.domain.alert import Area, MsgType, Pair, Reference, Resource, ResponseType
from alertd.domain.delivery import Accepted, Halt, Hold, Reason, Refused, Retry, Verdict
from alertd.domain.geo import Circle, Polygon
from tests.support.loop_time import running_ahead
from tests.unit import adapter_stand as stand

KEY = b"0123456789abcdefghijklmn"
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """Answers with one status; checks each signature as Standard Webhooks says; keeps what it saw."""

    def __init__(self, status: int = 200, headers: dict[str, str] | None = None, key: bytes = KEY) -> None:
        self.status = status
        self.headers = headers or {}
        self.key = key
        self.seen: list[tuple[dict[str, str], bytes]] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        head = {name.lower(): value for name, value in request.headers.items()}
        signed = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(self.key, signed, hashlib.sha256).digest()).decode()
        assert head["webhook-signature"] == f"v1,{expected}"
        self.seen.append((head, body))
        return web.Response(status=self.status, headers=self.headers)


@dataclass
class Channel:
    adapter: WebhookAdapter
    clock: stand.StillClock

    async def verdict(self, **changes: Any) -> Verdict:
        return (await stand.send(self.adapter, [stand.parcel(**changes)]))[1]


@asynccontextmanager
async def channel(state: Path, url: str, **settings: Any) -> AsyncIterator[Channel]:
    given = {"url": url, "secret": SECRET, "allow_private": ("127.0.0.0/8",), "timeout": 30.0}
    config = WebhookConfig.model_validate(given | settings)
    clock = stand.StillClock()
    async with WebhookAdapter.open("hook", config, stand.tools(state, clock)) as adapter:
        yield Channel(adapter, clock)


@asynccontextmanager
async def posting(tmp_path: Path, receiver: stand.Handler, **settings: Any) -> AsyncIterator[Channel]:
    ca = stand.authority(tmp_path)
    async with (
        stand.web_server(receiver, ca.server) as port,
        channel(tmp_path, f"https://127.0.0.1:{port}/hook?x=1", ca_file=ca.file, **settings) as opened,
    ):
        yield opened


async def test_the_receiver_verifies_the_signature_and_knows_a_retry_by_its_id(tmp_path: Path) -> None:
    receiver = Receiver(204)
    async with posting(tmp_path, receiver) as opened:
        assert await opened.verdict() == Accepted()
        opened.clock.time += timedelta(seconds=30)
        assert await opened.verdict(attempt=2) == Accepted()
    (first, body), (second, again) = receiver.seen
    assert first["webhook-id"] == second["webhook-id"] == "key-1"
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 30
    assert int(first["webhook-timestamp"]) == int(stand.NOW.timestamp())
    assert first["content-type"] == "application/json"
    assert body == again


@pytest.mark.parametrize(
    "secret", ["a plain secret", SECRET + "\n", "whsec_" + base64.b64encode(b"\x00\xff" * 12).decode()]
)
async def test_a_secret_is_base64_after_whsec_and_plain_otherwise(secret: str, tmp_path: Path) -> None:
    key = base64.b64decode(secret.strip().removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    receiver = Receiver(key=key)
    async with posting(tmp_path, receiver, secret=secret) as opened:
        assert await opened.verdict() == Accepted()


def test_the_body_says_everything_and_leaves_out_what_is_absent() -> None:
    about = stand.notice()
    area = Area(
        "Argine del Pesa",
        zones=("048028", "048014"),
        polygons=(Polygon.parse("43.73,11.01 43.74,11.03 43.72,11.04 43.73,11.01"),),
        circles=(Circle.parse("43.7,11.0 5"),),
        geocodes=(Pair("EMMA_ID", "IT009"),),
        altitude=100.0,
    )
    info = replace(
        about.infos[0],
        response_type=(ResponseType.PREPARE,),
        headline="Allerta",
        resource=(Resource("mappa", "image/png", 10, "https://x.example/m.png"),),
        parameter=(Pair("livello", "arancione"),),
        area=(area,),
    )
    alert = replace(
        about.alert,
        msg_type=MsgType.UPDATE,
        references=(Reference("pc@comune.example.it", "it-0", "2026-11-22T09:00:00+01:00"),),
        info=(info,),
    )
    assert orjson.loads(body_of(replace(about, alert=alert))) == {
        "id": "al-1",
        "identifier": "it-1",
        "sender": "pc@comune.example.it",
        "sent": "2026-11-22T10:00:00-00:00",
        "purpose": "emergency",
        "status": "Actual",
        "msg_type": "Update",
        "scope": "Public",
        "references": ["pc@comune.example.it,it-0,2026-11-22T09:00:00+01:00"],
        "info": [
            {
                "language": "it-IT",
                "category": ["Met"],
                "event": "Temporali forti",
                "response_type": ["Prepare"],
                "urgency": "Expected",
                "severity": "Severe",
                "certainty": "Likely",
                "expires": "2026-11-22T11:00:00+00:00",
                "headline": "Allerta",
                "parameter": [{"value_name": "livello", "value": "arancione"}],
                "resource": [
                    {"resource_desc": "mappa", "mime_type": "image/png", "size": 10, "uri": "https://x.example/m.png"}
                ],
                "area": [
                    {
                        "area_desc": "Argine del Pesa",
                        "zones": ["048028", "048014"],
                        "polygon": ["43.73,11.01 43.74,11.03 43.72,11.04 43.73,11.01"],
                        "circle": ["43.7,11.0 5.0"],
                        "geocode": [{"value_name": "EMMA_ID", "value": "IT009"}],
                        "altitude": 100.0,
                    }
                ],
            }
        ],
        "language": "it-IT",
        "title": "Comune di Prova: temporali",
        "text": "Temporali forti dalle 18.",
        "url": "https://allerta.example.it/alerts/al-1",
        "thread": "it-1",
    }


ROWS: list[tuple[int, dict[str, str], Verdict]] = [
    (200, {}, Accepted()),
    (202, {}, Accepted()),
    (204, {}, Accepted()),
    (302, {"Location": "https://elsewhere.example/"}, Refused(Reason.BLOCKED)),
    (308, {"Location": "https://elsewhere.example/"}, Refused(Reason.BLOCKED)),
    (400, {}, Refused(Reason.BAD_REQUEST)),
    (401, {}, Halt(Reason.CREDENTIALS)),
    (403, {}, Halt(Reason.CREDENTIALS)),
    (404, {}, Refused(Reason.BAD_REQUEST)),
    (408, {}, Retry(Reason.UNAVAILABLE)),
    (410, {}, Halt(Reason.POLICY)),
    (413, {}, Refused(Reason.TOO_LARGE)),
    (422, {}, Refused(Reason.BAD_REQUEST)),
    (429, {"Retry-After": "30"}, Retry(Reason.RATE_LIMITED, 30.0, Hold.ORIGIN)),
    (429, {}, Retry(Reason.RATE_LIMITED, None, Hold.ORIGIN)),
    (500, {}, Retry(Reason.UNAVAILABLE)),
    (502, {}, Retry(Reason.BROKEN)),
    (504, {"Retry-After": "5"}, Retry(Reason.BROKEN, 5.0, Hold.ORIGIN)),
    (503, {"Retry-After": "Sun, 22 Nov 2026 10:00:09 GMT"}, Retry(Reason.UNAVAILABLE, 9.0, Hold.ORIGIN)),
]


@pytest.mark.parametrize(("status", "headers", "verdict"), ROWS, ids=str)
async def test_every_answer_has_its_verdict(
    status: int, headers: dict[str, str], verdict: Verdict, tmp_path: Path
) -> None:
    receiver = Receiver(status, headers)
    async with posting(tmp_path, receiver) as opened:
        assert await opened.verdict() == verdict
    assert len(receiver.seen) == 1


@pytest.mark.parametrize(
    ("script", "verdict"),
    [
        (stand.half_a_reply, Retry(Reason.BROKEN)),
        (stand.reset, Retry(Reason.BROKEN)),
        (stand.drip, Retry(Reason.TIMEOUT)),
        (stand.hang, Retry(Reason.TIMEOUT)),
        (stand.endless_body, Accepted()),
        (stand.dripping_body, Accepted()),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
async def test_a_receiver_that_misbehaves(script: stand.Script, verdict: Verdict, tmp_path: Path) -> None:
    ca, struck = stand.authority(tmp_path), asyncio.Event()

    async def misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        struck.set()
        await script(reader, writer)

    async with (
        stand.raw_server(misbehave, ca.server) as port,
        channel(tmp_path, f"https://127.0.0.1:{port}/", ca_file=ca.file) as opened,
    ):
        async with running_ahead(lambda: struck.is_set() and verdict == Retry(Reason.TIMEOUT)):
            assert await opened.verdict() == verdict


async def test_nothing_is_sent_after_the_deadline(tmp_path: Path) -> None:
    receiver = Receiver()
    async with posting(tmp_path, receiver) as opened:
        assert await opened.verdict(deadline=stand.NOW) == Refused(Reason.EXPIRED)
    assert receiver.seen == []


async def test_a_private_address_is_refused_unless_listed(tmp_path: Path) -> None:
    receiver = Receiver()
    async with posting(tmp_path, receiver, allow_private=()) as opened:
        assert await opened.verdict() == Refused(Reason.BLOCKED)
        health = await opened.adapter.check()
    assert receiver.seen == []
    assert not health.ready
    assert "allow_private" in health.detail


async def test_plain_http_reaches_listed_networks_only(tmp_path: Path) -> None:
    receiver = Receiver()
    async with stand.web_server(receiver, None) as port:
        async with channel(tmp_path, f"http://127.0.0.1:{port}/") as opened:
            assert await opened.verdict() == Accepted()
            assert (await opened.adapter.check()).ready
        async with channel(tmp_path, f"http://127.0.0.1:{port}/", allow_private=("10.0.0.0/8",)) as opened:
            assert await opened.verdict() == Refused(Reason.BLOCKED)
        async with channel(tmp_path, "http://142.250.180.10/") as opened:
            assert await opened.verdict() == Refused(Reason.BLOCKED)
    assert len(receiver.seen) == 1


async def test_a_name_that_does_not_exist_is_a_connection_that_failed(tmp_path: Path) -> None:
    async with channel(tmp_path, "https://nowhere.invalid/") as opened:
        assert await opened.verdict() == Retry(Reason.CONNECT)
        health = await opened.adapter.check()
        assert opened.adapter.origin("") == "nowhere.invalid:443"
    assert not health.ready
    assert "nowhere.invalid" in health.detail


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"url": "http://sito.example.it/"}, "http://"),
        ({"url": "ftp://sito.example.it/"}, "https://"),
        ({"url": "sito.example.it"}, "https://"),
        ({"url": "https://user:pass@sito.example.it/"}, "neither a user"),
        ({"url": "https://sito.example.it/#x"}, "nor a fragment"),
        ({"url": "https://[::1/"}, "https://"),
        ({"secret": "whsec_!!!"}, "base64"),
        ({"secret": ""}, "empty"),
        ({"secret": "whsec_"}, "empty"),
        ({"ca_file": "/nonexistent.pem"}, "ca_file"),
        ({"timeout": 0}, "timeout"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_bad_setting_is_named_and_the_secret_is_not(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError) as caught:
        WebhookConfig.model_validate({"url": "https://sito.example.it/", "secret": SECRET} | settings)
    assert named in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "!!!" not in str(caught.value)


def test_a_broadcast_channel_has_no_addresses(tmp_path: Path) -> None:
    config = WebhookConfig.model_validate({"url": "https://sito.example.it/", "secret": SECRET})
    assert not WebhookAdapter.traits_of(config).addressed
    assert WebhookAdapter.public_facts(config, tmp_path) == {}
    assert SECRET not in repr(config)
    with pytest.raises(ValueError, match="broadcast"):
        WebhookAdapter.normalize(config, "x")
