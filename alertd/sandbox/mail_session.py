"""One SMTP connection, and the desk that takes its messages or spoils them."""

import asyncio
import re
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, assert_never

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from alertd.sandbox import wire
from alertd.sandbox.faults import Fault, Injector, Kind, Phase
from alertd.sandbox.ledger import Ledger

_MESSAGE_ID = re.compile(rb"^message-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)
_MAX_SIZE = 10 << 20


@dataclass(frozen=True, slots=True)
class Auth:
    """A login asked for. The loopback is trusted with the password in clear."""

    check: Callable[[str, str], AuthResult]

    def __call__(self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: Any) -> AuthResult:
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        return self.check(data.login.decode(), data.password.decode())


class MailSession(SMTP):
    """aiosmtpd's session whose answers can be spoiled; `live` holds the connections that are up."""

    def __init__(
        self, desk: "Desk", live: set["MailSession"], *, context: ssl.SSLContext | None, auth: Auth | None
    ) -> None:
        super().__init__(
            desk,
            hostname="sandbox.invalid",
            ident="alertd sandbox",
            data_size_limit=_MAX_SIZE,
            enable_SMTPUTF8=True,
            tls_context=context,
            auth_require_tls=auth is None,
            authenticator=auth,
            loop=asyncio.get_running_loop(),
        )
        self._auth_required = auth is not None  # set here: the constructor warns where TLS is not asked for
        self._desk = desk
        self._live = live
        self._greeted = False
        self.spoil: Fault | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._live.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._live.discard(self)
        super().connection_lost(error)

    async def end(self) -> None:
        """Cut the connection and wait until its task has ended."""
        if isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        task = self._handler_coroutine
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def push(self, status: str | bytes) -> None:
        """Every answer of the session goes through here: the greeting may be struck, any may be spoiled."""
        if not self._greeted:
            self._greeted = True
            status = await self._desk.greet(self, str(status))
        fault, self.spoil = self.spoil, None
        line = status.encode() if isinstance(status, str) else status
        if fault is None:
            await super().push(line)
        elif isinstance(self.transport, asyncio.Transport):
            await self._spoil(fault, self.transport, line)

    async def _spoil(self, fault: Fault, transport: asyncio.Transport, line: bytes) -> None:
        match fault.kind:
            case Kind.RESET | Kind.STREAM:
                wire.reset(transport)
            case Kind.DRIP:
                await wire.drip(transport, line + b"\r\n", fault.seconds)
            case Kind.HALF:
                wire.half(transport, line + b"\r\n")
            case Kind.STATUS | Kind.HANG | Kind.LATENCY:  # a refusal at connect ends the connection
                await super().push(line)
                transport.close()
            case _:
                assert_never(fault.kind)


class Desk:
    """aiosmtpd's handler: hooks are called by name and answer with the status line."""

    def __init__(self, ledger: Ledger, injector: Callable[[], Injector]) -> None:
        self._ledger = ledger
        self._injector = injector

    async def greet(self, session: MailSession, greeting: str) -> str:
        """The first line of the connection."""
        fault = await self._strike(session, "", Phase.CONNECT)
        if fault is None or fault.kind is not Kind.STATUS:
            return greeting
        session.spoil = fault  # a refusal at connect also closes
        return _refusal(fault, "421")

    async def handle_EHLO(  # noqa: N802
        self, _server: MailSession, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*responses[:-1], "250-PIPELINING", "250-ENHANCEDSTATUSCODES", responses[-1]]

    async def handle_RCPT(  # noqa: N802
        self, server: MailSession, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        recipient = address.lower()
        self._ledger.arrived(recipient)
        fault = await self._strike(server, recipient, Phase.RCPT)
        if fault is not None and fault.kind is Kind.STATUS:
            return self._answer(_refusal(fault, "451"))
        if recipient in self._injector().faults.gone:
            return self._answer("550 5.1.1 no such user here")
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: MailSession, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        recipients = [address.lower() for address in envelope.rcpt_tos]
        now = time.monotonic()
        fault = await self._strike(server, recipients[0], Phase.DATA, lambda: self._take(envelope, recipients, now))
        if fault is not None and fault.kind is Kind.STATUS:
            return self._answer(_refusal(fault, "451"))
        if fault is None:
            self._take(envelope, recipients, now)
        return self._answer(f"250 2.0.0 OK queued as {self._ledger.messages}")

    def _take(self, envelope: Envelope, recipients: list[str], now: float) -> None:
        content: bytes = envelope.original_content or b""
        head, _, _ = content.partition(b"\r\n\r\n")
        found = _MESSAGE_ID.search(head)
        identity = found[1] if found else content
        for recipient in recipients:
            self._ledger.took(recipient, identity, content, at=now)

    async def _strike(
        self, server: MailSession, recipient: str, phase: Phase, take: Callable[[], None] | None = None
    ) -> Fault | None:
        """Play a fault's part that comes before the answer; the session plays the rest as it answers."""
        strike = self._injector().pick(recipient, phase)
        if strike.latency:
            await asyncio.sleep(strike.latency)
        fault = strike.fault
        if fault is None:
            return None
        if take is not None and (fault.taken or fault.kind in (Kind.DRIP, Kind.HALF)):
            take()
        if fault.kind is Kind.HANG:
            await asyncio.Event().wait()
        if fault.kind is not Kind.STATUS:
            server.spoil = fault
        return fault

    def _answer(self, status: str) -> str:
        self._ledger.answered(int(status[:3]))
        return status


def _refusal(fault: Fault, usual: str) -> str:
    code = str(fault.status or usual)
    return f"{code} {fault.text or f'{code[0]}.3.0 sandbox fault'}"
