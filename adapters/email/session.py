"""One connection to the relay: opened, proven, and used for many messages one after the other.

It uses aiosmtplib's dialogue for everything but the message itself, which is written as the ready bytes it is
(aiosmtplib would go over them twice more), so that a loss before and after the closing dot can be told apart. Where the
relay offers PIPELINING the connection is lent, between two such dialogues, to a burst (see burst.py).
"""

import asyncio
import socket
import ssl
from typing import Self, cast

from aiosmtplib import SMTP, SMTPException, SMTPResponseException, SMTPServerDisconnected
from structlog.typing import FilteringBoundLogger

from adapters.email.config import EmailConfig
from adapters.email.envelope import Envelope
from adapters.email.verdicts import CLOSING, GO_ON, Stage, enhanced, of_fault, of_reply
from alertd.domain.delivery import Accepted, Halt, Reason, Verdict


class Unopened(Exception):
    """No session could be had. Nothing was sent; no address and no secret is in `detail`."""

    def __init__(self, verdict: Verdict, detail: str) -> None:
        super().__init__(detail)
        self.verdict = verdict
        self.detail = detail


class Session:
    """`stage` is how far the message in hand has come; `idle_since` belongs to the pool.

    `used`: it has carried a message, or rested; then a relay that hangs up before it hears of the next one may have
    done so for that reason alone. `must_reset`: a transaction was left open, so RSET comes before the next.
    """

    def __init__(self, client: SMTP, log: FilteringBoundLogger) -> None:
        self.stage = Stage.MAIL
        self.idle_since = 0.0
        self.used = False
        self.must_reset = False
        self._client = client
        self._log = log

    @classmethod
    async def open(cls, config: EmailConfig, context: ssl.SSLContext | None, log: FilteringBoundLogger) -> Self:
        """Connect, greet, encrypt, log in: within `config.timeout` seconds, or Unopened."""
        client = SMTP(
            hostname=config.host,
            port=config.port,
            timeout=None,
            use_tls=config.tls == "implicit",
            start_tls=False,
            tls_context=context,
            local_hostname=_own_name(config),
        )
        opening = _Opening(client, config)
        try:
            async with asyncio.timeout(config.timeout):
                await opening.run()
        except SMTPResponseException as refusal:
            _abort(client)
            raise opening.refused(refusal) from None
        except (SMTPException, OSError) as fault:
            _abort(client)
            raise opening.failed(fault) from fault
        except BaseException:
            _abort(client)
            raise
        return cls(client, log)

    @property
    def alive(self) -> bool:
        return self._client.is_connected

    @property
    def size_limit(self) -> int:
        """The largest message the relay takes, in octets; 0 where it does not say (RFC 1870)."""
        words = self._client.esmtp_extensions.get("size", "").split()
        return int(words[0]) if words and words[0].isdigit() else 0

    @property
    def pipelines(self) -> bool:
        """Whether commands may be sent ahead of their replies (RFC 2920)."""
        return self._client.supports_extension("pipelining")

    @property
    def chunks(self) -> bool:
        """Whether content may be sent by BDAT (RFC 3030)."""
        return self._client.supports_extension("chunking")

    def lend(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Let this protocol hear what the relay says, until `take_back` or `abort`."""
        transport = cast("asyncio.Transport", self._client.transport)
        transport.set_protocol(protocol)
        return transport

    def take_back(self) -> None:
        """Nothing is under way: what the relay says now is heard here again."""
        transport, protocol = self._client.transport, self._client.protocol
        if transport is not None and protocol is not None:
            cast("asyncio.Transport", transport).set_protocol(protocol)

    async def deliver(self, envelope: Envelope, shared: bytes) -> Verdict:
        """One mail transaction. Raises SMTPException or OSError where it breaks off; `stage` says where."""
        self.stage = Stage.MAIL
        if self.must_reset:
            await self._client.execute_command(b"RSET", timeout=None)
            self.must_reset = False
        for stage, command in (
            (Stage.MAIL, b"MAIL FROM:<%b>" % envelope.sender),
            (Stage.RCPT, b"RCPT TO:<%b>" % envelope.recipient),
            (Stage.DATA, b"DATA"),
        ):
            self.stage = stage
            code, text = await self._client.execute_command(command, timeout=None)
            if not (code == GO_ON if stage is Stage.DATA else 200 <= code <= 299):  # noqa: PLR2004
                self.must_reset = True
                return self._refused(code, text)
        self.stage = Stage.BODY
        code, text = await self._write(envelope.head + shared)
        return Accepted(envelope.ref) if 200 <= code <= 299 else self._refused(code, text)  # noqa: PLR2004

    def refused(self, stage: Stage, code: int, text: str) -> Verdict:
        """The verdict on a refusal; said in the log where it is about us."""
        verdict = of_reply(stage, code, text)
        if isinstance(verdict, Halt):
            self._log.warning("the relay refuses our mail", stage=stage, reply=code, status=enhanced(text))
        return verdict

    async def prove(self) -> None:
        """Ask whether the relay is still there. Raises SMTPException or OSError where it is not."""
        self.stage = Stage.MAIL
        await self._client.noop(timeout=None)

    async def quit(self) -> None:
        """Take leave. Raises SMTPException or OSError where the relay does not answer."""
        await self._client.quit(timeout=None)

    def abort(self) -> None:
        """Drop the connection at once."""
        _abort(self._client)

    async def _write(self, content: bytes) -> tuple[int, str]:
        protocol = self._client.protocol
        if protocol is None:
            raise SMTPServerDisconnected("connection lost")
        protocol.write(content)
        reply = await protocol.read_response()
        if reply.code == CLOSING:
            self._client.close()
        return reply

    def _refused(self, code: int, text: str) -> Verdict:
        if not 400 <= code <= 599:  # noqa: PLR2004 - neither the answer nor a refusal: out of step, never use it again
            self.abort()
        return self.refused(self.stage, code, text)


class _Opening:
    """The steps up to a usable session, and the words for where they ended."""

    def __init__(self, client: SMTP, config: EmailConfig) -> None:
        self._client = client
        self._config = config
        self._stage = Stage.GREETING

    async def run(self) -> None:
        await self._client.connect()
        self._stage = Stage.HELLO
        await self._client.ehlo()
        if self._config.tls == "starttls":
            self._stage = Stage.STARTTLS
            if not self._client.supports_extension("starttls"):
                raise Unopened(Halt(Reason.POLICY), "the relay does not offer STARTTLS, which tls asks for")
            await self._client.starttls(timeout=None)
            await self._client.ehlo()
        if self._config.password is not None:
            self._stage = Stage.LOGIN
            if not self._client.supported_auth_methods:
                raise Unopened(Halt(Reason.CREDENTIALS), "the relay offers no way to log in that we know")
            password = self._config.password.get_secret_value()
            await self._client.login(self._config.username.encode(), password.encode())

    def refused(self, refusal: SMTPResponseException) -> Unopened:
        verdict = of_reply(self._stage, refusal.code, refusal.message)
        return Unopened(verdict, f"the relay answered {refusal.code} to our {self._stage}")

    def failed(self, fault: Exception) -> Unopened:
        verdict = of_fault(self._stage, fault)
        if isinstance(verdict, Halt):
            return Unopened(verdict, "the relay's certificate does not verify")
        how = "no answer in time" if isinstance(fault, TimeoutError) else "no connection, or it was lost"
        return Unopened(verdict, f"{how} (at our {self._stage})")


def _own_name(config: EmailConfig) -> str:
    """What to call ourselves in EHLO: the host's full name if it has one, else the domain of `from`.

    Not getfqdn(): it asks the resolver, which may be slow on the day.
    """
    name = socket.gethostname()
    return name if "." in name and name.isascii() else config.author[1].partition("@")[2]


def _abort(client: SMTP) -> None:
    transport = client.transport
    client.close()
    if transport is not None:
        cast("asyncio.WriteTransport", transport).abort()
