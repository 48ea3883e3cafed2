"""The mail channel against a real SMTP server (aiosmtpd) and against one that misbehaves on cue."""

import asyncio
import email
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default as modern
from pathlib import Path
from typing import Any

import pytest
import structlog
import trustme
from aiosmtpd import smtp as aiosmtpd
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import ValidationError
from structlog.testing import capture_logs

from adapters.email import EmailAdapter
from adapters.email import address as addresses
from adapters.email.config import EmailConfig
from adapters.email.identity import Identity
from adapters.email.pool import CLOSE_AFTER, PROVE_AFTER
from alertd.domain.alert import MsgType, Purpose, Reference
from alertd.domain.delivery import Accepted, Gone, Halt, Reason, Refused, Retry, Verdict
from alertd.ports.adapter import Notice, Parcel, Tools
from alertd.ports.clock import Clock
from tests.support import notices
from tests.support.clock import ManualClock, RealClock
from tests.support.loop_time import running_ahead
from tests.support.pages import Book, ListPage

FROM = "Protezione Civile <allerta@comune.example.it>"
PEM = ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
URL = "https://allerta.comune.example.it/unsubscribe/"


def config(**changes: Any) -> EmailConfig:
    return EmailConfig.model_validate({"host": "127.0.0.1", "from": FROM, "timeout": 30.0, **changes})


def tools(tmp_path: Path, clock: Clock | None = None, unsubscribe: str = URL) -> Tools:
    def link(endpoint_id: int) -> str:
        return f"{unsubscribe}{endpoint_id}" if unsubscribe else ""

    return Tools(clock or RealClock(), structlog.get_logger(), notices.SERVICE, tmp_path, link)


def parcel(number: int = 1, address: str = "anna@example.org", **changes: Any) -> Parcel:
    return Parcel(number, f"k{number}", 1000 + number, address, notices.notice().deadline)._replace(**changes)


async def send(adapter: EmailAdapter, parcels: Sequence[Parcel], about: Notice | None = None) -> list[Verdict]:
    page = ListPage(adapter.render(about or notices.notice()), parcels)
    book = Book(page)
    await adapter.send(page, book)
    book.assert_complete()
    return [book.verdicts[each.delivery_id] for each in parcels]


async def send_one(adapter: EmailAdapter, about: Notice | None = None, **changes: Any) -> Verdict:
    return (await send(adapter, [parcel(**changes)], about))[0]


# --- a real server -------------------------------------------------------------------------------------------------


