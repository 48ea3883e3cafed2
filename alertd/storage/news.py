"""What other systems say that sends nothing: Acks, Errors and Cancels of drafts, and what waits to follow an alert."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from alertd.domain.alert import Alert, Reference, Status
from alertd.domain.times import micros
from alertd.ports.stores.intake import Answer, Origin
from alertd.ports.stores.peers import Early, News, Remembered, Waiting
from alertd.storage import alerts, audit, early, peers
from alertd.storage.database import Database
from alertd.storage.intake import remember


def record(conn: Connection, news: News) -> Answer | None:
    """See the port."""
    at = micros(news.at)
    if news.idempotency is not None and (known := remember(conn, news.idempotency, at)) is not None:
        return known
    early.keep(conn, news.origin, alerts.seq_of(conn, news.about[0]), at)
    details = {**peers.told(news.origin), "about": list(news.about), "note": news.note}
    audit.append(conn, news.at, news.actor, f"alert.{news.origin.msg_type.lower()}", news.about[0], details)
    return None


class PeerPart:
    """`ports.stores.PeerStore`."""

    _db: Database

    async def remembered(self, names: Sequence[Reference]) -> Sequence[Remembered]:
        return await self._db.read(partial(peers.remembered, names=names), urgent=True)

    async def early(self, name: Reference, status: Status) -> Sequence[Early]:
        return await self._db.read(partial(early.early, name=name, status=status), urgent=True)

    async def said(self, seq: int) -> Alert | None:
        return await self._db.read(partial(early.said, seq=seq), urgent=True)

    async def wait(self, waiting: Waiting) -> None:
        await self._db.write(partial(early.wait, waiting=waiting), urgent=True)

    async def withheld(self, origin: Origin, why: str, at: datetime) -> None:
        def write(conn: Connection) -> None:
            details = {**peers.told(origin), "why": why}
            audit.append(conn, at, origin.owner, "alert.withheld", str(origin.name), details)

        await self._db.write(write, urgent=True)

    async def record(self, news: News) -> Answer | None:
        return await self._db.write(partial(record, news=news), urgent=True)
