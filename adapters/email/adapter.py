"""The mail channel: composes a page once, addresses it to each citizen, and carries it to the relay."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from aiosmtplib import SMTPException

from adapters.email import address as addresses
from adapters.email.compose import Letter, compose, plain
from adapters.email.config import EmailConfig
from adapters.email.envelope import address_letter
from adapters.email.identity import Identity
from adapters.email.pool import Pool
from adapters.email.session import Session, Unopened
from alertd.domain.delivery import Reason, Refused, State, Verdict
from alertd.ports.adapter import Health, Message, Notice, Page, Parcel, Settle, Tools, Traits


class EmailAdapter:
    """An open mail channel. As many connections as there are parcels out: the page's gate bounds both."""

    name: ClassVar[str] = "email"
    Config: ClassVar[type[EmailConfig]] = EmailConfig

    def __init__(self, config: EmailConfig, tools: Tools, context: ssl.SSLContext | None) -> None:
        self.traits = self.traits_of(config)
        self.pool = Pool(self._session, tools.clock, config.timeout)
        self._config = config
        self._tools = tools
        self._context = context
        self._identity = Identity.of(config)

    @staticmethod
    def traits_of(config: EmailConfig) -> Traits:
        """Idempotent: a repeat carries the same Message-ID, by which mailboxes and relays know it again."""
        return Traits(
            addressed=True,
            provable=State.ACCEPTED,
            idempotent=True,
            formats=frozenset({"text", "html"}),
            page_size=500,
            rate=config.rate,
            concurrency=config.concurrency,
        )

    @staticmethod
    def normalize(config: EmailConfig, address: str) -> str:  # noqa: ARG004 - the contract's signature
        return addresses.normalize(address)

    @staticmethod
    def public_facts(config: EmailConfig, state: Path) -> Mapping[str, str]:  # noqa: ARG004 - the contract's
        return {}

    @staticmethod
    @asynccontextmanager
    async def open(channel: str, config: EmailConfig, tools: Tools) -> AsyncIterator["EmailAdapter"]:
        """Connections are made when the first message needs them, and all closed on the way out."""
        adapter = EmailAdapter(config, tools, _tls_context(config))
        closing = asyncio.create_task(adapter.pool.close_old(), name=f"{channel}: close idle connections")
        try:
            yield adapter
        finally:
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
            await adapter.pool.close()

    def render(self, notice: Notice) -> Message:
        return Message(notice=notice, preview=plain(notice), payload=compose(notice, self._identity))

    def origin(self, address: str) -> str:  # noqa: ARG002 - the contract's signature
        """The relay, whatever the address: the citizen's own mail server is the relay's business."""
        return f"{self._config.host}:{self._config.port}"

    async def send(self, page: Page, settle: Settle) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._config.concurrency):
                group.create_task(self._work(page, page.message.payload, settle))

    async def check(self) -> Health:
        """Connect, greet, encrypt, log in, leave."""
        try:
            session = await self._session()
        except Unopened as failure:
            return Health(ready=False, detail=failure.detail)
        except Exception as fault:  # noqa: BLE001 - the readiness board must not fall over a surprise
            return Health(ready=False, detail=f"the relay could not be tried ({type(fault).__name__})")
        facts = {"size_limit": session.size_limit} if session.size_limit else {}
        try:
            async with asyncio.timeout(self._config.timeout):
                await session.quit()
        except (SMTPException, OSError):
            pass  # it had let us in; how it says goodbye does not matter
        finally:
            session.abort()
        return Health(ready=True, detail=f"the relay takes our mail (tls: {self._config.tls})", facts=facts)

    async def _work(self, page: Page, letter: Letter, settle: Settle) -> None:
        while parcels := await page.take():
            for parcel in parcels:
                settle(parcel.delivery_id, await self._send_one(letter, parcel))

    async def _send_one(self, letter: Letter, parcel: Parcel) -> Verdict:
        now = self._tools.clock.now()
        if now >= parcel.deadline:
            return Refused(Reason.EXPIRED)
        url = self._tools.unsubscribe_url(parcel.endpoint_id)
        try:
            envelope = address_letter(letter, parcel, identity=self._identity, now=now, unsubscribe_url=url)
        except ValueError:
            return Refused(Reason.BAD_ADDRESS)
        return await self.pool.deliver(envelope)

    async def _session(self) -> Session:
        return await Session.open(self._config, self._context, self._tools.log)


def _tls_context(config: EmailConfig) -> ssl.SSLContext | None:
    if config.tls == "none":
        return None
    context = ssl.create_default_context()
    if config.ca_file:
        context.load_verify_locations(cafile=config.ca_file)
    return context
