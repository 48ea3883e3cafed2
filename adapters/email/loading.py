"""Takes the parcels of a page, batch by batch, addresses them and puts them before the fleet."""

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime

from adapters.email.dkim import Signer
from adapters.email.envelope import Envelope, Stationery
from adapters.email.fleet import Fleet
from adapters.email.shipment import Item, Shipment
from alertd.domain.delivery import Reason, Refused
from alertd.ports.adapter import Page, Parcel, Tools


class Loader:
    """`most`: parcels out at once. `signer`: None where mail is not signed here."""

    def __init__(
        self, page: Page, shipment: Shipment, stationery: Stationery, signer: Signer | None, tools: Tools, most: int
    ) -> None:
        self._page = page
        self._shipment = shipment
        self._stationery = stationery
        self._signer = signer
        self._tools = tools
        self._most = most
        self._clock = asyncio.get_running_loop().time

    async def load(self, fleet: Fleet) -> None:
        """Until the page hands out no more."""
        while True:
            room = await fleet.room(self._shipment, self._most)
            parcels = await self._page.take(room)
            if not parcels:
                return
            self._shipment.outstanding += len(parcels)
            items = self._items(parcels)
            if self._signer is not None:
                await self._sign(self._signer, items)
            fleet.put(items)

    @property
    def hands(self) -> int:
        """How many may load at once: signing keeps every core busy."""
        return 1 if self._signer is None else len(os.sched_getaffinity(0))

    def _items(self, parcels: Sequence[Parcel]) -> list[Item]:
        """Those that may go; the others are settled here."""
        now, since = self._tools.clock.now(), self._clock()
        items = []
        deadline: datetime | None = None
        expires = since
        for parcel in parcels:
            if parcel.deadline is not deadline:
                deadline = parcel.deadline
                expires = since + (deadline - now).total_seconds()
            if expires <= since:
                self._shipment.settled(parcel.delivery_id, Refused(Reason.EXPIRED))
                continue
            try:
                url = self._tools.unsubscribe_url(parcel.endpoint_id)
                envelope = self._stationery.address(parcel, now=now, unsubscribe_url=url)
            except ValueError:
                self._shipment.settled(parcel.delivery_id, Refused(Reason.BAD_ADDRESS))
                continue
            items.append(Item(self._shipment, parcel.delivery_id, envelope, since, expires))
        return items

    async def _sign(self, signer: Signer, items: list[Item]) -> None:
        at = int(self._tools.clock.now().timestamp())
        signed = await asyncio.to_thread(_sign_all, signer, [item.envelope for item in items], at)
        for item, envelope in zip(items, signed, strict=True):
            item.envelope = envelope


def _sign_all(signer: Signer, envelopes: list[Envelope], at: int) -> list[Envelope]:
    return [signer.sign(envelope, at) for envelope in envelopes]
