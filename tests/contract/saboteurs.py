"""Adapters that break the contract on purpose, one rule each: what the suite is tested with."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from alertd.domain.delivery import Accepted
from alertd.ports.adapter import Health, Message, Notice, Page, Parcel, Settle, Tools
from alertd.sandbox.fake import FakeAdapter, FakeConfig


class _Saboteur(FakeAdapter):
    def __init__(self, config: FakeConfig, tools: Tools) -> None:
        super().__init__(config)
        self.tools = tools

    @classmethod
    @asynccontextmanager
    async def open(cls, channel: str, config: FakeConfig, tools: Tools) -> AsyncIterator["_Saboteur"]:
        yield cls(config, tools)


class SettlesTwice(_Saboteur):
    async def send(self, page: Page, settle: Settle) -> None:
        while parcels := await page.take():
            for parcel in parcels:
                settle(parcel.delivery_id, Accepted())
                settle(parcel.delivery_id, Accepted())


class ForgetsTheLast(_Saboteur):
    async def send(self, page: Page, settle: Settle) -> None:
        taken: list[Parcel] = []
        while parcels := await page.take():
            taken += parcels
        for parcel in taken[:-1]:
            settle(parcel.delivery_id, Accepted())


class SwallowsCancellation(_Saboteur):
    async def send(self, page: Page, settle: Settle) -> None:
        with suppress(asyncio.CancelledError):
            await super().send(page, settle)


class LeavesATask(_Saboteur):
    async def send(self, page: Page, settle: Settle) -> None:
        self.left = asyncio.create_task(asyncio.sleep(0.3), name="left behind")
        await super().send(page, settle)


class LogsTheAddress(_Saboteur):
    async def send(self, page: Page, settle: Settle) -> None:
        self.tools.log.warning("one fails: citizen0")
        await super().send(page, settle)


class RaisesInCheck(_Saboteur):
    async def check(self) -> Health:
        raise OSError("no network")


class CutsTheSender(_Saboteur):
    def render(self, notice: Notice) -> Message:
        return Message(notice, preview=notice.text[:1_000], payload=notice.text[:1_000])


class TakesAllAtOnce(_Saboteur):
    """Empties the gate first and sends afterwards: what was closed meanwhile still goes out."""

    async def send(self, page: Page, settle: Settle) -> None:
        for parcel in getattr(page, "_left"):  # noqa: B009
            await self._config.provider.post(parcel, page.message.payload)
        await super().send(page, settle)
