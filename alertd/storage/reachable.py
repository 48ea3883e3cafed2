"""Who can be reached through a channel (`ports.roster`), for adapters that prepare something for each endpoint."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.alert import Purpose
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.types import purpose_bit

COUNT: Final = "SELECT count(*) FROM endpoint WHERE channel = :channel AND state = 'active'"
ENDPOINTS: Final = """
SELECT e.id, e.address FROM endpoint e CROSS JOIN subscriber s ON s.seq = e.subscriber_seq
WHERE e.channel = :channel AND e.state = 'active' AND e.id > :after AND s.purposes & :purpose <> 0
ORDER BY e.id LIMIT :limit
"""


def count(conn: Connection, channel: str) -> int:
    return int(scalar(conn, COUNT, {"channel": channel}))


def endpoints(conn: Connection, channel: str, *, purpose: Purpose, after: int, limit: int) -> Sequence[tuple[int, str]]:
    terms = {"channel": channel, "purpose": purpose_bit(purpose), "after": after, "limit": limit}
    return run(conn, ENDPOINTS, terms).fetchall()


class ChannelRoster:
    """A `ports.roster.Roster`. Its reads are never urgent: they wait behind those of an alert."""

    def __init__(self, db: Database, channel: str) -> None:
        self._db = db
        self._channel = channel

    async def count(self) -> int:
        return await self._db.read(partial(count, channel=self._channel))

    async def endpoints(self, purpose: Purpose, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        work = partial(endpoints, channel=self._channel, purpose=purpose, after=after, limit=limit)
        return await self._db.read(work)


class ReachablePart:
    """Hands out the rosters."""

    _db: Database

    def roster(self, channel: str) -> ChannelRoster:
        return ChannelRoster(self._db, channel)
