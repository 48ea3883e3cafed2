"""A channel in memory that keeps the adapter contract, for tests of the core; it passes the contract suite."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from alertd.domain.delivery import (
    Accepted,
    Delivered,
    Gone,
    Halt,
    Hold,
    Reason,
    Refused,
    Retry,
    State,
    Verdict,
)
from alertd.ports.adapter import Health, Message, Notice, Page, Parcel, Settle, Tools, Traits
from alertd.ports.one_by_one import one_by_one
from alertd.sandbox.faults import NONE, Fault, Faults, Injector, Kind, Phase
from alertd.sandbox.ledger import Ledger

EVERYBODY = "everybody"
MAX_LENGTH = 1_000
_ANSWER_BYTES = 40  # how long the imagined answer takes to drip

Script = Callable[[Parcel], Verdict | None]


class FakeProvider:
    """What the fake sends to. `script` may decide a parcel's verdict; else `faults` do, as elsewhere."""

    name = "fake"

    def __init__(self, script: Script | None = None) -> None:
        self.ledger = Ledger()
        self.script = script
        self.parcels: list[Parcel] = []
        self.open_channels = 0
        self.faults = NONE

    @property
    def faults(self) -> Faults:
        return self._injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._injector = Injector(faults, clock=time.monotonic, chance=random.random)

    async def post(self, parcel: Parcel, text: str) -> Fault | None:
        """Take a message, or give the fault that befell it: STATUS where it was refused, else what broke."""
        recipient = parcel.address or EVERYBODY
        arrived = self.ledger.arrived(recipient)
        self.parcels.append(parcel)
        for phase in (Phase.CONNECT, Phase.DATA):
            strike = self._injector.pick(recipient, phase)
            await asyncio.sleep(strike.latency)
            if strike.fault is not None:
                return await self._struck(strike.fault, recipient, parcel, text, arrived)
        if recipient in self.faults.gone:
            return Fault(Kind.STATUS, status=410)
        self.ledger.took(recipient, parcel.key.encode(), text.encode(), at=arrived)
        return None

    async def _struck(self, fault: Fault, recipient: str, parcel: Parcel, text: str, arrived: float) -> Fault:
        if fault.taken or fault.kind in (Kind.DRIP, Kind.HALF):
            self.ledger.took(recipient, parcel.key.encode(), text.encode(), at=arrived)
        if fault.kind is Kind.HANG:
            await asyncio.Event().wait()
        if fault.kind is Kind.DRIP:
            await asyncio.sleep(_ANSWER_BYTES * fault.seconds)
        if fault.retry_after is not None:
            self.ledger.announce(fault.retry_after)
        return fault


class FakeConfig(BaseModel):
    """`timeout` in seconds; the rest becomes its Traits. `provider` is given by tests that look inside."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    addressed: bool = True
    provable: State = State.DELIVERED
    idempotent: bool = True
    page_size: int = 500
    rate: float | None = None
    concurrency: int = 32
    timeout: float = 10.0
    provider: FakeProvider = Field(default_factory=FakeProvider)


class FakeAdapter:
    """Addresses are any non-empty text without blanks."""

    name: ClassVar[str] = "fake"
    Config: ClassVar[type[BaseModel]] = FakeConfig

    def __init__(self, config: FakeConfig) -> None:
        self._config = config
        self._sent = 0

    @staticmethod
    def traits_of(config: FakeConfig) -> Traits:
        return Traits(
            addressed=config.addressed,
            provable=config.provable,
            idempotent=config.idempotent,
            max_length=MAX_LENGTH,
            page_size=config.page_size,
            rate=config.rate,
            concurrency=config.concurrency,
        )

    @staticmethod
    def normalize(config: FakeConfig, address: str) -> str:  # noqa: ARG004
        if not address or len(address.split()) != 1:
            raise ValueError("an address is one word")
        return address.strip().lower()

    @staticmethod
    def public_facts(config: FakeConfig, state: Path) -> Mapping[str, str]:  # noqa: ARG004
        return {}

    @staticmethod
    @asynccontextmanager
    async def open(channel: str, config: FakeConfig, tools: Tools) -> AsyncIterator["FakeAdapter"]:  # noqa: ARG004
        config.provider.open_channels += 1
        try:
            yield FakeAdapter(config)
        finally:
            config.provider.open_channels -= 1

    @property
    def traits(self) -> Traits:
        return self.traits_of(self._config)

    def render(self, notice: Notice) -> Message:
        text = f"{notice.text[: _room(notice)]}"
        if len(text) < len(notice.text):
            text = f"{text.rstrip()}…"
        whole = "\n".join(filter(None, (notice.title, text, notice.url)))
        return Message(notice, preview=whole, payload=whole)

    def origin(self, address: str) -> str:  # noqa: ARG002
        return "fake"

    async def send(self, page: Page, settle: Settle) -> None:
        text: str = page.message.payload

        async def send_one(parcel: Parcel) -> Verdict:
            scripted = self._config.provider.script and self._config.provider.script(parcel)
            return scripted or self._verdict(await self._config.provider.post(parcel, text))

        await one_by_one(page, settle, send_one, concurrency=self._config.concurrency, timeout=self._config.timeout)

    async def check(self) -> Health:
        return Health(ready=True, detail="in memory", facts={"sent": self._sent})

    def _verdict(self, fault: Fault | None) -> Verdict:
        if fault is None:
            self._sent += 1
            ref = f"fake-{self._sent}"
            return Delivered(ref) if self._config.provable is not State.ACCEPTED else Accepted(ref)
        if fault.phase is Phase.CONNECT:
            return Retry(Reason.CONNECT)
        if fault.kind is not Kind.STATUS:
            return Retry(Reason.BROKEN)
        return verdict_of(fault.status or 503, fault.retry_after)


_BY_STATUS: Mapping[int, Verdict] = {
    401: Halt(Reason.CREDENTIALS),
    403: Halt(Reason.CREDENTIALS),
    404: Gone(Reason.UNSUBSCRIBED),
    408: Retry(Reason.TIMEOUT),
    410: Gone(Reason.UNSUBSCRIBED),
    413: Refused(Reason.TOO_LARGE),
}


def verdict_of(status: int, retry_after: float | None) -> Verdict:
    """As HTTP providers mean their statuses (RFC 9110, section 15)."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return Retry(Reason.RATE_LIMITED, retry_after, Hold.CHANNEL)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Retry(Reason.UNAVAILABLE, retry_after)
    return _BY_STATUS.get(status, Refused(Reason.BAD_REQUEST))


def _room(notice: Notice) -> int:
    """How much of the text fits beside the title and the link, which are always kept."""
    return max(0, MAX_LENGTH - len(notice.title) - len(notice.url) - 3)
