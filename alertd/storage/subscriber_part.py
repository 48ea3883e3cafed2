"""`ports.stores.SubscriberStore`."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.subscriber import Subscriber
from alertd.ports.stores.subscribers import Enrolment
from alertd.storage import audit, enrol, subscribers
from alertd.storage.database import Database
from alertd.storage.roster import Entry, gather

BATCH: Final = 1_000
_EXPORT_PAGE: Final = 500


class SubscriberPart:
    """`ports.stores.SubscriberStore`, but for the census (audience.py)."""

    _db: Database
    _now: Callable[[], datetime]

    async def enrol(self, batch: Sequence[Subscriber], *, actor: str) -> Enrolment:
        entries = await asyncio.to_thread(gather, batch)
        work = partial(_enrol, entries=entries, asked=len(batch), actor=actor, at=self._now())
        return await self._db.write(work)

    async def get_subscriber(self, subscriber_id: str) -> Subscriber:
        return await self._db.read(partial(subscribers.get, subscriber_id=subscriber_id))

    async def list_subscribers(self, *, limit: int, after: int) -> tuple[Sequence[Subscriber], int | None]:
        return await self._db.read(partial(subscribers.page, limit=limit, after=after))

    async def replace(self, subscriber: Subscriber, *, actor: str) -> None:
        await self._db.write(partial(subscribers.replace, wanted=subscriber, actor=actor, at=self._now()))

    async def delete_subscriber(self, subscriber_id: str, *, actor: str) -> None:
        work = partial(subscribers.remove, subscriber_id=subscriber_id, actor=actor, at=self._now())
        await self._db.write(work)

    async def export(self) -> AsyncIterator[Subscriber]:
        """Everyone, page by page: no snapshot is held while the reader of the export takes its time."""
        after: int | None = 0
        while after is not None:
            page, after = await self.list_subscribers(limit=_EXPORT_PAGE, after=after)
            for one in page:
                yield one

    async def confirm_endpoint(self, endpoint_id: int, *, at: datetime) -> bool:
        return await self._db.write(partial(subscribers.confirm_endpoint, endpoint_id=endpoint_id, at=at))

    async def unsubscribe_endpoint(self, endpoint_id: int) -> bool:
        work = partial(subscribers.unsubscribe_endpoint, endpoint_id=endpoint_id, at=self._now())
        return await self._db.write(work)

    async def endpoint_id(self, channel: str, address: str) -> int | None:
        return await self._db.read(partial(subscribers.endpoint_id, channel=channel, address=address))

    async def officers_among(self, addresses: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        return await self._db.read(partial(subscribers.officers_among, addresses=addresses))


def _enrol(conn: Connection, *, entries: Sequence[Entry], asked: int, actor: str, at: datetime) -> Enrolment:
    done = enrol.enrol(conn, entries, asked=asked)
    details = {"created": done.created, "updated": done.updated}
    audit.append(conn, at, actor, "subscribers.enrol", f"{asked} subscribers", details)
    return done
