"""The Telegram channel against a small Bot API that answers, refuses and breaks on cue."""

import asyncio
import html
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from structlog.testing import capture_logs

from adapters.telegram import TelegramAdapter
from adapters.telegram.compose import MAX_LENGTH, compose, cut, length
from adapters.telegram.config import TelegramConfig
from alertd.domain.alert import MsgType, Purpose
from alertd.domain.delivery import Accepted, Gone, Halt, Hold, Reason, Refused, Retry, Verdict
from alertd.ports.adapter import Notice, Parcel, Tools
from tests.support import notices
from tests.support.clock import RealClock
from tests.support.loop_time import running_ahead
from tests.support.pages import Book, ListPage

TOKEN = "123456:ABC-def_secret"


def config(**changes: Any) -> TelegramConfig:
    return TelegramConfig.model_validate({"token": TOKEN, "timeout": 30.0, "rate": 1000, **changes})


def tools(tmp_path: Path) -> Tools:
    return Tools(RealClock(), structlog.get_logger(), notices.SERVICE, tmp_path, lambda endpoint_id: "")


def parcel(number: int = 1, address: str = "100001", **changes: Any) -> Parcel:
    endpoint_id = number if address else 0  # a broadcast has neither
    return Parcel(number, f"k{number}", endpoint_id, address, notices.notice().deadline)._replace(**changes)


async def send(adapter: TelegramAdapter, parcels: Sequence[Parcel], about: Notice | None = None) -> list[Verdict]:
    page = ListPage(adapter.render(about or notices.notice()), parcels)
    book = Book(page)
    await adapter.send(page, book)
    book.assert_complete()
    return [book.verdicts[each.delivery_id] for each in parcels]


async def send_one(adapter: TelegramAdapter, about: Notice | None = None, **changes: Any) -> Verdict:
    return (await send(adapter, [parcel(**changes)], about))[0]


