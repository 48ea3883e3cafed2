"""How many endpoints an alert would reach: counted by zone set, so a zone is matched once and not per person."""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.alert import Purpose
from alertd.domain.subscriber import Cohort
from alertd.ports.stores.intake import Target
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.selection import RANKS, Matcher
from alertd.storage.types import purpose_bit

GROUPS: Final = """
SELECT g.language, g.min_rank, zs.zones, g.endpoints FROM (
  SELECT s.language, s.min_rank, s.zone_set, count(*) AS endpoints
  FROM endpoint e JOIN subscriber s ON s.seq = e.subscriber_seq
  WHERE e.channel = :channel AND e.state = 'active' AND s.cohort = :cohort AND s.purposes & :purpose <> 0
  GROUP BY s.language, s.min_rank, s.zone_set
) g JOIN zone_set zs ON zs.id = g.zone_set
"""
ZONE_SETS: Final = "SELECT id, zones FROM zone_set"
ANYONE: Final = """
SELECT EXISTS (
  SELECT 1 FROM json_each(:sets) x CROSS JOIN subscriber s ON s.zone_set = x.value->>0 AND s.min_rank = x.value->>1
  CROSS JOIN endpoint e ON e.subscriber_seq = s.seq
  WHERE s.cohort = :cohort AND s.purposes & :purpose <> 0 AND e.channel = :channel AND e.state = 'active'
)
"""
ZONE_CENSUS: Final = """
SELECT zs.zones, count(*) FROM subscriber s JOIN zone_set zs ON zs.id = s.zone_set GROUP BY s.zone_set
"""


def audience(
    conn: Connection, channel: str, *, cohort: Cohort, purpose: Purpose, targets: Sequence[Target]
) -> Mapping[str, int]:
    """Endpoints per language. Looks at every active endpoint of the channel once."""
    matcher = Matcher(targets)
    found: Counter[str] = Counter()
    which = {"channel": channel, "cohort": cohort, "purpose": purpose_bit(purpose)}
    for language, rank, zones, endpoints in run(conn, GROUPS, which).fetchall():
        if matcher.blocks(orjson.loads(zones), rank):
            found[language] += endpoints
    return found


def anyone(conn: Connection, channel: str, *, cohort: Cohort, purpose: Purpose, targets: Sequence[Target]) -> bool:
    """Whether there is any such endpoint: stops at the first, which `audience` cannot."""
    matcher = Matcher(targets)
    sets = [
        [set_id, rank]
        for set_id, zones in run(conn, ZONE_SETS).fetchall()
        for rank in RANKS
        if matcher.blocks(orjson.loads(zones), rank)
    ]
    which = {"channel": channel, "cohort": cohort, "purpose": purpose_bit(purpose)}
    return bool(scalar(conn, ANYONE, {**which, "sets": orjson.dumps(sets).decode()}))


def zone_census(conn: Connection) -> Mapping[str, int]:
    """Subscribers per zone code."""
    census: Counter[str] = Counter()
    for zones, subscribers in run(conn, ZONE_CENSUS).fetchall():
        for zone in orjson.loads(zones):
            census[zone] += subscribers
    return census


class AudiencePart:
    """Questions about who would be reached, of `ports.stores.ReportStore` and `SubscriberStore`."""

    _db: Database

    async def audience(
        self, channel: str, *, cohort: Cohort, purpose: Purpose, targets: Sequence[Target]
    ) -> Mapping[str, int]:
        work = partial(audience, channel=channel, cohort=cohort, purpose=purpose, targets=targets)
        return await self._db.read(work)

    async def has_audience(self, channel: str, *, cohort: Cohort, purpose: Purpose, targets: Sequence[Target]) -> bool:
        """Whether `audience` would count anyone; quick enough to ask before every acceptance."""
        work = partial(anyone, channel=channel, cohort=cohort, purpose=purpose, targets=targets)
        return await self._db.read(work, urgent=True)

    async def zone_census(self) -> Mapping[str, int]:
        return await self._db.read(zone_census)
