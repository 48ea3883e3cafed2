"""The Web Push channel."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from adapters.guard import HostList
from adapters.webpush import subscription, vapid
from adapters.webpush.config import WebPushConfig
from adapters.webpush.dispatch import Dispatch, Means
from adapters.webpush.opening import opened
from adapters.webpush.request import prepare
from alertd.domain.delivery import Halt, Reason, State
from alertd.ports.adapter import Health, Message, Notice, Page, Service, Settle, Tools, Traits
from alertd.ports.clock import Clock


class WebPushAdapter:
    """Sends to browsers. Without a usable key it opens all the same, says so in `check` and halts its lane."""

    name: ClassVar[str] = "webpush"
    Config: ClassVar[type[BaseModel]] = WebPushConfig

    def __init__(
        self,
        config: WebPushConfig,
        clock: Clock,
        means: Means | vapid.KeyFault,
        sending: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`sending` is entered around each page, so that whoever prepares envelopes stands aside."""
        self._config = config
        self._clock = clock
        self._means = means
        self._sending = sending
        self._hosts = HostList(config.allow_hosts)

    @property
    def traits(self) -> Traits:
        return self.traits_of(self._config)

    def render(self, notice: Notice) -> Message:
        return prepare(notice)

    def origin(self, address: str) -> str:
        return subscription.origin_of(address)

    async def send(self, page: Page, settle: Settle) -> None:
        if isinstance(self._means, vapid.KeyFault):
            while parcels := await page.take():
                for parcel in parcels:
                    settle(parcel.delivery_id, Halt(Reason.CREDENTIALS))
            return
        with self._sending():
            await Dispatch(self._means, page, settle).run()

    async def check(self) -> Health:
        facts = {"allowed_hosts": len(self._hosts)}
        if isinstance(self._means, vapid.KeyFault):
            return Health(ready=False, detail=str(self._means), facts=facts)
        try:
            self._means.tokens.prove(self._clock.now())
        except vapid.KeyFault as fault:
            return Health(ready=False, detail=str(fault), facts=facts)
        if not len(self._hosts):
            return Health(ready=False, detail="allow_hosts is empty: no push service may be reached", facts=facts)
        return Health(ready=True, detail=f"key signs; {len(self._hosts)} push services allowed", facts=facts)

    @staticmethod
    def traits_of(config: WebPushConfig) -> Traits:
        return Traits(
            addressed=True,
            provable=State.ACCEPTED,
            idempotent=True,  # Topic at the service, the tag on the device
            page_size=2_000,
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
        tokens = await asyncio.to_thread(_tokens, config, tools)
        if isinstance(tokens, vapid.KeyFault):
            yield WebPushAdapter(config, tools.clock, tokens, nullcontext)
            return
        async with opened(config, tools, tokens) as (means, sending):
            yield WebPushAdapter(config, tools.clock, means, sending)


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