class BotApi:
    """`answer` is None (be good), (status, body), or "hang", "reset", "close", "half", "drip", "page", "deep", "digits"."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.migrated: dict[str, int] = {}
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.peers: set[object] = set()
        self.struck, self.over = asyncio.Event(), asyncio.Event()
        self.mute = 0  # requests that get no answer now
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        params = {name: str(value) for name, value in (await request.post()).items()}
        self.calls.append((method, params))
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        if request.match_info["token"] != TOKEN:
            return refused(401, "Unauthorized")
        new = self.migrated.get(params.get("chat_id", ""))
        if new is not None:
            words = "Bad Request: group chat was upgraded to a supergroup chat"
            return refused(400, words, {"migrate_to_chat_id": new})
        if isinstance(self.answer, tuple):
            return web.json_response(self.answer[1], status=self.answer[0])
        if self.answer is not None:
            return await self._misbehave(request, request.transport)
        return web.json_response({"ok": True, "result": self._result(method, params)})

    def _result(self, method: str, params: dict[str, str]) -> dict[str, Any]:
        if method == "getMe":
            return {"id": 123456, "is_bot": True, "first_name": "Allerta", "username": "allerta_bot"}
        if method == "getChat":
            more = {"accent_color_id": 0, "max_reaction_count": 1, "accepted_gift_types": _NO_GIFTS}
            return {"id": -1001, "type": "channel", "title": "Comune", **more}
        chat = {"id": 1, "type": "private", "first_name": "x"}
        return {"message_id": 7000 + len(self.calls), "date": 1, "chat": chat, "text": params["text"]}

    async def _misbehave(self, request: web.Request, transport: asyncio.Transport) -> web.StreamResponse:
        self.struck.set()
        self.mute += self.answer in ("hang", "drip")
        try:
            return await self._play(request, transport)
        finally:
            self.mute -= self.answer in ("hang", "drip")

    async def _play(self, request: web.Request, transport: asyncio.Transport) -> web.StreamResponse:
        if self.answer == "deep":
            return web.Response(body=b"[" * 200_000)
        if self.answer == "digits":
            return web.Response(body=b'{"ok": true, "result": ' + b"9" * 5_000 + b"}")
        if self.answer == "page":
            return web.Response(text="<html>Welcome to our Wi-Fi</html>", content_type="text/html")
        if self.answer == "drip":
            response = web.StreamResponse(headers={"Content-Length": "1000"})
            await response.prepare(request)
            while not self.over.is_set() and not transport.is_closing():
                await response.write(b" ")
                await asyncio.wait((asyncio.ensure_future(self.over.wait()),), timeout=0.02)
            return response
        if self.answer == "half":
            transport.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"ok": tr')
        if self.answer == "hang":
            await self.over.wait()
        elif self.answer == "reset":
            transport.abort()
        else:
            transport.close()
        raise ConnectionResetError


_NO_GIFTS = dict.fromkeys(
    ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
)


def refused(status: int, description: str, parameters: dict[str, Any] | None = None) -> web.Response:
    return web.json_response(answer(status, description, parameters)[1], status=status)


def answer(status: int, description: str, parameters: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return status, body | ({"parameters": parameters} if parameters else {})


@asynccontextmanager
async def bot_api(context: ssl.SSLContext | None = None) -> AsyncIterator[BotApi]:
    api, application = BotApi(), web.Application()
    application.router.add_route("*", "/bot{token}/{method}", api.handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    api.url = f"http{'s' if context else ''}://127.0.0.1:{runner.addresses[0][1]}/bot"
    try:
        yield api
    finally:
        api.over.set()
        await runner.cleanup()


@asynccontextmanager
async def channel(tmp_path: Path, **changes: Any) -> AsyncIterator[tuple[BotApi, TelegramAdapter]]:
    async with bot_api() as api:
        settings = config(base_url=api.url, **changes)
        async with TelegramAdapter.open("bot", settings, tools(tmp_path)) as adapter:
            yield api, adapter


# --- what is sent --------------------------------------------------------------------------------------------------


async def test_a_message_as_it_is_asked_for(tmp_path):
    async with channel(tmp_path) as (api, adapter):
        assert await send_one(adapter) == Accepted("7001")
        method, params = api.calls[0]
    assert method == "sendMessage"
    assert params["chat_id"] == "100001"
    assert params["parse_mode"] == "HTML"
    assert json.loads(params["link_preview_options"]) == {"is_disabled": True}
    assert "reply_parameters" not in params
    assert params.get("disable_notification", "False") in ("False", "false")
    title = notices.notice().title
    assert params["text"].startswith(f"<b>{title}</b>\n\nTemporali forti a Montelupo")
    assert "argini &amp; dai sottopassi &lt;5 m." in params["text"]
    assert params["text"].endswith("\n\nhttps://allerta.comune.example.it/alerts/a1")


async def test_an_update_answers_the_earlier_message(tmp_path):
    update = notices.notice(notices.alert("a2", msg_type=MsgType.UPDATE))
    async with channel(tmp_path) as (api, adapter):
        await send_one(adapter, update, thread="6543")
        reply = json.loads(api.calls[0][1]["reply_parameters"])
        assert (reply["message_id"], reply["allow_sending_without_reply"]) == (6543, True)
        for odd in ("not a number", "", "0", "-1", "٣", "9" * 10, "9" * 5000):
            await send_one(adapter, update, thread=odd)
            assert "reply_parameters" not in api.calls[-1][1]


async def test_an_event_makes_no_sound(tmp_path):
    async with channel(tmp_path) as (api, adapter):
        await send_one(adapter, notices.notice(notices.alert(purpose=Purpose.EVENT)))
        assert api.calls[0][1]["disable_notification"].lower() == "true"


async def test_a_broadcast_goes_to_the_one_chat(tmp_path):
    async with channel(tmp_path, chat_id="@ComuneMontelupo") as (api, adapter):
        assert not adapter.traits.addressed
        assert await send_one(adapter, address="") == Accepted("7001")
        assert api.calls[0][1]["chat_id"] == "@ComuneMontelupo"


async def test_what_was_made_for_the_other_kind_of_channel_is_never_posted(tmp_path):
    """chat_id came, or went, while these waited in the queue."""
    wrong = Refused(Reason.BAD_ADDRESS)
    async with channel(tmp_path, chat_id="@ComuneMontelupo") as (api, adapter):
        assert await send_one(adapter, address="100001") == wrong
        assert await send_one(adapter, address="", endpoint_id=7) == wrong
        assert await send_one(adapter, address="100001", endpoint_id=0) == wrong  # a confirmation
        assert api.calls == []
    async with channel(tmp_path) as (api, adapter):
        assert await send_one(adapter, address="") == wrong
        assert await send_one(adapter, address="", endpoint_id=7) == wrong
        assert api.calls == []
        assert await send_one(adapter, address="100001", endpoint_id=0) == Accepted("7001")


async def test_a_group_that_moved_is_followed_once(tmp_path):
    async with channel(tmp_path) as (api, adapter):
        api.migrated = {"-5": -1005}
        assert await send_one(adapter, address="-5", thread="9") == Accepted("7002")
        assert [params["chat_id"] for _, params in api.calls] == ["-5", "-1005"]
        assert "reply_parameters" not in api.calls[1][1]
        api.migrated = {"-5": -1005, "-1005": -1006}
        assert await send_one(adapter, address="-5") == Refused(Reason.BAD_REQUEST)
        assert len(api.calls) == 4
    async with channel(tmp_path, chat_id=-5) as (api, adapter):
        api.migrated = {"-5": -1005}
        with capture_logs() as logs:
            assert await send_one(adapter, address="") == Accepted("7002")
    assert "chat_id" in logs[0]["event"]
    assert "1005" not in str(logs)


# --- what the answers mean -----------------------------------------------------------------------------------------

LIMITED = answer(429, "Too Many Requests: retry after 7", {"retry_after": 7})
REFUSALS = [
    (LIMITED, Retry(Reason.RATE_LIMITED, 7.0, Hold.PARCEL), Retry(Reason.RATE_LIMITED, 7.0, Hold.CHANNEL)),
    (answer(401, "Unauthorized"), Halt(Reason.CREDENTIALS), Halt(Reason.CREDENTIALS)),
    (answer(404, "Not Found"), Halt(Reason.CREDENTIALS), Halt(Reason.CREDENTIALS)),
    (answer(413, "Request Entity Too Large"), Refused(Reason.TOO_LARGE), Refused(Reason.TOO_LARGE)),
    (answer(409, "Conflict: other getUpdates"), Refused(Reason.BAD_REQUEST), Refused(Reason.BAD_REQUEST)),
    (answer(500, "Internal Server Error"), Retry(Reason.UNAVAILABLE), Retry(Reason.UNAVAILABLE)),
    (answer(503, "Service Unavailable"), Retry(Reason.UNAVAILABLE), Retry(Reason.UNAVAILABLE)),
    (answer(502, "Bad Gateway"), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    (answer(504, "Gateway Timeout"), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    ((500, {"error": "proxy"}), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    ((503, "not an object"), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    ((502, "not an object"), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    ((403, {"error": "firewall"}), Retry(Reason.UNAVAILABLE), Retry(Reason.UNAVAILABLE)),
    ((404, {}), Retry(Reason.UNAVAILABLE), Retry(Reason.UNAVAILABLE)),
    ((200, {"ok": False, "description": "?"}), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    ((200, {"ok": True, "result": True}), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    ((200, {"ok": True, "result": {"message_id": 1}}), Retry(Reason.BROKEN), Retry(Reason.BROKEN)),
    *[
        (answer(403, f"Forbidden: {words}"), Gone(Reason.UNSUBSCRIBED), Halt(Reason.CREDENTIALS))
        for words in (
            "bot was blocked by the user",
            "user is deactivated",
            "bot was kicked from the group chat",
            "the group chat was deleted",
            "bot can't initiate conversation with a user",
            "bot is not a member of the channel chat",
        )
    ],
    *[
        (answer(400, f"Bad Request: {words}"), Gone(Reason.UNSUBSCRIBED), Halt(Reason.CREDENTIALS))
        for words in ("chat not found", "user not found", "PEER_ID_INVALID", "group chat was deactivated")
    ],
    *[
        (answer(400, f"Bad Request: {words}"), Refused(Reason.POLICY), Halt(Reason.CREDENTIALS))
        for words in (
            "not enough rights to send text messages to the chat",
            "have no rights to send a message",
            "need administrator rights in the channel chat",
            "CHAT_WRITE_FORBIDDEN",
        )
    ],
    (answer(400, "Bad Request: message is too long"), Refused(Reason.TOO_LARGE), Refused(Reason.TOO_LARGE)),
    (answer(400, "Bad Request: MESSAGE_TOO_LONG"), Refused(Reason.TOO_LARGE), Refused(Reason.TOO_LARGE)),
    (
        answer(400, "Bad Request: can't parse entities: Unsupported start tag"),
        Refused(Reason.BAD_REQUEST),
        Refused(Reason.BAD_REQUEST),
    ),
    (answer(400, "Bad Request: message text is empty"), Refused(Reason.BAD_REQUEST), Refused(Reason.BAD_REQUEST)),
]


WAITS = [
    (1e300, 86_400.0),
    (float("inf"), 86_400.0),
    (int("9" * 400), 86_400.0),
    (float("nan"), None),
    (-5, None),
    ("7", None),
    ({"a": 1}, None),
]


@pytest.mark.parametrize(("said", "after"), WAITS, ids=lambda value: str(value)[:9])
async def test_no_wait_is_believed_that_is_longer_than_a_day(tmp_path, said, after):
    async with channel(tmp_path) as (api, adapter):
        api.answer = answer(429, "Too Many Requests", {"retry_after": said})
        assert await send_one(adapter) == Retry(Reason.RATE_LIMITED, after, Hold.PARCEL)


async def test_one_busy_chat_holds_nobody_else_and_two_in_a_row_mean_the_bot(tmp_path):
    chat, bot = Retry(Reason.RATE_LIMITED, 7.0, Hold.PARCEL), Retry(Reason.RATE_LIMITED, 7.0, Hold.CHANNEL)
    async with channel(tmp_path) as (api, adapter):
        for _ in range(3):
            api.answer = LIMITED
            assert await send_one(adapter, address="-1005") == chat
            assert await send_one(adapter, address="-1005") == chat, "however often it is that one"
            api.answer = None
            assert isinstance(await send_one(adapter, address="100001"), Accepted)
        api.answer = LIMITED
        assert await send_one(adapter, address="100001") == chat
        assert await send_one(adapter, address="100002") == bot
        assert await send_one(adapter, address="100001") == bot, "until somebody is served"


@pytest.mark.parametrize("said", [True, 0, 2**52, int("9" * 400), 1e300, "-1005", None], ids=lambda v: str(v)[:9])
async def test_a_group_that_moved_nowhere_is_not_followed(tmp_path, said):
    async with channel(tmp_path) as (api, adapter):
        api.answer = answer(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": said})
        assert await send_one(adapter, address="-5") == Refused(Reason.BAD_REQUEST)
        assert len(api.calls) == 1


@pytest.mark.parametrize(
    ("said", "ref"),
    [
        (2**31 - 1, "2147483647"),
        *[(odd, None) for odd in (0, -1, 2**31, int("9" * 400), 1e300, True, "7", "a\u202e\x00", [1], None)],
    ],
    ids=lambda value: str(value)[:9],
)
async def test_only_a_message_id_that_can_be_answered_is_kept(tmp_path, said, ref):
    async with channel(tmp_path) as (api, adapter):
        api.answer = (
            200,
            {"ok": True, "result": {"message_id": said, "date": 1, "chat": {"id": 1, "type": "private"}}},
        )
        assert await send_one(adapter) == Accepted(ref)


@pytest.mark.parametrize("date", [1e300, 10**18, int("9" * 400), "x", -(10**14)], ids=lambda value: str(value)[:9])
async def test_an_odd_date_is_an_answer_that_cannot_be_read(tmp_path, date):
    async with channel(tmp_path) as (api, adapter):
        api.answer = (
            200,
            {"ok": True, "result": {"message_id": 5, "date": date, "chat": {"id": 1, "type": "private"}}},
        )
        assert await send_one(adapter) == Retry(Reason.BROKEN)


def _name(row: Any) -> str:
    status, body = row[0]
    return f"{status} {body.get('description', '') if isinstance(body, dict) else body}"[:40]


@pytest.mark.parametrize(("said", "addressed", "broadcast"), REFUSALS, ids=map(_name, REFUSALS))
async def test_what_each_refusal_means(tmp_path, said, addressed, broadcast):
    async with bot_api() as api:
        api.answer = said
        for chat_id, address, expected in ((None, "100001", addressed), ("@Comune", "", broadcast)):
            settings = config(base_url=api.url, chat_id=chat_id)
            async with TelegramAdapter.open("bot", settings, tools(tmp_path)) as adapter:
                assert await send_one(adapter, address=address) == expected
        assert len(api.calls) == 2  # nothing is repeated by the adapter or the library


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("hang", Retry(Reason.TIMEOUT)),
        ("drip", Retry(Reason.TIMEOUT)),
        ("reset", Retry(Reason.BROKEN)),
        ("close", Retry(Reason.BROKEN)),
        ("half", Retry(Reason.BROKEN)),
        ("page", Retry(Reason.BROKEN)),
        ("deep", Retry(Reason.BROKEN)),
        ("digits", Retry(Reason.BROKEN)),
    ],
)
async def test_what_a_break_means_and_that_the_next_message_goes_through(tmp_path, fault, expected):
    async with channel(tmp_path, timeout=30, concurrency=1) as (api, adapter), running_ahead(lambda: api.mute):
        api.answer = fault
        assert await send(adapter, [parcel(1), parcel(2), parcel(3)]) == [expected] * 3
        api.answer = None
        assert isinstance(await send_one(adapter), Accepted)
        assert len(api.calls) == 4


async def test_nobody_listens(tmp_path):
    async with bot_api() as api:
        url = api.url
    async with TelegramAdapter.open("bot", config(base_url=url), tools(tmp_path)) as adapter:
        assert await send_one(adapter) == Retry(Reason.CONNECT)
        health = await adapter.check()
    assert not health.ready
    assert "cannot be reached" in health.detail


async def test_a_server_that_never_accepts(tmp_path):
    """The listener's queue is full: the connection itself times out."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(asyncio.Protocol, "127.0.0.1", 0, backlog=0, start_serving=False)
    port = server.sockets[0].getsockname()[1]
    server.sockets[0]._sock.listen(0)
    fillers = [asyncio.create_task(asyncio.open_connection("127.0.0.1", port)) for _ in range(4)]
    await asyncio.wait(fillers, timeout=0.2)
    settings = config(base_url=f"http://127.0.0.1:{port}/bot", timeout=30)
    async with TelegramAdapter.open("bot", settings, tools(tmp_path)) as adapter, running_ahead(lambda: True):
        assert await send_one(adapter) == Retry(Reason.CONNECT)
    for filler in fillers:
        filler.cancel()
    for done in await asyncio.gather(*fillers, return_exceptions=True):
        if not isinstance(done, BaseException):
            done[1].transport.abort()
    server.close()


