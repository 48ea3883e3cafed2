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
from adapters.email.dkim import Signer
from adapters.email.dkim_key import read_key
from adapters.email.envelope import Stationery
from adapters.email.fleet import Fleet, Line
from adapters.email.identity import Identity
from adapters.email.loading import Loader
from adapters.email.lockstep import Lockstep
from adapters.email.pool import Pool
from adapters.email.session import Session, Unopened
from adapters.email.shipment import Shipment
from adapters.email.transactions import BdatBurst, DataBurst
from alertd.domain.delivery import State
from alertd.domain.priority import RESERVED, priority_of
from alertd.ports.adapter import Health, Message, Notice, Page, Settle, Tools, Traits


class EmailAdapter:
    """An open mail channel: one fleet of connections for emergencies, one for everything else."""

    name: ClassVar[str] = "email"
    Config: ClassVar[type[EmailConfig]] = EmailConfig

    def __init__(self, config: EmailConfig, tools: Tools, context: ssl.SSLContext | None) -> None:
        self.traits = self.traits_of(config)
        self.pool = Pool(self._session, tools.clock)
        self._config = config
        self._tools = tools
        self._context = context
        self._identity = Identity.of(config)
        self._key = read_key(config.dkim.key.get_secret_value()) if config.dkim else None
        self._fleets: dict[bool, Fleet] = {}

    @staticmethod
    def traits_of(config: EmailConfig) -> Traits:
        """Idempotent: a repeat carries the same Message-ID, by which mailboxes and relays know it again."""
        return Traits(
            addressed=True,
            provable=State.ACCEPTED,
            idempotent=True,
            formats=frozenset({"text", "html"}),
            page_size=1_000,
            rate=config.rate,
            concurrency=config.concurrency,
        )

    @property
    def fleets(self) -> tuple[Fleet, ...]:
        """The connections at work."""
        return tuple(self._fleets.values())

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
            await asyncio.gather(closing, *(fleet.close() for fleet in adapter.fleets), return_exceptions=True)
            await adapter.pool.close()

    def render(self, notice: Notice) -> Message:
        return Message(notice=notice, preview=plain(notice), payload=compose(notice, self._identity))

    def origin(self, address: str) -> str:  # noqa: ARG002 - the contract's signature
        """The relay, whatever the address: the citizen's own mail server is the relay's business."""
        return f"{self._config.host}:{self._config.port}"

    async def send(self, page: Page, settle: Settle) -> None:
        letter: Letter = page.message.payload
        shipment = Shipment(letter, settle, self._config.concurrency)
        fleet = self._fleet(priority_of(page.message.notice.alert) in RESERVED)
        stationery = Stationery(letter, self._identity)
        loader = Loader(page, shipment, stationery, self._signer(letter), self._tools, self._config.concurrency)
        with fleet.carrying(shipment):
            async with asyncio.TaskGroup() as group:
                for _ in range(loader.hands):
                    group.create_task(loader.load(fleet))
            await shipment.at_most(0)

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

    def _fleet(self, reserved: bool) -> Fleet:  # noqa: FBT001  which of the two, not a switch
        fleet = self._fleets.get(reserved)
        if fleet is None:
            connections, timeout = self._config.connections, self._config.timeout
            fleet = Fleet(self.pool, self._start, connections=connections, timeout=timeout)
            self._fleets[reserved] = fleet
        return fleet

    def _start(self, session: Session, fleet: Fleet) -> Line:
        if not session.pipelines:
            return Lockstep(session, fleet, self._config.timeout)
        burst = BdatBurst if session.chunks and self._config.chunking else DataBurst
        return burst(session, fleet, self._config.timeout)

    def _signer(self, letter: Letter) -> Signer | None:
        dkim = self._config.dkim
        if dkim is None or self._key is None:
            return None
        return Signer(self._key, domain=dkim.domain, selector=dkim.selector, letter=letter)

    async def _session(self) -> Session:
        return await Session.open(self._config, self._context, self._tools.log)


def _tls_context(config: EmailConfig) -> ssl.SSLContext | None:
    if config.tls == "none":
        return None
    context = ssl.create_default_context()
    if config.ca_file:
        context.load_verify_locations(cafile=config.ca_file)
    return context
