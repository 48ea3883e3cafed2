"""Reading what was kept: alerts, tallies, deliveries, the depth of lanes."""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select, text, tuple_

from alertd.domain.alert import AlertState
from alertd.domain.delivery import WAITING, Reason, State
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.reports import DeliveryRow, LaneDepth, Tally
from alertd.storage import alerts, tally
from alertd.storage.database import Database
from alertd.storage.tables import delivery, endpoint, plan
from alertd.storage.tables import tally as tallies_table
from alertd.storage.types import instant_or_none

DEPTHS: Final = """
SELECT t.channel, t.priority, sum(t.queued + t.retrying), min(coalesce((
  SELECT d.created_at FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.endpoint_id > p.fresh
    AND d.state = 'queued' AND d.due_at = 0
  ORDER BY d.endpoint_id LIMIT 1
), (
  SELECT max(d.due_at, d.created_at) FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying') AND d.due_at > 0
  ORDER BY d.due_at, d.id LIMIT 1
)))
FROM tally t JOIN plan p ON p.alert_seq = t.alert_seq AND p.channel = t.channel
WHERE t.queued + t.retrying > 0 GROUP BY t.channel, t.priority
"""


def tallies_of(seq: int) -> Select[Any]:
    kept = tallies_table
    return (
        select(kept, plan.c.done)
        .join(plan, (plan.c.alert_seq == kept.c.alert_seq) & (plan.c.channel == kept.c.channel))
        .where(kept.c.alert_seq == seq)
        .order_by(kept.c.broadcast.desc(), kept.c.channel)
    )


def deliveries_of(
    seq: int, *, channel: str | None, state: State | None, limit: int, after: tuple[str, int] | None
) -> Select[Any]:
    """By channel and endpoint, an order the unique key has ready; `after` is the place of the last one shown."""
    query = (
        select(delivery, endpoint.c.address)
        .outerjoin(endpoint, endpoint.c.id == delivery.c.endpoint_id)
        .where(delivery.c.alert_seq == seq)
        .order_by(delivery.c.channel, delivery.c.endpoint_id)
        .limit(limit)
    )
    if channel is not None:
        query = query.where(delivery.c.channel == channel)
    if state is not None:
        query = query.where(delivery.c.state == state)
    if after is not None:
        query = query.where(tuple_(delivery.c.channel, delivery.c.endpoint_id) > after)
    return query


def tallies(conn: Connection, alert_id: str) -> Sequence[Tally]:
    """Raises NotFound."""
    return [_tally(row) for row in conn.execute(tallies_of(alerts.seq_of(conn, alert_id)))]


def deliveries(
    conn: Connection, alert_id: str, *, channel: str | None, state: State | None, limit: int, after: int
) -> Sequence[DeliveryRow]:
    """Raises NotFound. `after` is the id of the last delivery shown, 0 to begin."""
    seq = alerts.seq_of(conn, alert_id)
    place = select(delivery.c.channel, delivery.c.endpoint_id).where(delivery.c.id == after)
    last = conn.execute(place).fetchone() if after else None
    start = None if last is None else (last.channel, last.endpoint_id)
    query = deliveries_of(seq, channel=channel, state=state, limit=limit, after=start)
    return [_delivery(row) for row in conn.execute(query)]


def depths(conn: Connection) -> Sequence[LaneDepth]:
    rows = conn.execute(text(DEPTHS)).fetchall()
    return [LaneDepth(channel, priority, depth, instant_or_none(due)) for channel, priority, depth, due in rows]


def _tally(row: Row[Any]) -> Tally:
    histogram = tally.counts(row.histogram)
    values = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for it
    return Tally(
        channel=row.channel,
        adapter=row.adapter,
        broadcast=row.broadcast,
        provable=State(row.provable),
        states={state: values[state.value] for state in State},
        attempts=row.attempts,
        planned=row.done,
        first_attempt_at=row.first_attempt_at,
        last_settled_at=row.last_settled_at,
        p50_ms=tally.quantile(histogram, 0.50),
        p99_ms=tally.quantile(histogram, 0.99),
    )


def _delivery(row: Row[Any]) -> DeliveryRow:
    state = State(row.state)
    return DeliveryRow(
        id=row.id,
        channel=row.channel,
        address=row.address or "",
        language=row.language,
        state=state,
        attempts=row.attempts,
        reason=None if row.reason is None else Reason(row.reason),
        ref=row.ref,
        created_at=row.created_at,
        due_at=max(row.due_at, row.created_at) if state in WAITING else None,
        started_at=row.started_at,
        settled_at=row.settled_at,
    )


class ReportPart:
    """`ports.stores.ReportStore`, but for the audience and the audit log."""

    _db: Database

    async def find_by_identifier(self, identifier: str) -> StoredAlert:
        return await self._db.read(partial(alerts.find, identifier=identifier))

    async def list_alerts(
        self, *, limit: int, before: int | None = None, states: Sequence[AlertState] = (), public: bool = False
    ) -> Sequence[StoredAlert]:
        query = alerts.newest(limit=limit, before=before, states=states, public=public)
        return await self._db.read(partial(alerts.load, query=query))

    async def tallies(self, alert_id: str) -> Sequence[Tally]:
        return await self._db.read(partial(tallies, alert_id=alert_id))

    async def deliveries(
        self, alert_id: str, *, channel: str | None, state: State | None, limit: int, after: int
    ) -> Sequence[DeliveryRow]:
        work = partial(deliveries, alert_id=alert_id, channel=channel, state=state, limit=limit, after=after)
        return await self._db.read(work)

    async def depths(self) -> Sequence[LaneDepth]:
        return await self._db.read(depths)
