"""One open adapter before one stand-in, and what the suite does with them."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from alertd.domain.delivery import Accepted, Delivered, Retry, Verdict
from alertd.ports.adapter import Adapter, Message, Parcel, Tools
from alertd.sandbox.fake import FakeProvider
from alertd.sandbox.faults import Faults
from alertd.sandbox.provider import Provider
from alertd.sandbox.sandbox import Sandbox
from tests.contract.guests import PATIENT, Guest
from tests.support.clock import RealClock
from tests.support.notices import SERVICE, notice
from tests.support.pages import Book, ListPage

UNSUBSCRIBE = "https://allerta.comune.example.it/unsubscribe/"
CROWD = 12
_NOT_THE_ADAPTERS = ("TestRunner.", "MailSession._handle_client", "RequestHandler.", "Http2Connection.", "Opener._work")


@dataclass
class Stand:
    """`provider` is whichever stand-in the guest speaks to."""

    guest: Guest
    sandbox: Sandbox
    provider: Provider | FakeProvider
    adapter: Adapter
    logged: list[str] = field(default_factory=list)

    @property
    def crowd(self) -> int:
        """How many parcels a full page has."""
        return CROWD if self.guest.addressed else 1

    def parcels(self, count: int | None = None, **changes: Any) -> list[Parcel]:
        normalize, config = self.guest.type().normalize, self.guest.config(self.sandbox, FakeProvider())
        out = []
        for i in range(self.crowd if count is None else count):
            raw = self.guest.address(i, self.sandbox)
            fields: dict[str, Any] = {
                "delivery_id": 500 + i,
                "key": f"key-{i}",
                "endpoint_id": i + 1 if raw else 0,
                "address": normalize(config, raw) if raw else "",
                "deadline": datetime.now(UTC) + timedelta(hours=6),
            }
            out.append(Parcel(**(fields | changes)))
        return out

    def page(
        self,
        message: Message | None = None,
        parcels: Sequence[Parcel] | None = None,
        before: Callable[[ListPage, Parcel], None] | None = None,
    ) -> ListPage:
        chosen = self.parcels() if parcels is None else parcels
        return ListPage(message or self.adapter.render(notice()), chosen, before=before)

    async def send(self, page: ListPage) -> dict[int, Verdict]:
        """Send it all; every parcel taken has exactly one verdict."""
        book = Book(page)
        await self.adapter.send(page, book)
        book.assert_complete()
        return book.verdicts

    async def verdict_under(self, faults: Faults) -> Verdict:
        """Of one parcel, while these are wrong."""
        parcels = self.parcels(1)
        self.provider.faults = faults
        verdicts = await self.send(self.page(parcels=parcels))
        return verdicts[parcels[0].delivery_id]

    async def accepts_again(self) -> None:
        """Send until one goes through, as the core would: on a busy machine even a good answer can come too late.

        It also leaves a connection behind, so that a fault set next meets a message and not a handshake.
        """
        tries = 20
        while not isinstance(verdict := await self.verdict_under(Faults()), (Accepted, Delivered)):
            tries -= 1
            assert isinstance(verdict, Retry), verdict
            assert tries, "it never goes through"

    async def stop_provider(self) -> None:
        """Nobody listens any more."""
        await self.sandbox.__aexit__(None, None, None)

    async def requests(self, count: int) -> None:
        """Wait until so many have come."""
        await until(lambda: self.provider.ledger.requests >= count)


async def until(condition: Callable[[], bool], *, within: float = 60.0) -> None:
    """Wait for a real event; AssertionError where it does not come."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.005)


@asynccontextmanager
async def stand_for(guest: Guest, folder: Path, *, timeout: float = PATIENT) -> AsyncIterator[Stand]:
    """Opens the adapter; afterwards proves that nothing of it is left: no task, no connection."""
    logged: list[str] = []
    fake = FakeProvider()
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(Sandbox(folder, guest.options))
        stack.enter_context(_Listening(logged))
        before = asyncio.all_tasks()
        async with AsyncExitStack() as channel:
            tools = Tools(
                clock=RealClock(),
                log=_logger(logged),
                service=SERVICE,
                state=folder,
                unsubscribe_url=lambda endpoint_id: f"{UNSUBSCRIBE}{endpoint_id}",
            )
            config = guest.config(sandbox, fake, timeout=timeout)
            adapter = await channel.enter_async_context(guest.type().open(guest.channel, config, tools))
            provider = fake if guest.name == "fake" else _provider_of(guest, sandbox)
            yield Stand(guest, sandbox, provider, adapter, logged)
        left = [task for task in asyncio.all_tasks() - before if not _is_not_the_adapters(task)]
        assert not left, f"left behind: {left}"
        await until(lambda: sandbox.connections == 0)
        assert fake.open_channels == 0


def _provider_of(guest: Guest, sandbox: Sandbox) -> Provider:
    from alertd.sandbox.config import CHANNEL_OF

    return sandbox.providers[CHANNEL_OF[guest.channel]]


def _is_not_the_adapters(task: "asyncio.Task[Any]") -> bool:
    """The stand-ins' own tasks end by themselves a moment after their client."""
    name = getattr(task.get_coro(), "__qualname__", "")
    return task is asyncio.current_task() or name.startswith(_NOT_THE_ADAPTERS)


def _logger(into: list[str]) -> Any:
    def keep(_logger: object, method: str, event: Any) -> str:
        into.append(f"{method} {event}")
        raise structlog.DropEvent

    return structlog.wrap_logger(None, processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(0))


class _Listening:
    """Everything any library logs at INFO or worse, but for the stand-ins' own (mail.log is aiosmtpd's)."""

    def __init__(self, into: list[str]) -> None:
        self._handler = logging.Handler()
        self._handler.emit = lambda record: (  # type: ignore[method-assign]
            None
            if record.name.startswith(("mail.", "aiohttp.server", "aiohttp.access"))
            else into.append(record.getMessage())
        )

    def __enter__(self) -> None:
        root = logging.getLogger()
        self._level = root.level
        root.setLevel(logging.INFO)
        root.addHandler(self._handler)

    def __exit__(self, *exc: object) -> None:
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(self._level)
