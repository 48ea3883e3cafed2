"""The Web Push channel."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

import aiohttp
from pydantic import BaseModel
from yarl import URL

from adapters.exchange import Reply, open_session, post, tls_context
from adapters.guard import HostList, guarded_connector, public_or_listed
from adapters.webpush import subscription, vapid
from adapters.webpush.config import WebPushConfig
from adapters.webpush.encryption import BadKeys, Sealer
from adapters.webpush.request import Prepared, prepare, time_to_live
from adapters.webpush.standing import PATIENCE, Standing
from adapters.webpush.status import verdict_of
from alertd.domain.delivery import Halt, Reason, Refused, State, Verdict
from alertd.ports.adapter import Health, Message, Notice, Page, Parcel, Service, Settle, Tools, Traits
from alertd.ports.clock import Clock
from alertd.ports.one_by_one import one_by_one


class WebPushAdapter:
    """Sends to browsers. Without a usable key it opens all the same, says so in `check` and halts its lane."""

    name: ClassVar[str] = "webpush"
    Config: ClassVar[type[BaseModel]] = WebPushConfig

    def __init__(
        self,
        config: WebPushConfig,
        clock: Clock,
        session: aiohttp.ClientSession,
        sealer: Sealer,
        tokens: vapid.Tokens | vapid.KeyFault,
    ) -> None:
        self._config = config
        self._clock = clock
        self._session = session
        self._sealer = sealer
        self._tokens = tokens
        self._hosts = HostList(config.allow_hosts)
        self._standing = Standing()

    @property
    def traits(self) -> Traits:
        return self.traits_of(self._config)

    def render(self, notice: Notice) -> Message:
        return prepare(notice)

    def origin(self, address: str) -> str:
        return subscription.origin_of(address)

    async def send(self, page: Page, settle: Settle) -> None:
        prepared: Prepared = page.message.payload
        # `post` keeps the time of the exchange; this only bounds what surrounds it.
        bound = self._config.timeout + PATIENCE + 5
        send_one = partial(self._send_one, prepared)
        await one_by_one(page, settle, send_one, concurrency=self._config.concurrency, timeout=bound)

    async def check(self) -> Health:
        facts = {"allowed_hosts": len(self._hosts)}
        if isinstance(self._tokens, vapid.KeyFault):
            return Health(ready=False, detail=str(self._tokens), facts=facts)
        try:
            self._tokens.prove(self._clock.now())
        except vapid.KeyFault as fault:
            return Health(ready=False, detail=str(fault), facts=facts)
        if not len(self._hosts):
            return Health(ready=False, detail="allow_hosts is empty: no push service may be reached", facts=facts)
        return Health(ready=True, detail=f"key signs; {len(self._hosts)} push services allowed", facts=facts)

    async def _send_one(self, prepared: Prepared, parcel: Parcel) -> Verdict:
        if isinstance(self._tokens, vapid.KeyFault):
            return Halt(Reason.CREDENTIALS)
        try:
            target = subscription.read(parcel.address)
        except ValueError:
            return Refused(Reason.BAD_ADDRESS)
        if not self._hosts.allows(target.origin):
            return Refused(Reason.BLOCKED)
        with self._standing.flight():
            try:
                body = await self._sealer.seal(prepared.plaintext, target.keys)
            except BadKeys:
                return Refused(Reason.BAD_ADDRESS)
            return await self._exchange(self._tokens, prepared, parcel, target, body)

    async def _exchange(
        self,
        tokens: vapid.Tokens,
        prepared: Prepared,
        parcel: Parcel,
        target: subscription.Subscription,
        body: bytes,
    ) -> Verdict:
        now = self._clock.now()
        remaining = (parcel.deadline - now).total_seconds()
        if remaining <= 0:
            return Refused(Reason.EXPIRED)
        reply = await post(
            self._session,
            URL(target.endpoint, encoded=True),
            body=body,
            headers=prepared.headers_for(
                authorization=tokens.header(target.audience, now), ttl=time_to_live(parcel.deadline, now)
            ),
            within=min(self._config.timeout, remaining),
        )
        if isinstance(reply, Reply):
            return await self._standing.weigh(verdict_of(reply, self._clock.now()))
        return reply

    @staticmethod
    def traits_of(config: WebPushConfig) -> Traits:
        return Traits(
            addressed=True,
            provable=State.ACCEPTED,
            idempotent=True,  # Topic at the service, the tag on the device
            page_size=1_000,
            rate=config.rate,
            concurrency=config.concurrency,
        )

    @staticmethod
    def normalize(config: WebPushConfig, address: str) -> str:
        return subscription.normalize(address, HostList(config.allow_hosts))

    @staticmethod
    def public_facts(config: WebPushConfig, state: Path) -> Mapping[str, str]:  # noqa: ARG004
        """`applicationServerKey`; the key is made where there is none. KeyFault (a ValueError)."""
        return {"applicationServerKey": vapid.public_key(vapid.load_or_make(state))}

    @staticmethod
    @asynccontextmanager
    async def open(
        channel: str,  # noqa: ARG004
        config: WebPushConfig,
        tools: Tools,
    ) -> AsyncIterator["WebPushAdapter"]:
        tls = await asyncio.to_thread(tls_context, config.ca_file)
        tokens = await asyncio.to_thread(_tokens, config, tools)
        sealer = Sealer()
        try:
            async with open_session(guarded_connector(public_or_listed(config.allow_private), tls)) as session:
                yield WebPushAdapter(config, tools.clock, session, sealer, tokens)
        finally:
            sealer.close()


def _tokens(config: WebPushConfig, tools: Tools) -> vapid.Tokens | vapid.KeyFault:
    try:
        key = vapid.load_or_make(tools.state)
    except vapid.KeyFault as fault:
        return fault
    return vapid.Tokens(key, config.contact or _contact_of(tools.service))


def _contact_of(service: Service) -> str:
    """RFC 8292 leaves the contact out at will, but not every push service does."""
    if "@" in service.sender:
        return f"mailto:{service.sender}"
    return service.public_url if service.public_url.startswith("https://") else ""
