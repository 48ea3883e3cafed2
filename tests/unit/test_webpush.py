import asyncio
import base64
import json
import os
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import http_ece
import orjson
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from multidict import CIMultiDict
from py_vapid import Vapid02
from pydantic import ValidationError

from adapters.webpush import WebPushAdapter, vapid
from adapters.webpush.config import WebPushConfig
from adapters.webpush.envelope import Keys
from adapters.webpush.payload import payload_of
from adapters.webpush.request import MAX_TTL, time_to_live
from adapters.webpush.subscription import read, split
from alertd.domain.alert import MsgType, Purpose, Status
from alertd.domain.delivery import Accepted, Gone, Halt, Hold, Reason, Refused, Retry, Verdict
from alertd.ports.adapter import Parcel
from tests.support.clock import ManualClock
from tests.support.loop_time import running_ahead
from tests.unit import adapter_stand as stand

DEFAULTS = WebPushConfig()


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Browser:
    """The other end: it has the private key, and reads what arrives."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = os.urandom(16)

    @property
    def keys(self) -> Keys:
        return Keys(self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint), self.auth)

    def document(self, endpoint: str) -> dict[str, Any]:
        return {"endpoint": endpoint, "keys": {"p256dh": b64(self.keys.point), "auth": b64(self.auth)}}

    def subscription(self, endpoint: str) -> str:
        return json.dumps(self.document(endpoint) | {"expirationTime": None})

    def decrypt(self, body: bytes) -> bytes:
        plain: bytes = http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth, version="aes128gcm")
        return plain


@dataclass
class Arrived:
    path: str
    headers: CIMultiDict[str]
    body: bytes


class PushService:
    """Answers each request as its path says: `/status/N/...`; keeps what arrived."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self.headers = headers or {}
        self.arrived: list[Arrived] = []

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        self.arrived.append(Arrived(request.path, CIMultiDict(request.headers), await request.read()))
        return web.Response(status=int(request.path.split("/")[2]), headers=self.headers)


@dataclass
class Channel:
    adapter: WebPushAdapter
    config: WebPushConfig
    browser: Browser
    clock: ManualClock
    port: int

    def parcel(self, path: str, number: int = 1, **changes: Any) -> Parcel:
        subscription = self.browser.subscription(f"https://127.0.0.1:{self.port}{path}")
        return stand.parcel(number, WebPushAdapter.normalize(self.config, subscription), **changes)

    async def verdict(self, path: str, **changes: Any) -> Verdict:
        return (await stand.send(self.adapter, [self.parcel(path, **changes)]))[1]


@asynccontextmanager
async def channel(state: Path, port: int, ca_file: str = "", **settings: Any) -> AsyncIterator[Channel]:
    given = {"allow_hosts": (f"127.0.0.1:{port}",), "allow_private": ("127.0.0.0/8",), "ca_file": ca_file}
    config = WebPushConfig.model_validate(given | {"timeout": 30.0} | settings)
    clock = ManualClock(stand.NOW)
    async with WebPushAdapter.open("push", config, stand.tools(state, clock)) as adapter:
        yield Channel(adapter, config, Browser(), clock, port)


@asynccontextmanager
async def pushing(tmp_path: Path, service: PushService, **settings: Any) -> AsyncIterator[Channel]:
    ca = stand.authority(tmp_path)
    async with stand.web_server(service, ca.server) as port, channel(tmp_path, port, ca.file, **settings) as opened:
        yield opened


# --- what a browser receives ----------------------------------------------------------------------------------


async def test_a_browser_decrypts_the_message_and_verifies_who_sent_it(tmp_path: Path) -> None:
    service = PushService({"Location": "https://push.example/m/1"})
    async with pushing(tmp_path, service, contact="mailto:pc@example.it") as opened:
        assert await opened.verdict("/status/201/a") == Accepted("https://push.example/m/1")
        [one] = service.arrived
        told = orjson.loads(opened.browser.decrypt(one.body))
        key = WebPushAdapter.public_facts(opened.config, tmp_path)["applicationServerKey"]
        port = opened.port
    assert told == {
        "title": "Comune di Prova: temporali",
        "body": "Temporali forti dalle 18.",
        "tag": "thread-1",
        "url": "https://allerta.example.it/alerts/al-1",
        "lang": "it-IT",
        "kind": "Alert",
        "renotify": False,
        "drill": False,
        "purpose": "emergency",
        "id": "al-1",
        "sent": "2026-11-22T10:00:00-00:00",
    }
    assert one.headers["TTL"] == "3600"
    assert one.headers["Urgency"] == "high"
    assert one.headers["Topic"] == "thread-1"
    assert one.headers["Content-Encoding"] == "aes128gcm"
    token, public = (part.split("=", 1)[1] for part in one.headers["Authorization"].split(" ", 1)[1].split(", "))
    assert public == key
    assert Vapid02.verify(f"vapid t={token},k={public}")
    assert claims(token) == {
        "aud": f"https://127.0.0.1:{port}",
        "exp": int((stand.NOW + timedelta(hours=12)).timestamp()),
        "sub": "mailto:pc@example.it",
    }