async def test_tls_with_a_further_authority_and_a_stranger(tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    async with bot_api(context) as api:
        for ca_file, expected in ((str(tmp_path / "ca.pem"), Accepted("7001")), ("", Halt(Reason.CREDENTIALS))):
            settings = config(base_url=api.url, ca_file=ca_file)
            async with TelegramAdapter.open("bot", settings, tools(tmp_path)) as adapter:
                assert await send_one(adapter) == expected
        assert len(api.calls) == 1


async def test_past_the_deadline_and_without_a_chat_nothing_is_sent(tmp_path):
    async with channel(tmp_path) as (api, adapter):
        assert await send_one(adapter, deadline=datetime.now(UTC) - timedelta(seconds=1)) == Refused(Reason.EXPIRED)
        assert await send_one(adapter, address="@anna") == Refused(Reason.BAD_ADDRESS)
        assert api.calls == []


async def test_news_that_hangs_does_not_hold_up_an_emergency(tmp_path):
    news = notices.notice(notices.alert("n1", purpose=Purpose.SERVICE))
    async with channel(tmp_path, concurrency=2, timeout=30) as (api, adapter):
        api.answer = "hang"
        stuck = asyncio.create_task(send(adapter, [parcel(n) for n in range(6)], news))
        await api.struck.wait()
        api.answer = None
        async with asyncio.timeout(180):
            assert isinstance(await send_one(adapter), Accepted)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck
        async with asyncio.timeout(180):  # what was cancelled gave its connections back
            assert all(isinstance(v, Accepted) for v in await send(adapter, [parcel(n) for n in range(20)], news))


async def test_a_page_uses_few_connections(tmp_path):
    async with channel(tmp_path, concurrency=4) as (api, adapter):
        verdicts = await send(adapter, [parcel(n, str(1000 + n)) for n in range(60)])
        assert all(isinstance(verdict, Accepted) for verdict in verdicts)
        assert len({verdict.ref for verdict in verdicts}) == 60
        assert len(api.peers) <= 4


# --- readiness and discretion --------------------------------------------------------------------------------------


async def test_check_proves_the_token_and_the_chat_and_sends_nothing(tmp_path):
    async with channel(tmp_path) as (api, adapter):
        health = await adapter.check()
        assert health.ready
        assert health.facts == {"bot": "allerta_bot"}
        assert [method for method, _ in api.calls] == ["getMe"]
        for said in ((401, {}), "page", "reset", answer(401, "Unauthorized"), (200, {"ok": True, "result": 3})):
            api.answer = said
            assert not (await adapter.check()).ready
    async with channel(tmp_path, chat_id="@Comune") as (api, adapter):
        assert (await adapter.check()).ready
        assert [method for method, _ in api.calls] == ["getMe", "getChat"]
        api.migrated = {"@Comune": -1}
        assert "upgraded" in (await adapter.check()).detail


async def test_neither_token_nor_chat_nor_text_reach_a_log(tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    with capture_logs() as logs:
        async with channel(tmp_path) as (api, adapter):
            details = [repr(adapter), (await adapter.check()).detail]
            for said in (None, LIMITED, (200, "garbage"), (500, "garbage"), answer(401, "Unauthorized"), "reset"):
                api.answer = said
                await send_one(adapter, address="987654321")
                details.append((await adapter.check()).detail)
    ours = [r.getMessage() for r in caplog.records if r.name.partition(".")[0] not in ("aiohttp", "asyncio")]
    everything = "\n".join([*details, *map(str, logs), *ours, repr(config())])
    assert not re.search(rf"{TOKEN}|987654321|Montelupo", everything)
    for name in ("httpx", "telegram.Bot"):
        assert logging.getLogger(name).filters == []  # as it was found


# --- pure parts ----------------------------------------------------------------------------------------------------


def visible(markup: str) -> str:
    """What Telegram shows of its HTML: tags gone, entities parsed; anything else would be refused."""
    assert re.fullmatch(r"(?:<b>[^<>]*</b>)?[^<>]*", markup)
    assert re.fullmatch(r"(?:[^&]|&(?:amp|lt|gt);)*", markup)
    return html.unescape(re.sub(r"</?b>", "", markup))


@given(st.text(max_size=60), st.text(max_size=9000), st.booleans())
def test_every_text_fits_and_keeps_title_and_link(title, text, short):
    about = replace(notices.notice(text=text if short else text * 20), title=title)
    post = compose(about)
    assert visible(post.html) == post.plain
    assert length(post.plain) <= MAX_LENGTH
    assert about.url in post.plain
    post.html.encode()


@pytest.mark.parametrize("filler", ["&", "<b>", "🌊", "e\u0301", "👨\u200d👩\u200d👧", "parola ", "\n", "x"])
def test_a_long_text_is_cut_between_characters(filler):
    about = notices.notice(text=filler * 5000)
    post = compose(about)
    assert visible(post.html) == post.plain
    assert MAX_LENGTH - 60 <= length(post.plain) <= MAX_LENGTH or not filler.strip()
    title, body, url = post.plain.partition("\n\n")[0], post.plain, about.url
    assert title == about.title
    assert body.endswith(url)
    if filler.strip():
        kept = body.removeprefix(title).removesuffix(url).strip().removesuffix("…")
        assert len(kept) % len(filler.strip()) == 0 or filler in ("<b>", "parola ")


def test_a_link_that_the_text_shows_is_not_repeated():
    url = notices.notice().url
    assert compose(notices.notice(text=f"Leggi {url} adesso")).plain.count(url) == 1
    assert compose(notices.notice(text=f"Leggi {url} " + "adesso " * 2000)).plain.count(url) == 1
    assert compose(notices.notice(url="", text="a")).plain.endswith("\n\na")


def test_cut():
    assert cut("uno due tre", 11) == "uno due tre"
    assert cut("uno due tre", 10) == "uno due…"
    assert cut("unoduetre", 5) == "unod…"
    assert cut("", 0) == ""


@pytest.mark.parametrize(("given", "canonical"), [("123", "123"), (" -1001234567890 ", "-1001234567890"), ("007", "7")])
def test_chat_ids_that_are_taken(given, canonical):
    assert TelegramAdapter.normalize(config(), given) == canonical


@pytest.mark.parametrize("given", ["", "0", "-0", "@anna", "12a", "1.5", "+39055", "١٢٣", "9" * 16, "9" * 5000, "1 2"])
def test_chat_ids_that_are_not(given):
    with pytest.raises(ValueError):
        TelegramAdapter.normalize(config(), given)


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"token": "secret"}, "token"),
        ({"token": ""}, "token"),
        ({"chat_id": "Comune"}, "chat_id"),
        ({"chat_id": "@x"}, "chat_id"),
        ({"chat_id": 0}, "chat_id"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"ca_file": "/no/such/file"}, "ca_file"),
        ({"timeout": 0}, "timeout"),
        ({"rate": -1}, "rate"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_configurations_that_are_refused(changes, where):
    with pytest.raises(ValidationError) as caught:
        config(**changes)
    assert {str(error["loc"][0]) for error in caught.value.errors()} == {where}


def test_what_the_channel_says_of_itself(tmp_path):
    traits = TelegramAdapter.traits_of(TelegramConfig(token=TOKEN))
    assert (traits.addressed, traits.idempotent, traits.page_size, traits.rate) == (True, False, 30, 29.5)
    assert config(chat_id="-1001234567890").chat_id == -1001234567890
    assert TelegramAdapter.public_facts(config(), tmp_path) == {}


def test_the_channels_of_one_bot_share_a_budget_that_tells_no_secret():
    bot, post = TelegramAdapter.traits_of(config()), TelegramAdapter.traits_of(config(chat_id="@ComuneMontelupo"))
    assert bot.budget == post.budget == "telegram:123456@api.telegram.org:443"
    for other in (config(token="654321:ABC-def_secret"), config(base_url="http://127.0.0.1:8081/bot")):
        assert TelegramAdapter.traits_of(other).budget != bot.budget


async def test_the_bot_api_is_the_origin(tmp_path):
    async with TelegramAdapter.open("bot", config(), tools(tmp_path)) as adapter:
        assert adapter.origin("1") == "api.telegram.org:443"
