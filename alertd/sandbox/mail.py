"""A mail server that keeps what it is given: RFC 5321 by aiosmtpd, with faults at connect, RCPT and DATA."""

import asyncio
import random
import ssl
import time
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from aiosmtpd.smtp import AuthResult

from alertd.sandbox.faults import NONE, Faults, Injector
from alertd.sandbox.ledger import Ledger
from alertd.sandbox.mail_session import Auth, Desk, MailSession


class MailServer:
    """Recipients are envelope addresses in lower case.

    `tls` is "none", "starttls" or "implicit"; `login` a user and password asked for, if any. A repeat is a
    Message-ID seen before for that recipient.
    """

    name = "mail"

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: str = "none",
        context: ssl.SSLContext | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._host = host
        self.port = port
        self.tls = tls
        self._context = context
        self._login = login
        self._server: asyncio.Server | None = None
        self._sessions: set[MailSession] = set()
        self.ledger = Ledger()
        self.faults = NONE

    @property
    def connections(self) -> int:
        return len(self._sessions)

    @property
    def faults(self) -> Faults:
        return self._injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._injector = Injector(faults, clock=time.monotonic, chance=random.random)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        implicit = self._context if self.tls == "implicit" else None
        self._server = await loop.create_server(self._session, self._host, self.port, ssl=implicit, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*(session.end() for session in list(self._sessions)))
            await self._server.wait_closed()

    def read(self, recipient: str) -> object:
        """The last message's headers and plain text, as a mail program shows them."""
        message = self.message(recipient)
        if message is None:
            return None
        text = message.get_body(("plain",))
        shown: dict[str, object] = dict(message.items())
        return {**shown, "text": "" if text is None else text.get_content().replace("\r\n", "\n")}

    def message(self, recipient: str) -> EmailMessage | None:
        """The last message, parsed."""
        body = self.ledger.bodies.get(recipient.lower())
        return None if body is None else message_from_bytes(body, policy=policy.default)

    def stats(self) -> dict[str, object]:
        return {**self.ledger.stats(), "connections": self.connections}

    def clear(self) -> None:
        self.ledger.clear()
        self.faults = NONE

    def _session(self) -> MailSession:
        desk = Desk(self.ledger, lambda: self._injector)
        auth = None if self._login is None else Auth(self._check_login)
        context = self._context if self.tls == "starttls" else None
        return MailSession(desk, self._sessions, context=context, auth=auth)

    def _check_login(self, user: str, password: str) -> AuthResult:
        return AuthResult(success=(user, password) == self._login, handled=False)