def claims(token: str) -> Any:
    return orjson.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


@pytest.mark.parametrize(
    ("purpose", "urgency"), [(Purpose.EMERGENCY, "high"), (Purpose.SERVICE, "normal"), (Purpose.EVENT, "low")]
)
async def test_urgency_follows_the_purpose(purpose: Purpose, urgency: str, tmp_path: Path) -> None:
    service = PushService()
    about = stand.notice()
    about = replace(about, alert=replace(about.alert, purpose=purpose))
    async with pushing(tmp_path, service) as opened:
        await stand.send(opened.adapter, [opened.parcel("/status/201/a")], about)
    assert service.arrived[0].headers["Urgency"] == urgency


def test_time_to_live_is_never_negative_and_never_more_than_four_weeks() -> None:
    assert time_to_live(-1.0) == 0
    assert time_to_live(59.9) == 59
    assert time_to_live(365 * 86_400.0) == MAX_TTL


async def test_nothing_is_sent_after_the_deadline(tmp_path: Path) -> None:
    service = PushService()
    async with pushing(tmp_path, service) as opened:
        assert await opened.verdict("/status/201/a", deadline=stand.NOW) == Refused(Reason.EXPIRED)
    assert service.arrived == []


# --- the text -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter", ["a", "è", "😀", '"', "\\", "\x01", "e\u0301"])
def test_a_long_text_is_cut_between_letters_keeping_title_and_link(letter: str) -> None:
    about = stand.notice(letter * 5000)
    payload, title, body = payload_of(about, 3993)
    told = orjson.loads(payload)
    assert 3993 - 16 <= len(payload) <= 3993
    assert (told["title"], told["url"], told["body"]) == (title, about.url, body)
    assert title == about.title
    assert body.endswith("…")
    kept = body.removesuffix("…")
    assert kept == letter * (len(kept) // len(letter))


@pytest.mark.parametrize("spare", [-1, 0, 1])
def test_the_text_is_cut_only_where_it_must(spare: int) -> None:
    about = stand.notice("")
    room = 3993 - len(payload_of(about, 3993)[0])
    payload, _, body = payload_of(replace(about, text="x" * (room + spare)), 3993)
    assert len(payload) <= 3993
    assert body.endswith("…") == (spare > 0)


def test_even_a_title_too_long_alone_leaves_the_link() -> None:
    payload, title, body = payload_of(stand.notice(title="ESERCITAZIONE " * 999), 3993)
    assert len(payload) <= 3993
    assert title.startswith("ESERCITAZIONE")
    assert body == ""
    assert orjson.loads(payload)["url"] == stand.notice().url


async def test_the_longest_message_is_a_body_of_4096_bytes(tmp_path: Path) -> None:
    service = PushService()
    async with pushing(tmp_path, service) as opened:
        await stand.send(opened.adapter, [opened.parcel("/status/201/a")], stand.notice("x" * 9999))
        assert len(opened.browser.decrypt(service.arrived[0].body)) == 3993
    assert len(service.arrived[0].body) == 4096


def test_a_drill_says_so_and_a_cancel_sounds_again() -> None:
    about = stand.notice()
    alert = replace(about.alert, status=Status.EXERCISE, msg_type=MsgType.CANCEL)
    told = orjson.loads(payload_of(replace(about, alert=alert), 3993)[0])
    assert (told["drill"], told["kind"], told["renotify"]) == (True, "Cancel", True)


# --- answers --------------------------------------------------------------------------------------------------

ROWS: list[tuple[int, dict[str, str], Verdict]] = [
    (200, {}, Accepted()),
    (201, {}, Accepted()),
    (202, {}, Accepted()),
    (204, {}, Accepted()),
    (301, {"Location": "https://elsewhere.example/"}, Refused(Reason.BLOCKED)),
    (307, {"Location": "https://elsewhere.example/"}, Refused(Reason.BLOCKED)),
    (400, {}, Refused(Reason.BAD_REQUEST)),
    (401, {}, Halt(Reason.CREDENTIALS)),
    (403, {}, Halt(Reason.CREDENTIALS)),
    (404, {}, Gone(Reason.UNSUBSCRIBED)),
    (405, {}, Refused(Reason.BAD_REQUEST)),
    (408, {}, Retry(Reason.UNAVAILABLE)),
    (410, {}, Gone(Reason.UNSUBSCRIBED)),
    (413, {}, Refused(Reason.TOO_LARGE)),
    (429, {}, Retry(Reason.RATE_LIMITED, None, Hold.ORIGIN)),
    (429, {"Retry-After": "30"}, Retry(Reason.RATE_LIMITED, 30.0, Hold.ORIGIN)),
    (429, {"Retry-After": "Sun, 22 Nov 2026 10:01:00 GMT"}, Retry(Reason.RATE_LIMITED, 60.0, Hold.ORIGIN)),
    (500, {}, Retry(Reason.UNAVAILABLE)),
    (502, {}, Retry(Reason.BROKEN)),
    (504, {"Retry-After": "5"}, Retry(Reason.BROKEN, 5.0, Hold.ORIGIN)),
    (503, {"Retry-After": "5"}, Retry(Reason.UNAVAILABLE, 5.0, Hold.ORIGIN)),
]


@pytest.mark.parametrize(
    ("location", "ref"),
    [
        (b"/m/1?x=~%20", "/m/1?x=~%20"),
        ("/m/perché".encode(), "/m/perché"),
        (b"/m/\xff\xfe", None),
        ("/m/\u202e\u2028".encode(), None),
        (b"/m/\x1b[31m", None),
        (b"/" + b"m" * 499, "/" + "m" * 499),
        (b"/" + b"m" * 500, None),
        (b"", None),
    ],
)
async def test_only_a_clean_name_of_the_message_is_kept(location: bytes, ref: str | None, tmp_path: Path) -> None:
    async def create(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 201 Created\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location)
        await writer.drain()

    ca = stand.authority(tmp_path)
    async with (
        stand.raw_server(create, ca.server) as port,
        channel(tmp_path, port, ca.file, timeout=30) as opened,
    ):
        verdict = await opened.verdict("/x")
    assert verdict == Accepted(ref)


@pytest.mark.parametrize(("status", "headers", "verdict"), ROWS, ids=str)
async def test_every_answer_has_its_verdict(
    status: int, headers: dict[str, str], verdict: Verdict, tmp_path: Path
) -> None:
    service = PushService(headers)
    async with pushing(tmp_path, service) as opened:
        assert await opened.verdict(f"/status/{status}/a") == verdict
    assert len(service.arrived) == 1


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
async def test_a_server_that_misbehaves(script: stand.Script, verdict: Verdict, tmp_path: Path) -> None:
    ca, struck = stand.authority(tmp_path), asyncio.Event()

    async def misbehave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        struck.set()
        await script(reader, writer)

    async with (
        stand.raw_server(misbehave, ca.server) as port,
        channel(tmp_path, port, ca.file) as opened,
    ):
        async with running_ahead(lambda: struck.is_set() and verdict == Retry(Reason.TIMEOUT)):
            assert await opened.verdict("/x") == verdict


async def test_a_port_where_nobody_listens_and_a_server_without_tls(tmp_path: Path) -> None:
    async with (
        stand.raw_server(stand.hang, None) as port,
        channel(tmp_path, port) as opened,
        running_ahead(lambda: True),
    ):
        assert await opened.verdict("/x") == Retry(Reason.CONNECT)
    async with channel(tmp_path, port) as opened:
        assert await opened.verdict("/x") == Retry(Reason.CONNECT)


async def test_an_unknown_authority_gets_no_data(tmp_path: Path) -> None:
    service, ca = PushService(), stand.authority(tmp_path)
    async with stand.web_server(service, ca.server) as port, channel(tmp_path, port) as opened:
        assert await opened.verdict("/status/201/a") == Retry(Reason.CONNECT)
    assert service.arrived == []


async def test_loopback_is_refused_unless_listed(tmp_path: Path) -> None:
    service = PushService()
    async with pushing(tmp_path, service, allow_private=()) as opened:
        assert await opened.verdict("/status/201/a") == Refused(Reason.BLOCKED)
    assert service.arrived == []


async def test_an_endpoint_whose_host_is_no_longer_allowed_is_refused(tmp_path: Path) -> None:
    service = PushService()
    async with pushing(tmp_path, service) as opened:
        address = WebPushAdapter.normalize(DEFAULTS, opened.browser.subscription("https://fcm.googleapis.com/x"))
        assert await stand.send(opened.adapter, [stand.parcel(1, address)]) == {1: Refused(Reason.BLOCKED)}


@pytest.mark.parametrize("address", ["", "no json", "{}", '{"endpoint":"https://127.0.0.1/x","keys":{}}', "[1]"])
async def test_a_broken_address_harms_only_itself(address: str, tmp_path: Path) -> None:
    async with pushing(tmp_path, PushService()) as opened:
        verdicts = await stand.send(
            opened.adapter, [stand.parcel(1, address), opened.parcel("/status/201/a", number=2)]
        )
        point = read(opened.parcel("/x").address).keys.point
        off_curve = point[:-1] + bytes((point[-1] ^ 1,))
        document = opened.browser.document(f"https://127.0.0.1:{opened.port}/status/201/a")
        document["keys"]["p256dh"] = b64(off_curve)
        [bad] = (await stand.send(opened.adapter, [stand.parcel(3, json.dumps(document))])).values()
    assert verdicts == {1: Refused(Reason.BAD_ADDRESS), 2: Accepted()}
    assert bad == Refused(Reason.BAD_ADDRESS)


# --- credentials ----------------------------------------------------------------------------------------------


async def test_one_message_taken_proves_the_key_against_strangers_with_another(tmp_path: Path) -> None:
    async with pushing(tmp_path, PushService()) as opened:
        before = await opened.verdict("/status/403/a")
        taken = await opened.verdict("/status/201/a")
        accused = [opened.parcel(f"/status/{status}/a", number) for number, status in enumerate((401, 403, 403))]
        verdicts = await stand.send(opened.adapter, accused)
    assert (before, taken) == (Halt(Reason.CREDENTIALS), Accepted())
    assert set(verdicts.values()) == {Retry(Reason.CREDENTIALS)}


async def test_a_key_that_nobody_takes_halts_the_channel(tmp_path: Path) -> None:
    async with pushing(tmp_path, PushService(), concurrency=4) as opened:
        parcels = [opened.parcel("/status/403/a", n) for n in range(10)]
        parcels.append(opened.parcel("/status/410/a", 10))
        verdicts = await stand.send(opened.adapter, parcels)
    assert [verdicts[n] for n in range(10)] == [Halt(Reason.CREDENTIALS)] * 10
    assert verdicts[10] == Gone(Reason.UNSUBSCRIBED)


async def test_a_broken_key_file_is_told_kept_and_halts(tmp_path: Path) -> None:
    (tmp_path / vapid.FILE).write_text("not a key")
    async with pushing(tmp_path, PushService()) as opened:
        health = await opened.adapter.check()
        assert await opened.verdict("/status/201/a") == Halt(Reason.CREDENTIALS)
        with pytest.raises(ValueError, match="not an unencrypted private key"):
            WebPushAdapter.public_facts(opened.config, tmp_path)
    assert not health.ready
    assert vapid.FILE in health.detail
    assert (tmp_path / vapid.FILE).read_text() == "not a key"


async def test_check_proves_the_key_and_counts_the_hosts(tmp_path: Path) -> None:
    async with channel(tmp_path, 443) as opened:
        health = await opened.adapter.check()
    assert health.ready
    assert health.facts["allowed_hosts"] == 1


def test_the_key_is_made_once_with_mode_0600_and_leaves_no_draft(tmp_path: Path) -> None:
    made: list[str] = []

    def first_start() -> None:
        made.append(vapid.public_key(vapid.load_or_make(tmp_path)))

    starts = [threading.Thread(target=first_start) for _ in range(8)]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(set(made)) == 1
    assert len(made) == 8
    assert stat.S_IMODE((tmp_path / vapid.FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [vapid.FILE]
    assert WebPushAdapter.public_facts(DEFAULTS, tmp_path) == {"applicationServerKey": made[0]}


def test_a_token_is_kept_per_service_and_renewed_before_it_ends(tmp_path: Path) -> None:
    tokens = vapid.Tokens(vapid.load_or_make(tmp_path), "mailto:a@b.it")

    def parts(audience: str, now: datetime) -> Any:
        return claims(tokens.header(audience, now).split("t=")[1].split(",")[0])

    first = tokens.header("https://a.example", stand.NOW)
    assert tokens.header("https://a.example", stand.NOW + timedelta(hours=5)) == first
    assert parts("https://b.example", stand.NOW)["aud"] == "https://b.example"
    assert parts("https://a.example", stand.NOW)["aud"] == "https://a.example"
    for now in (stand.NOW + timedelta(hours=6), stand.NOW - timedelta(hours=30)):
        assert parts("https://a.example", now)["exp"] == int((now + timedelta(hours=12)).timestamp())


def test_the_tokens_kept_have_an_end(tmp_path: Path) -> None:
    tokens = vapid.Tokens(vapid.load_or_make(tmp_path), "")
    for number in range(vapid.MAX_AUDIENCES + 5):
        tokens.header(f"https://{number}.push.example", stand.NOW)
    assert len(tokens._kept) == vapid.MAX_AUDIENCES


# --- addresses ------------------------------------------------------------------------------------------------

ENDPOINT = "https://fcm.googleapis.com/fcm/send/abc:DEF-_%7e"


def test_a_subscription_becomes_canonical() -> None:
    browser = Browser()
    loose = browser.document("https://FCM.googleapis.com:443/fcm/send/abc:DEF-_%7e") | {"expirationTime": 5, "x": {}}
    loose["keys"]["auth"] = base64.b64encode(browser.auth).decode()
    canonical = WebPushAdapter.normalize(DEFAULTS, json.dumps(loose, indent=2))
    keys = {"auth": b64(browser.auth), "p256dh": b64(browser.keys.point)}
    assert canonical == json.dumps({"endpoint": ENDPOINT, "keys": keys}, separators=(",", ":"))
    assert WebPushAdapter.normalize(DEFAULTS, canonical) == canonical
    assert read(canonical).keys == browser.keys


@pytest.mark.parametrize(
    ("endpoint", "origin", "audience"),
    [
        (ENDPOINT, "fcm.googleapis.com:443", "https://fcm.googleapis.com"),
        ("https://fcm.googleapis.com", "fcm.googleapis.com:443", "https://fcm.googleapis.com"),
        ("https://push.example:8443/a/b", "push.example:8443", "https://push.example:8443"),
        ("https://[::1]:8443/a", "[::1]:8443", "https://[::1]:8443"),
        ("https://[::1]/a", "[::1]:443", "https://[::1]"),
    ],
)
async def test_origin_and_audience(endpoint: str, origin: str, audience: str, tmp_path: Path) -> None:
    hosts = ("fcm.googleapis.com", "push.example:8443", "[::1]:8443", "[::1]")
    config = WebPushConfig(allow_hosts=hosts)
    canonical = WebPushAdapter.normalize(config, Browser().subscription(endpoint))
    async with WebPushAdapter.open("push", config, stand.tools(tmp_path, ManualClock(stand.NOW))) as adapter:
        assert adapter.origin(canonical) == origin
        assert adapter.origin("rubbish") == ""
    assert read(canonical).origin == origin
    assert read(canonical).audience == audience


@pytest.mark.parametrize(
    "endpoint",
    [ENDPOINT, "https://fcm.googleapis.com", "https://fcm.googleapis.com:443/", "https://fcm.googleapis.com/a?b=c"],
)
def test_a_canonical_address_is_split_as_it_is_read(endpoint: str) -> None:
    canonical = WebPushAdapter.normalize(DEFAULTS, Browser().subscription(endpoint))
    found = read(canonical)
    parts = (found.audience.removeprefix("https://"), found.endpoint.removeprefix(found.audience))
    assert split(canonical) == parts
    assert split(json.dumps(json.loads(canonical), indent=1)) == parts  # the long way


@pytest.mark.parametrize(
    "address", ["", "{}", "x" * 200, '{"endpoint":"https://a/b', '{"endpoint":"https://a/b","keys":{}}']
)
def test_what_cannot_be_read_is_not_split(address: str) -> None:
    assert split(address) == ("", "")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://evil.example/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://user@fcm.googleapis.com/x",
        "https://user:pass@fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x#y",
        "https://fcm.googleapis.com\\@evil.example/x",
        "https://fcm.googleapis.com:443:80/x",
        "https://fcm.googleapis.com./x",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nHost: evil",
        "https://fcm.googleapis.com/è",
        "https://fcm.googleapis.com?x",
        "https://127.0.0.1/x",
        "https://fcm.googleapis.com:99999/x",
        "https:///x",
        "//fcm.googleapis.com/x",
        "",
        "https://fcm.googleapis.com/" + "x" * 2048,
    ],
)
def test_a_strange_endpoint_is_refused_without_being_repeated(endpoint: str) -> None:
    with pytest.raises(ValueError) as caught:
        WebPushAdapter.normalize(DEFAULTS, Browser().subscription(endpoint))
    assert "evil" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("p256dh", b64(b"\x04" + b"\x01" * 64)),
        ("p256dh", b64(b"\x02" + b"\x01" * 32)),
        ("p256dh", "é"),
        ("p256dh", None),
        ("p256dh", 5),
        ("auth", b64(b"x" * 15)),
        ("auth", b64(b"x" * 17)),
        ("auth", "!!!!"),
        ("auth", ""),
        ("auth", None),
    ],
)
def test_bad_keys_are_named(name: str, value: object) -> None:
    document = Browser().document(ENDPOINT)
    document["keys"][name] = value
    with pytest.raises(ValueError, match=f"keys.{name}"):
        WebPushAdapter.normalize(DEFAULTS, json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "5", "null", "{}", '{"endpoint": 5, "keys": {}}', "{" * 9000, '"x"'])