class Mailbox:
    """aiosmtpd's handler: keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
        return "250 2.0.0 taken"

    def message(self) -> EmailMessage:
        parsed = email.message_from_bytes(self.got[-1][2], policy=modern)
        assert isinstance(parsed, EmailMessage)
        return parsed


def only_anna(
    server: aiosmtpd.SMTP, session: object, envelope: object, mechanism: str, data: Any
) -> aiosmtpd.AuthResult:
    return aiosmtpd.AuthResult(success=(data.login, data.password) == (b"anna", "sègreto".encode()), handled=False)


@asynccontextmanager
async def mailbox(implicit: ssl.SSLContext | None = None, **options: Any) -> AsyncIterator[tuple[Mailbox, int]]:
    box, sessions = Mailbox(), []

    def session() -> aiosmtpd.SMTP:
        sessions.append(aiosmtpd.SMTP(box, hostname="relay.test", loop=asyncio.get_running_loop(), **options))
        return sessions[-1]

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=implicit)
    try:
        yield box, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for each in sessions:
            if each.transport is not None:
                each.transport.abort()
        tasks = [each._handler_coroutine for each in sessions if each._handler_coroutine is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def server_side(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return context


async def test_the_message_as_it_arrives(tmp_path):
    title = "ESERCITAZIONE – Comune di Montelupo: è allerta 🌩"
    about = replace(notices.notice(text=".punto\n..due\n" + "perché " * 300), title=title)
    async with mailbox() as (box, port), EmailAdapter.open("mail", config(port=port), tools(tmp_path)) as adapter:
        verdict = await send_one(adapter, about)
        first = box.message()
        assert verdict == Accepted(first["Message-ID"])
        sender, recipients, content = box.got[0]
        assert (sender, recipients) == ("allerta+1@comune.example.it", ["anna@example.org"])
        assert content.isascii()
        assert b"\n" not in content.replace(b"\r\n", b"")
        assert b"\r" not in content.replace(b"\r\n", b"")
        assert max(map(len, content.split(b"\r\n"))) <= 998
        assert first["From"] == FROM
        assert first["To"] == "anna@example.org"
        assert first["Subject"] == title
        assert first["Message-ID"] == "<it-montelupo-a1.1001@comune.example.it>"
        assert first["List-Id"] == "<allerta.comune.example.it>"
        assert first["List-Unsubscribe"] == f"<{URL}1001>"
        assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert first["Auto-Submitted"] == "auto-generated"
        assert first["Content-Language"] == "it-IT"
        assert first["X-Priority"] == "1"
        assert first["Importance"] == "high"
        assert first["In-Reply-To"] is None
        assert first["Precedence"] is None
        assert first["Feedback-ID"] is None
        assert abs(first["Date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
        assert first.get_content_type() == "multipart/alternative"
        text, html = first.iter_parts()
        assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
        plain = text.get_content().replace("\r\n", "\n")
        assert plain.startswith(f"{title}\n\n.punto\n..due\nperché perché")
        assert about.url in plain
        assert f"<h1>{title}</h1>" in html.get_content()
        assert about.url in html.get_content()
        assert await send_one(adapter, about, attempt=2) == verdict  # the same name for every attempt


async def test_an_update_answers_the_first_message_and_the_latest(tmp_path):
    update = notices.alert("a2", msg_type=MsgType.UPDATE, references=(Reference("s", "it-montelupo-a1", "t"),))
    cancel = notices.alert("a3", msg_type=MsgType.CANCEL, references=(Reference("s", "it-montelupo-a1", "t"),))
    root = "<it-montelupo-a1.1001@comune.example.it>"
    async with mailbox() as (box, port), EmailAdapter.open("mail", config(port=port), tools(tmp_path)) as adapter:
        latest = await send_one(adapter, notices.notice(update))
        assert isinstance(latest, Accepted)
        assert latest.ref is not None
        assert (box.message()["In-Reply-To"], box.message()["References"]) == (root, root)
        await send_one(adapter, notices.notice(cancel), thread=latest.ref)
        assert box.message()["In-Reply-To"] == latest.ref
        assert box.message()["References"].split() == [root, latest.ref]
        await send_one(adapter, notices.notice(cancel), thread="<x@y>\r\nBcc: all@example.org")
        assert box.message()["In-Reply-To"] == root
        assert box.message()["Bcc"] is None


async def test_news_is_not_urgent_and_without_a_link_nothing_is_promised(tmp_path):
    news = notices.notice(notices.alert(purpose=Purpose.SERVICE), url="")
    quiet = tools(tmp_path, unsubscribe="")
    settings = {"verp": False, "return_path": "bounces.example.it", "list_id": "notizie.example.it"}
    async with mailbox() as (box, port), EmailAdapter.open("mail", config(port=port, **settings), quiet) as adapter:
        await send_one(adapter, news)
    assert box.message()["X-Priority"] is None
    assert box.message()["Importance"] is None
    assert box.message()["List-Unsubscribe"] is None
    assert box.message()["List-Unsubscribe-Post"] is None
    assert box.message()["List-Id"] == "<notizie.example.it>"
    assert box.got[0][0] == "bounces@bounces.example.it"


async def test_nothing_can_be_injected(tmp_path):
    about = replace(
        notices.notice(text="a\r\n.\r\nMAIL FROM:<evil@example.org>\r\x00\ud800"),
        title="x\r\nBcc: all@example.org\u2028\x85Cc: y",
        language="it\r\nX-Evil: 1",
    )
    odd_link = tools(tmp_path, unsubscribe="https://x/>\r\nX-Evil: 1")
    async with mailbox() as (box, port), EmailAdapter.open("mail", config(port=port), odd_link) as adapter:
        assert isinstance(await send_one(adapter, about), Accepted)
        assert len(box.got) == 1
        assert box.message()["Subject"] == "x Bcc: all@example.org Cc: y"
        for header in ("Bcc", "Cc", "X-Evil", "List-Unsubscribe"):
            assert box.message()[header] is None
        for address in ("a@example.org>\r\nDATA", "a@example.org, b@example.org", "", "A@Example.ORG ", "{}"):
            assert await send_one(adapter, address=address) == Refused(Reason.BAD_ADDRESS)
        assert len(box.got) == 1


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls_and_login(tmp_path, authority, ca_file, tls):
    theirs = server_side(authority)
    implicit = theirs if tls == "implicit" else None
    options: dict[str, Any] = {"auth_require_tls": tls == "starttls", "authenticator": only_anna}
    if tls == "starttls":
        options |= {"tls_context": theirs, "require_starttls": True}
    else:
        options |= {"auth_required": False}
    async with mailbox(implicit, **options) as (box, port):
        ours = {"port": port, "tls": tls, "ca_file": ca_file, "username": "anna"}
        async with EmailAdapter.open("mail", config(**ours, password="sègreto"), tools(tmp_path)) as adapter:
            health = await adapter.check()
            assert health.ready
            assert health.facts["size_limit"] == 33554432
            assert isinstance(await send_one(adapter), Accepted)
        with capture_logs() as logs:
            async with EmailAdapter.open("mail", config(**ours, password="wrong-pw"), tools(tmp_path)) as adapter:
                assert await send_one(adapter) == Halt(Reason.CREDENTIALS)
                health = await adapter.check()
        assert not health.ready
        assert "535" in health.detail
        assert "wrong-pw" not in str((logs, health, adapter, config(**ours, password="wrong-pw")))
        stranger = {**ours, "ca_file": "", "password": "sègreto"}
        async with EmailAdapter.open("mail", config(**stranger), tools(tmp_path)) as adapter:
            assert await send_one(adapter) == Halt(Reason.CREDENTIALS)
            assert "certificate" in (await adapter.check()).detail
        assert len(box.got) == 1


# --- a server that misbehaves --------------------------------------------------------------------------------------

GOOD = {
    "CONNECT": "220 relay.test ESMTP",
    "EHLO": "250-relay.test\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "BODY": "250 2.0.0 queued",
    "RSET": "250 ok",
    "NOOP": "250 ok",
    "QUIT": "221 bye",
}


class Relay:
    """Answers by `replies`: a reply line, or "!hang", "!close", "!reset", "!half", "!drip". `said` is what came."""

    def __init__(self, **replies: str) -> None:
        self.replies = GOOD | replies
        self.said: list[str] = []
        self.connections = 0
        self.live: set[asyncio.StreamWriter] = set()
        self.struck, self.quiet = asyncio.Event(), asyncio.Event()
        self.limit = 10**9
        self.port = 0

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Relay"]:
        self._over = asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            self._over.set()
            server.close()
            self.hang_up()

    def hang_up(self) -> None:
        for writer in tuple(self.live):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.live.add(writer)
        self.quiet.clear()
        taken = 0
        try:
            await self._answer("CONNECT", writer)
            while line := await reader.readline():
                verb = line[:4].decode("latin-1").strip().upper()
                self.said.append(line.decode("latin-1").strip())
                if verb == "MAIL" and taken == self.limit:
                    writer.write(b"421 4.7.0 too many messages on this connection\r\n")
                    return
                await self._answer("STARTTLS" if verb == "STAR" else verb, writer)
                if verb == "DATA" and self.replies["DATA"].startswith("354"):
                    await reader.readuntil(b"\r\n.\r\n")
                    await self._answer("BODY", writer)
                    taken += 1
                if verb == "QUIT":
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.live.discard(writer)
            if not self.live:
                self.quiet.set()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, stage: str, writer: asyncio.StreamWriter) -> None:
        reply = self.replies.get(stage, "502 5.5.1 what?")
        if not reply.startswith("!"):
            writer.write(reply.encode() + b"\r\n")
            if reply.startswith("421"):
                raise ConnectionAbortedError
            return
        self.struck.set()
        if reply == "!drip":
            for byte in b"250-" + b"x" * 1000:
                writer.write(bytes([byte]))
                await asyncio.wait((asyncio.ensure_future(self._over.wait()),), timeout=0.01)
        if reply == "!half":
            writer.write(b"25")
        if reply in ("!half", "!close"):
            raise ConnectionAbortedError
        if reply == "!reset":
            writer.transport.abort()
            raise ConnectionAbortedError
        await self._over.wait()


@asynccontextmanager
async def against(relay: Relay, tmp_path: Path, clock: Clock | None = None, **changes: Any) -> AsyncIterator[Any]:
    async with relay.open():
        settings = config(port=relay.port, **changes)
        async with EmailAdapter.open("mail", settings, tools(tmp_path, clock)) as adapter:
            yield adapter


UNAVAILABLE = Retry(Reason.UNAVAILABLE)
DEFERRED = Retry(Reason.DEFERRED)
REPLIES = [
    ("CONNECT", "421 4.3.2 not now", UNAVAILABLE),
    ("CONNECT", "450 4.7.1 slow down", UNAVAILABLE),
    ("CONNECT", "554 5.7.1 no service for you", Halt(Reason.POLICY)),
    ("CONNECT", "521 no mail here", Halt(Reason.POLICY)),
    ("EHLO", "421 4.3.2 not now", UNAVAILABLE),
    ("EHLO", "550 5.7.1 helo rejected", Halt(Reason.POLICY)),
    ("MAIL", "421 4.3.2 closing", UNAVAILABLE),
    ("MAIL", "451 4.3.0 try later", UNAVAILABLE),
    ("MAIL", "452 4.3.1 no space", UNAVAILABLE),
    ("MAIL", "530 5.7.0 authentication required", Halt(Reason.CREDENTIALS)),
    ("MAIL", "550 5.1.0 sender rejected", Halt(Reason.POLICY)),
    ("MAIL", "550 5.7.1 not yours to use", Halt(Reason.POLICY)),
    ("MAIL", "553 no such sender", Halt(Reason.POLICY)),
    ("MAIL", "552 5.3.4 too big", Refused(Reason.TOO_LARGE)),
    ("RCPT", "421 4.3.2 closing", UNAVAILABLE),
    ("RCPT", "450 4.2.0 greylisted", DEFERRED),
    ("RCPT", "451 4.7.1 greylisted too", DEFERRED),
    ("RCPT", "451 4.1.2 domain not found just now", DEFERRED),
    ("RCPT", "452 4.2.2 mailbox full", DEFERRED),
    ("RCPT", "452 4.5.3 too many recipients", DEFERRED),
    ("RCPT", "354 go on?", UNAVAILABLE),
    ("RCPT", "550 5.1.1 no such mailbox", Gone(Reason.UNSUBSCRIBED)),
    ("RCPT", "550-5.1.1 no such\r\n550 5.1.1 mailbox", Gone(Reason.UNSUBSCRIBED)),
    ("RCPT", "550 5.1.6 moved", Gone(Reason.UNSUBSCRIBED)),
    ("RCPT", "556 5.1.10 null MX", Gone(Reason.UNSUBSCRIBED)),
    ("RCPT", "550 5.1.2 no such domain", Refused(Reason.BAD_ADDRESS)),
    ("RCPT", "553 5.1.3 bad syntax", Refused(Reason.BAD_ADDRESS)),
    ("RCPT", "550 5.1.8 sender's domain unknown", Halt(Reason.POLICY)),
    ("RCPT", "554 5.7.1 relay access denied", Halt(Reason.POLICY)),
    ("RCPT", "550 no such user here", Refused(Reason.BAD_REQUEST)),
    ("RCPT", "550 5.1.10.1 not a status", Refused(Reason.BAD_REQUEST)),
    ("RCPT", "550 5.2.1 mailbox disabled", Refused(Reason.BAD_REQUEST)),
    ("RCPT", "552 5.2.2 mailbox full", Refused(Reason.BAD_REQUEST)),
    ("RCPT", "552 too large", Refused(Reason.TOO_LARGE)),
    ("DATA", "451 4.3.0 try later", UNAVAILABLE),
    ("DATA", "250 ok?", UNAVAILABLE),
    ("DATA", "554 5.5.1 no valid recipients", Refused(Reason.BAD_REQUEST)),
    ("DATA", "554 5.7.1 spam", Halt(Reason.POLICY)),
    ("BODY", "250 2.0.0 queued", Accepted("<it-montelupo-a1.1001@comune.example.it>")),
    ("BODY", "421 4.3.0 shutting down", UNAVAILABLE),
    ("BODY", "451 4.3.0 try later", UNAVAILABLE),
    ("BODY", "354 go on?", Retry(Reason.BROKEN)),
    ("BODY", "552 5.3.4 too big", Refused(Reason.TOO_LARGE)),
    ("BODY", "552 5.2.3 too big for this mailbox", Refused(Reason.TOO_LARGE)),
    ("BODY", "554 5.6.0 bad content", Refused(Reason.BAD_REQUEST)),
    ("BODY", "550 5.7.26 unauthenticated", Halt(Reason.POLICY)),
    ("BODY", "550 5.1.1 no such mailbox", Gone(Reason.UNSUBSCRIBED)),
]


@pytest.mark.parametrize(("stage", "reply", "expected"), REPLIES, ids=[f"{s} {r[:14]}" for s, r, _ in REPLIES])
async def test_what_each_reply_means_and_that_the_next_message_goes_through(tmp_path, stage, reply, expected):
    relay = Relay(**{stage: reply})
    async with against(relay, tmp_path) as adapter:
        with capture_logs() as logs:
            assert await send_one(adapter) == expected
        assert "anna" not in str(logs)
        relay.replies[stage] = GOOD[stage]
        assert isinstance(await send_one(adapter), Accepted)


STAGES = ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BODY"]


BREAKS = [(s, f) for s in STAGES for f in ("!hang", "!close", "!reset", "!half", "abc nonsense")]


@pytest.mark.parametrize(("stage", "fault"), [*BREAKS, ("EHLO", "!drip"), ("BODY", "!drip")])
async def test_what_a_break_means_and_that_the_next_message_goes_through(tmp_path, stage, fault):
    relay = Relay(**{stage: fault})
    slow = fault in ("!hang", "!drip")
    async with against(relay, tmp_path) as adapter, running_ahead(lambda: slow and relay.struck.is_set()):
        verdict = await send_one(adapter)
        if stage == "BODY":
            assert verdict == Retry(Reason.TIMEOUT if slow else Reason.BROKEN)
        elif fault == "abc nonsense" and stage in ("CONNECT", "EHLO"):
            assert verdict == UNAVAILABLE
        else:
            assert verdict == Retry(Reason.CONNECT)
        assert adapter.pool.resting == 0
        relay.replies[stage] = GOOD[stage]
        relay.hang_up()
    async with against(relay, tmp_path) as adapter:
        assert isinstance(await send_one(adapter), Accepted)


async def test_nobody_listens(tmp_path):
    relay = Relay()
    async with relay.open():
        port = relay.port
    async with EmailAdapter.open("mail", config(port=port), tools(tmp_path)) as adapter:
        assert await send_one(adapter) == Retry(Reason.CONNECT)
        health = await adapter.check()
        assert not health.ready
        assert "no connection" in health.detail


async def test_starttls_and_login_must_be_offered(tmp_path):
    async with against(Relay(), tmp_path, tls="starttls") as adapter:
        assert await send_one(adapter) == Halt(Reason.POLICY)
        assert "STARTTLS" in (await adapter.check()).detail
    async with against(Relay(), tmp_path, username="anna", password="geheim") as adapter:
        assert await send_one(adapter) == Halt(Reason.CREDENTIALS)
        assert not (await adapter.check()).ready
    offered = {"EHLO": "250-relay.test\r\n250-AUTH PLAIN\r\n250 STARTTLS"}
    for reply, expected in (("454 4.7.0 later", UNAVAILABLE), ("501 5.5.1 never", Halt(Reason.POLICY))):
        async with against(Relay(**offered, STARTTLS=reply), tmp_path, tls="starttls") as adapter:
            assert await send_one(adapter) == expected
    for reply, expected in (("454 4.7.0 later", UNAVAILABLE), ("534 5.7.9 too weak", Halt(Reason.CREDENTIALS))):
        async with against(Relay(**offered, AUTH=reply), tmp_path, username="anna", password="x") as adapter:
            assert await send_one(adapter) == expected
    async with (
        against(Relay(**offered, STARTTLS="220 go"), tmp_path, tls="starttls") as adapter,
        running_ahead(lambda: True),
    ):
        assert await send_one(adapter) == Retry(Reason.CONNECT)  # the handshake gets no answer


async def test_check_says_whether_mail_could_go_and_sends_none(tmp_path):
    relay = Relay()
    async with against(relay, tmp_path) as adapter:
        health = await adapter.check()
        assert health.ready
        assert health.facts == {"size_limit": 1000}
        assert [line[:4] for line in relay.said] == ["EHLO", "QUIT"]
        relay.replies["QUIT"] = "!close"
        assert (await adapter.check()).ready
        relay.replies["CONNECT"] = "554 5.7.1 go away anna@example.org"
        assert (await adapter.check()).detail == "the relay answered 554 to our greeting"
    relay = Relay(EHLO="!hang")
    async with against(relay, tmp_path) as adapter, running_ahead(relay.struck.is_set):
        assert "no answer in time" in (await adapter.check()).detail


# --- connections ---------------------------------------------------------------------------------------------------


async def test_a_few_connections_carry_many_messages(tmp_path):
    relay = Relay()
    async with against(relay, tmp_path, connections=3) as adapter:
        verdicts = await send(adapter, [parcel(n) for n in range(200)])
        assert all(isinstance(verdict, Accepted) for verdict in verdicts)
        assert relay.connections <= 3
        assert adapter.pool.resting == relay.connections
    assert sum(line == "QUIT" for line in relay.said) == relay.connections
    senders = [line for line in relay.said if line.startswith("MAIL")]
    recipients = [line for line in relay.said if line.startswith("RCPT")]
    assert len(set(senders)) == len(recipients) == 200
    assert "RSET" not in relay.said


async def test_a_refusal_is_followed_by_rset_on_the_same_connection(tmp_path):
    relay = Relay(RCPT="550 5.1.1 unknown")
    async with against(relay, tmp_path) as adapter:
        await send_one(adapter)
        relay.replies["RCPT"] = GOOD["RCPT"]
        assert isinstance(await send_one(adapter), Accepted)
    assert relay.connections == 1
    assert [line[:4] for line in relay.said] == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA", "QUIT"]


async def test_a_relay_that_limits_messages_per_connection_costs_no_retry(tmp_path):
    relay = Relay()
    relay.limit = 5
    async with against(relay, tmp_path, connections=1) as adapter:
        verdicts = await send(adapter, [parcel(n) for n in range(23)])
    assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    assert relay.connections == 5


async def test_a_rested_connection_is_proven_replaced_and_in_the_end_closed(tmp_path):
    relay, clock = Relay(), ManualClock()
    async with against(relay, tmp_path, clock) as adapter:
        about = replace(notices.notice(), deadline=clock.now() + timedelta(days=1))
        later = {"deadline": about.deadline}
        await send_one(adapter, about, **later)
        await clock.advance(PROVE_AFTER)
        assert isinstance(await send_one(adapter, about, **later), Accepted)
        assert relay.said.count("NOOP") == 1
        assert relay.connections == 1
        relay.replies["NOOP"] = "421 4.4.2 idle too long"
        await clock.advance(PROVE_AFTER)
        assert isinstance(await send_one(adapter, about, **later), Accepted)
        assert relay.connections == 2
        relay.hang_up()  # while it rests, unnoticed or not
        assert isinstance(await send_one(adapter, about, **later), Accepted)
        assert relay.connections == 3
        relay.replies["QUIT"] = "!close"
        await clock.advance(CLOSE_AFTER * 1.5)
        async with asyncio.timeout(180):
            await relay.quiet.wait()
        assert adapter.pool.resting == 0
        assert relay.said[-1] == "QUIT"


async def test_news_that_hangs_does_not_hold_up_an_emergency(tmp_path):
    relay = Relay(BODY="!hang")
    news = notices.notice(notices.alert("n1", purpose=Purpose.SERVICE))
    async with against(relay, tmp_path, connections=2, timeout=30) as adapter:
        stuck = asyncio.create_task(send(adapter, [parcel(n) for n in range(6)], news))
        await relay.struck.wait()
        relay.replies["BODY"] = GOOD["BODY"]
        async with asyncio.timeout(180):
            assert isinstance(await send_one(adapter), Accepted)
        stuck.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stuck


async def test_cancelled_in_the_middle_the_connection_is_dropped(tmp_path):
    for stage in STAGES:
        relay = Relay(**{stage: "!hang"})
        async with against(relay, tmp_path) as adapter:
            task = asyncio.create_task(send(adapter, [parcel()]))
            await relay.struck.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert adapter.pool.resting == 0


async def test_past_the_deadline_nothing_is_sent(tmp_path):
    relay = Relay()
    async with against(relay, tmp_path) as adapter:
        verdict = await send_one(adapter, deadline=datetime.now(UTC) - timedelta(seconds=1))
    assert verdict == Refused(Reason.EXPIRED)
    assert relay.connections == 0


# --- pure parts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "canonical"),
    [
        ("Anna.Rossi+alert@Example.ORG", "Anna.Rossi+alert@example.org"),
        ("  anna@example.org ", "anna@example.org"),
        ("anna@perché.example", "anna@xn--perch-fsa.example"),
        ("a@" + ".".join(["b" * 60] * 4) + ".it", "a@" + ".".join(["b" * 60] * 4) + ".it"),
        ("o'neil_x=y@sub.example.co.uk", "o'neil_x=y@sub.example.co.uk"),
    ],
)
def test_addresses_that_are_taken(address, canonical):
    assert EmailAdapter.normalize(config(), address) == canonical
    assert EmailAdapter.normalize(config(), canonical) == canonical


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "@example.org",
        "anna@",
        "anna@@example.org",
        "anna@example",
        "anna@localhost",
        "anna@127.0.0.1",
        "anna@[127.0.0.1]",
        "anna@exa_mple.org",
        "anna@-example.org",
        "anna@example..org",
        "anna@example.org.",
        "a b@example.org",
        "anna@example.org\r\nBcc: x@example.org",
        "anna\x00@example.org",
        "anna\u2028@example.org",
        "anna@example.org,bruno@example.org",
        "Anna <anna@example.org>",
        '"a b"@example.org',
        "a,b@example.org",
        "a(b)@example.org",
        ".anna@example.org",
        "anna.@example.org",
        "an..na@example.org",
        "anna%other.org@example.org",
        "other.org!anna@example.org",
        "anna;x@example.org",
        "perché@example.org",
        "a" * 65 + "@example.org",
        "a" * 60 + "@" + ".".join(["b" * 60] * 4) + ".it",
    ],
)
def test_addresses_that_are_not(address):
    with pytest.raises(ValueError) as caught:
        EmailAdapter.normalize(config(), address)
    assert address not in str(caught.value) or len(address) < 2


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"from": "nobody"}, "from"),
        ({"from": "A <a@example.org>, B <b@example.org>"}, "from"),
        ({"from": "A\r\nBcc: b@example.org <a@example.org>"}, "from"),
        ({"from": "Comune, Ufficio stampa <a@example.org>"}, "from"),
        ({"host": "relay test"}, "host"),
        ({"port": 0}, "port"),
        ({"tls": "maybe"}, "tls"),
        ({"ca_file": "/no/such/file.pem"}, "ca_file"),
        ({"username": "anna"}, ""),
        ({"username": "anna", "password": "x", "host": "relay.example.it"}, ""),
        ({"list_id": "not a domain"}, "list_id"),
        ({"return_path": "no domain"}, ""),
        ({"return_path": "b" * 60 + "@example.org"}, ""),
        ({"concurrency": 0}, "concurrency"),
        ({"connections": 0}, "connections"),
        ({"connections": 65}, "connections"),
        ({"dkim": {"domain": "example.it", "selector": "a", "key": "no key"}}, "dkim"),
        ({"dkim": {"domain": "no domain", "selector": "a", "key": PEM}}, "dkim"),
        ({"dkim": {"domain": "example.it", "selector": "a b", "key": PEM}}, "dkim"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_configurations_that_are_refused(changes, where):
    with pytest.raises(ValidationError) as caught:
        config(**changes)
    assert [str(error["loc"][0]) if error["loc"] else "" for error in caught.value.errors()] == [where]


def test_a_domain_is_worked_out_once_and_nothing_long_or_bad_is_remembered():
    settings = config()
    addresses._ascii_domain.cache_clear()
    for number in range(1_000):
        EmailAdapter.normalize(settings, f"c{number}@perché.example")
    info = addresses._ascii_domain.cache_info()
    assert (info.hits, info.misses, info.currsize) == (999, 1, 1)
    for bad in ("x" * 254, "è" * 100_000, "no domain", "a." + "\u00ad" * 300 + "it"):
        with pytest.raises(ValueError):
            addresses.normalize_domain(bad)
    assert addresses._ascii_domain.cache_info().currsize == info.currsize
    for number in range(5_000):
        addresses.normalize_domain(f"d{number}.example.org")
    assert addresses._ascii_domain.cache_info().currsize == info.maxsize == 4_096


def test_names_are_stable_and_safe():
    identity = Identity.of(config(**{"from": '"Comune, Ufficio è" <Allerta.PC@perché.example>'}))
    assert identity.author.domain == "xn--perch-fsa.example"
    assert identity.list_id == "allerta-pc.xn--perch-fsa.example"
    assert identity.message_id("it-1", 7) == "<it-1.7@xn--perch-fsa.example>"
    for odd in ("urn:oid:2.49.0.0.380", "a>b\r\n", "è", "x" * 200, "", "\ud800"):
        assert re.fullmatch(r"<h-[0-9a-f]{32}\.7@xn--perch-fsa\.example>", identity.message_id(odd, 7))
        assert identity.message_id(odd, 7) == identity.message_id(odd, 7)
    assert identity.message_id("a:1", 7) != identity.message_id("a:2", 7)
    assert (identity.bounce_local, identity.bounce_domain) == ("Allerta.PC", "xn--perch-fsa.example")


def test_rendering_is_pure_and_survives_strange_texts(tmp_path):
    adapter = EmailAdapter(config(), tools(tmp_path), None)
    strange = ["", "x" * 5000, "è" * 5000, "\n" * 50, "." * 80, "=_" * 100, "🌊" * 900, "a\u0301" * 400, "\x1b[31m"]
    for text in strange:
        about = replace(notices.notice(text=text), title=text)
        one, two = adapter.render(about), adapter.render(about)
        assert one.payload == two.payload
        assert one.preview == two.preview
        assert one.payload.shared.isascii()
        assert one.payload.shared.endswith(b"\r\n.\r\n")
        assert b"\r\n.\r\n" not in one.payload.shared[:-5]
        assert one.payload.shared[:-3].replace(b"\r\n..", b"\r\n.") == one.payload.plain
        assert max(map(len, one.payload.shared.split(b"\r\n"))) <= 998


def test_the_relay_is_the_origin(tmp_path):
    adapter = EmailAdapter(config(port=2525), tools(tmp_path), None)
    assert adapter.origin("anna@example.org") == adapter.origin("") == "127.0.0.1:2525"
    assert adapter.traits.addressed
    assert adapter.traits.idempotent
    assert adapter.traits.page_size == 1_000
    assert EmailAdapter.public_facts(config(), tmp_path) == {}
