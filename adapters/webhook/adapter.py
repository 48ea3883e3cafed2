"""The webhook channel."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from pydantic import BaseModel
from yarl import URL

from adapters.exchange import Reply, open_session, post, tls_context
from adapters.guard import Blocked, GuardedResolver, Permit, guarded_connector, only_listed, public_or_listed
from adapters.webhook.body import body_of
from adapters.webhook.config import WebhookConfig
from adapters.webhook.signature import Signer, secret_bytes, signed_headers
from adapters.webhook.status import verdict_of
from alertd.domain.delivery import Reason, Refused, State, Verdict
from alertd.ports.adapter import Health, Message, Notice, Page, Parcel, Settle, Tools, Traits
from alertd.ports.clock import Clock

CONCURRENCY = 4


class WebhookAdapter:
    """Posts to one address. `webhook-id` is the parcel's key, the same for every attempt: a receiver that keeps
    the ids it has seen acts once."""

    name: ClassVar[str] = "webhook"
    Config: ClassVar[type[BaseModel]] = WebhookConfig

    def __init__(
        self, config: WebhookConfig, clock: Clock, session: aiohttp.ClientSession, resolver: AbstractResolver
    ) -> None:
        self._timeout = config.timeout
        self._url = URL(config.url)
        self._signer = Signer(secret_bytes(config.secret))
        self._clock = clock
        self._session = session
        self._resolver = resolver

    @property
    def traits(self) -> Traits:
        return _TRAITS

    def render(self, notice: Notice) -> Message:
        return Message(notice, preview=f"{notice.title}\n{notice.text}", payload=body_of(notice))

    def origin(self, address: str) -> str:  # noqa: ARG002 - all goes to one place
        return f"{self._url.raw_host}:{self._url.port}"

    async def send(self, page: Page, settle: Settle) -> None:
        """An alert has one parcel here: workers and their timers would cost more than the request they wait for."""
        body = page.message.payload
        while parcels := await page.take(CONCURRENCY):
            if len(parcels) == 1:
                settle(parcels[0].delivery_id, await self._send_one(body, parcels[0]))
                continue
            async with asyncio.TaskGroup() as group:
                for parcel in parcels:
                    group.create_task(self._settled(body, parcel, settle))

    async def _settled(self, body: bytes, parcel: Parcel, settle: Settle) -> None:
        settle(parcel.delivery_id, await self._send_one(body, parcel))

    async def check(self) -> Health:
        """Whether the address can be found and may be reached; the secret proves itself only by sending."""
        host, port = self._url.raw_host or "", self._url.port or 443
        try:
            async with asyncio.timeout(self._timeout):
                await self._resolver.resolve(host, port)
        except Blocked:
            return Health(ready=False, detail=f"{host} is a private address that allow_private does not list")
        except TimeoutError:
            return Health(ready=False, detail=f"looking up {host} took longer than {self._timeout:g} s")
        except (OSError, ValueError):
            return Health(ready=False, detail=f"{host} cannot be resolved")
        return Health(ready=True, detail=f"{host} resolves and may be reached")

    async def _send_one(self, body: bytes, parcel: Parcel) -> Verdict:
        now = self._clock.now()
        remaining = (parcel.deadline - now).total_seconds()
        if remaining <= 0:
            return Refused(Reason.EXPIRED)
        headers = signed_headers(self._signer, message_id=parcel.key, now=now, body=body)
        reply = await post(
            self._session,
            self._url,
            body=body,
            headers={"Content-Type": "application/json", **headers},
            within=min(self._timeout, remaining),
        )
        return verdict_of(reply, self._clock.now()) if isinstance(reply, Reply) else reply

    @staticmethod
    def traits_of(config: WebhookConfig) -> Traits:  # noqa: ARG004
        return _TRAITS

    @staticmethod
    def normalize(config: WebhookConfig, address: str) -> str:  # noqa: ARG004
        raise ValueError("a webhook is a broadcast channel: it has no subscribers' addresses")

    @staticmethod
    def public_facts(config: WebhookConfig, state: Path) -> Mapping[str, str]:  # noqa: ARG004
        return {}

    @staticmethod
    @asynccontextmanager
    async def open(
        channel: str,  # noqa: ARG004
        config: WebhookConfig,
        tools: Tools,
    ) -> AsyncIterator["WebhookAdapter"]:
        tls = await asyncio.to_thread(tls_context, config.ca_file)
        permit = _permit(config)
        resolver = GuardedResolver(permit, ThreadedResolver())
        async with open_session(guarded_connector(permit, tls)) as session:
            yield WebhookAdapter(config, tools.clock, session, resolver)


_TRAITS = Traits(
    addressed=False,
    provable=State.ACCEPTED,
    idempotent=True,  # webhook-id
    formats=frozenset({"json"}),
    page_size=16,
    concurrency=CONCURRENCY,
)


def _permit(config: WebhookConfig) -> Permit:
    """What is not encrypted stays inside the networks the operator named."""
    rule = public_or_listed if URL(config.url).scheme == "https" else only_listed
    return rule(config.allow_private)
