"""What other systems say about alerts of ours (CAP Ack and Error): kept and audited, and nothing else happens."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from alertd.domain.alert import Reference
from alertd.domain.times import micros
from alertd.ports.stores.intake import Answer
from alertd.ports.stores.peers import News, Remembered
from alertd.storage import alerts, audit, peers
from alertd.storage.database import Database
from alertd.storage.intake import remember


def record(conn: Connection, news: News) -> Answer | None:
    """See the port."""
    at = micros(news.at)
    if news.idempotency is not None and (known := remember(conn, news.idempotency, at)) is not None:
        return known
    peers.keep(conn, news.origin, alerts.seq_of(conn, news.about[0]), at)
    details = {**peers.told(news.origin), "about": list(news.about), "note": news.note}
    audit.append(conn, news.at, news.actor, f"alert.{news.origin.msg_type.lower()}", news.about[0], details)
    return None


class PeerPart:
    """`ports.stores.PeerStore`."""

    _db: Database

    async def remembered(self, names: Sequence[Reference]) -> Sequence[Remembered]:
        return await self._db.read(partial(peers.remembered, names=names), urgent=True)

    async def record(self, news: News) -> Answer | None:
        return await self._db.write(partial(record, news=news), urgent=True)
