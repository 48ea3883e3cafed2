"""The Bot API, the mail server and the webhook receiver, spoken to over the wire."""

import base64
import hmac
import ssl
import time
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import aiosmtplib
import pytest

from alertd.sandbox.bot import BotApi
from alertd.sandbox.bot_limits import Rates
from alertd.sandbox.faults import Fault, Faults, Kind, Phase
from alertd.sandbox.hook import HookReceiver
from alertd.sandbox.mail import MailServer
from alertd.sandbox.tls import make_tls
from tests.support.loop_time import running_ahead

TOKEN = "1:abc"
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


# --- Bot API --------------------------------------------------------------------------------------------------


@pytest.fixture
async def bot() -> AsyncIterator[BotApi]:
    async with BotApi("127.0.0.1", 0, token=TOKEN, rates=Rates(per_chat=1e6)) as api:
        yield api


async def call(api: BotApi, method: str, *, token: str = TOKEN, **params: Any) -> dict[str, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{api.base_url}{token}/{method}", json=params) as response,
    ):
        answer: dict[str, Any] = await response.json()
        assert response.status == answer.get("error_code", 200)
        return answer


async def test_send_edit_reply(bot: BotApi) -> None:
    sent = await call(bot, "sendMessage", chat_id=7, text="<b>uno</b>", parse_mode="HTML")
    first = sent["result"]["message_id"]
    assert sent["result"]["text"] == "uno"
    assert (await call(bot, "sendMessage", chat_id=7, text="due", reply_parameters={"message_id": first}))["ok"]
    assert (await call(bot, "editMessageText", chat_id=7, message_id=first, text="tre"))["ok"]
    again = await call(bot, "editMessageText", chat_id=7, message_id=first, text="tre")
    assert "not modified" in again["description"]
    assert [(post.text, post.reply_to, post.edits) for post in bot.chats.posts["7"]] == [
        ("tre", None, 1),
        ("due", 1, 0),
    ]
    assert (bot.edits, bot.ledger.counts["7"], bot.read("7")) == (1, 2, "due")


@pytest.mark.parametrize(
    ("status", "params"),
    [
        (400, {"text": ""}),
        (400, {"text": "a" * 4097}),
        (400, {"text": "<p>a</p>", "parse_mode": "HTML"}),
        (400, {"text": "a", "chat_id": "nobody"}),
        (400, {"text": "a", "reply_parameters": {"message_id": 99}}),
        (200, {"text": "a", "reply_parameters": {"message_id": 99, "allow_sending_without_reply": True}}),
        (401, {"text": "a", "token": "1:bad"}),
        (403, {"text": "a", "chat_id": "13"}),
    ],
)
async def test_what_the_bot_api_refuses(bot: BotApi, status: int, params: dict[str, Any]) -> None:
    bot.faults = Faults(gone=frozenset({"13"}))
    answer = await call(bot, "sendMessage", **({"chat_id": "7"} | params))
    assert answer.get("error_code", 200) == status
    assert answer["ok"] is (status == 200)


async def test_honest_429_and_who_ignores_it(bot: BotApi) -> None:
    bot.rates = Rates(overall=30, burst=2, per_chat=1.0)
    bot.clear()
    assert (await call(bot, "sendMessage", chat_id=1, text="a"))["ok"]
    refused = await call(bot, "sendMessage", chat_id=1, text="b")
    assert (refused["error_code"], refused["parameters"]) == (429, {"retry_after": 1})
    assert (await call(bot, "sendMessage", chat_id=2, text="a"))["ok"]  # another chat may go on
    await call(bot, "sendMessage", chat_id=1, text="b")
    assert [early.recipient for early in bot.ledger.inside_retry_after(grace=0)] == ["1"]


async def test_the_bots_own_words(bot: BotApi) -> None:
    assert (await call(bot, "getMe"))["result"]["is_bot"]
    assert (await call(bot, "getChat", chat_id="@comune"))["result"]["type"] == "channel"
    bot.faults = Faults((Fault(Kind.STATUS, status=400, text="moved", parameters={"migrate_to_chat_id": -100123}),))
    assert (await call(bot, "getMe"))["parameters"] == {"migrate_to_chat_id": -100123}


# --- mail -----------------------------------------------------------------------------------------------------