def test_what_is_no_subscription_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="subscription"):
        WebPushAdapter.normalize(DEFAULTS, text)


# --- configuration --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"contact": "pc@example.it"},
        {"contact": "mailto:"},
        {"allow_hosts": ["https://fcm.googleapis.com"]},
        {"allow_private": ["127.0.0.0/33"]},
        {"ca_file": "/nonexistent.pem"},
        {"ca_file": __file__},
        {"timeout": 0},
        {"concurrency": 0},
        {"connections": 0},
        {"envelopes": 4},
        {"colour": "red"},
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, object]) -> None:
    [name] = settings
    with pytest.raises(ValidationError, match=name):
        WebPushConfig.model_validate(settings)


async def test_without_a_contact_the_sender_is_one(tmp_path: Path) -> None:
    service = PushService()
    async with pushing(tmp_path, service) as opened:
        await opened.verdict("/status/201/a")
    assert claims(service.arrived[0].headers["Authorization"].split("t=")[1].split(",")[0])["sub"] == (
        "mailto:pc@comune.example.it"
    )


# --- work in quantity -----------------------------------------------------------------------------------------


async def test_a_page_is_settled_parcel_by_parcel_with_a_body_of_its_own(tmp_path: Path) -> None:
    service = PushService()
    async with pushing(tmp_path, service) as opened:
        verdicts = await stand.send(opened.adapter, [opened.parcel(f"/status/201/{n}", n) for n in range(300)])
        plain = {opened.browser.decrypt(one.body) for one in service.arrived}
    assert set(verdicts.values()) == {Accepted()}
    assert {one.path for one in service.arrived} == {f"/status/201/{n}" for n in range(300)}
    assert len(plain) == 1
    assert len({one.body[:16] for one in service.arrived}) == 300
    assert len({one.headers["Authorization"] for one in service.arrived}) == 1


async def test_cancelling_a_send_ends_it_and_leaves_the_channel_usable(tmp_path: Path) -> None:
    ca = stand.authority(tmp_path)
    started = asyncio.Event()

    async def hang_on_some(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/hang":
            started.set()
            await asyncio.Event().wait()
        return web.Response(status=201)

    async with (
        stand.web_server(hang_on_some, ca.server) as port,
        channel(tmp_path, port, ca.file, timeout=60.0) as opened,
    ):
        sending = asyncio.create_task(stand.send(opened.adapter, [opened.parcel("/hang", n) for n in range(200)]))
        await asyncio.wait_for(started.wait(), 60)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(sending, 60)
        assert await opened.verdict("/ok") == Accepted()