def letter(to: str = "a@example.org", message_id: str = "<1@x>") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Message-ID"] = "b@example.org", to, message_id
    message["Subject"] = "Prova è"
    message.set_content("ESERCITAZIONE")
    return message


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("login", [None, ("user", "secret")])
async def test_mail_over_every_tls(tmp_path: Path, tls: str, login: tuple[str, str] | None) -> None:
    made = make_tls(tmp_path)
    trust = ssl.create_default_context(cafile=str(made.ca_file))
    how: dict[str, Any] = {"start_tls": tls == "starttls", "use_tls": tls == "implicit", "tls_context": trust}
    who: dict[str, Any] = {} if login is None else {"username": login[0], "password": login[1]}
    async with MailServer("127.0.0.1", 0, tls=tls, context=made.server(), login=login) as server:
        for message_id in ("<1@x>", "<1@x>", "<2@x>"):
            await aiosmtplib.send(
                letter(message_id=message_id),
                hostname="127.0.0.1",
                port=server.port,
                **how,
                **who,
            )
        if login is not None:
            with pytest.raises(aiosmtplib.SMTPException):
                await aiosmtplib.send(letter(), hostname="127.0.0.1", port=server.port, **how)
            with pytest.raises(aiosmtplib.SMTPAuthenticationError):
                await aiosmtplib.send(
                    letter(),
                    hostname="127.0.0.1",
                    port=server.port,
                    **how,
                    username="user",
                    password="x",
                )
        assert server.ledger.counts == {"a@example.org": 3}
        assert server.ledger.duplicates == {"a@example.org": 1}
        shown = server.read("A@example.org")
        assert isinstance(shown, dict)
        assert (shown["Subject"], shown["text"]) == ("Prova è", "ESERCITAZIONE\n")


async def exchange(server: MailServer, *, within: float = 30) -> str:
    try:
        await aiosmtplib.send(letter(), hostname="127.0.0.1", port=server.port, timeout=within)
    except TimeoutError:
        return "timeout"
    except aiosmtplib.SMTPResponseException as error:
        return str(error.code)
    except aiosmtplib.SMTPRecipientsRefused as error:
        return str(error.recipients[0].code)
    except (aiosmtplib.SMTPException, OSError):
        return "broken"
    return "250"


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        (Kind.STATUS, ("421", "451")),
        (Kind.RESET, ("broken",)),
        (Kind.HALF, ("broken",)),
        (Kind.HANG, ("timeout",)),
        (Kind.DRIP, ("timeout",)),
        (Kind.LATENCY, ("250",)),
    ],
)
async def test_mail_faults_in_every_phase(phase: Phase, kind: Kind, seen: tuple[str, ...]) -> None:
    async with MailServer("127.0.0.1", 0) as server:
        server.faults = Faults((Fault(kind, phase=phase, seconds=10 if kind is Kind.DRIP else 0.1, first=1),))
        async with running_ahead(lambda: seen == ("timeout",)):
            assert await exchange(server) in seen
        assert await exchange(server) == "250"


async def test_gone_by_mail() -> None:
    async with MailServer("127.0.0.1", 0) as server:
        server.faults = Faults(gone=frozenset({"a@example.org"}))
        assert await exchange(server) == "550"


# --- webhook --------------------------------------------------------------------------------------------------


def signed(
    body: bytes, *, message_id: str = "m1", at: float | None = None, key: bytes = b"0123456789abcdef"
) -> dict[str, str]:
    sent = str(int(time.time() if at is None else at))
    digest = hmac.digest(key, f"{message_id}.{sent}.".encode() + body, "sha256")
    signature = "v1,bm8= v1," + base64.b64encode(digest).decode()
    return {"webhook-id": message_id, "webhook-timestamp": sent, "webhook-signature": signature}


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (204, b"{}", lambda: signed(b"{}")),
        (400, b"no", lambda: signed(b"no")),
        (401, b"{}", dict),
        (401, b"{ }", lambda: signed(b"{}")),
        (401, b"{}", lambda: signed(b"{}", key=b"other")),
        (401, b"{}", lambda: signed(b"{}", at=0)),
        (401, b"{}", lambda: {**signed(b"{}"), "webhook-id": "m2"}),
    ],
)
async def test_webhook_signatures(status: int, body: bytes, headers: Callable[[], dict[str, str]]) -> None:
    async with (
        HookReceiver("127.0.0.1", 0, secret=SECRET) as hook,
        aiohttp.ClientSession() as session,
        session.post(hook.url, data=body, headers=headers()) as response,
    ):
        assert response.status == status
        assert hook.ledger.messages == (status == 204)


async def test_webhook_repeats() -> None:
    async with HookReceiver("127.0.0.1", 0, secret=SECRET) as hook, aiohttp.ClientSession() as session:
        for message_id in ("m1", "m1", "m2"):
            async with session.post(hook.url, data=b"{}", headers=signed(b"{}", message_id=message_id)):
                pass
        assert (hook.ledger.messages, hook.ledger.duplicates.total()) == (3, 1)
