"""Handing out work: claim a page of a lane under a lease with a fencing token, extend it, put it back.

A page goes from and to SQLite as one JSON text, never row by row: each row fetched or bound is a turn of the
interpreter's lock, for which this thread would queue behind a busy event loop. One claim serves one alert; the
lane's alerts take turns by their earliest due delivery.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from alertd.domain.delivery import State
from alertd.ports.stores import Claim, Claimed, Outcome
from alertd.storage import leases, settle, tally
from alertd.storage.completion import close_if_done
from alertd.storage.connect import insert, run, scalar
from alertd.storage.database import Database
from alertd.storage.types import instant_or_none, micros, micros_or_none

HEADS: Final = """
SELECT t.alert_seq, a.id, (
  SELECT min(d.due_at) FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying')
) AS head
FROM tally t JOIN alert a ON a.seq = t.alert_seq
WHERE t.channel = :channel AND t.priority = :priority AND t.queued + t.retrying > 0
  AND a.stopped = 0 AND a.deadline > :now
ORDER BY head, t.alert_seq LIMIT 1
"""
DUE: Final = """
SELECT json_group_array(
  json_array(id, :alert_id, language, blocks, endpoint_id, address, attempts, thread, state, gone)
)
FROM (
  SELECT d.id, d.language, d.blocks, d.endpoint_id, coalesce(e.address, '') AS address, d.attempts, d.thread, d.state,
         d.endpoint_id <> 0 AND (e.id IS NULL OR e.state = 'gone') AS gone
  FROM delivery d LEFT JOIN endpoint e ON e.id = d.endpoint_id
  WHERE d.alert_seq = :alert_seq AND d.channel = :channel AND d.state IN ('queued', 'retrying') AND d.due_at <= :now
  ORDER BY d.due_at, d.id LIMIT :limit
)
"""
_LEASE: Final = """
INSERT INTO lease (alert_seq, channel, claimed_at, until, open, ids)
VALUES (:alert_seq, :channel, :now, :until, :open, :ids)
"""
CLAIM: Final = """
UPDATE delivery SET state = 'sending', token = :token
WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('queued', 'retrying')
"""
UNREACHABLE: Final = """
UPDATE delivery SET state = 'gone', reason = 'unsubscribed', settled_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND token = :token AND state = 'sending'
"""
NEXT_DUE: Final = """
SELECT min((
  SELECT min(d.due_at) FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying')
))
FROM tally t JOIN alert a ON a.seq = t.alert_seq
WHERE t.channel = :channel AND t.priority = :priority AND t.queued + t.retrying > 0 AND a.stopped = 0
"""
_EXTEND: Final = "UPDATE lease SET until = :until WHERE token = :token"
RELEASE: Final = """
UPDATE delivery SET state = 'queued', due_at = coalesce(:due_at, due_at)
WHERE id IN (SELECT value FROM json_each(:ids)) AND token = :token AND state = 'sending'
"""

_CLAIMED: Final = 8  # the first columns of DUE are a Claimed; then its state and whether its endpoint is gone


def claim(conn: Connection, channel: str, priority: int, *, limit: int, now: datetime, lease: float) -> Claim | None:
    """Lease the most pressing page of a lane. What was due to an endpoint that has gone is retired on the way."""
    at = micros(now)
    lane = {"channel": channel, "priority": priority, "now": at}
    while (found := run(conn, HEADS, lane).fetchone()) is not None:
        alert_seq, alert_id, head = found
        if head is None or head > at:
            return None
        page = {"alert_seq": alert_seq, "alert_id": alert_id, "channel": channel, "now": at, "limit": limit}
        rows = orjson.loads(scalar(conn, DUE, page))
        token = _lease(conn, alert_seq, channel, rows, now=now, until=now + timedelta(seconds=lease))
        reachable = [Claimed._make(row[:_CLAIMED]) for row in rows if not row[-1]]
        if reachable:
            return Claim(token, reachable)
        close_if_done(conn, alert_seq, at)
    return None


def _lease(
    conn: Connection, alert_seq: int, channel: str, rows: Sequence[Sequence[Any]], *, now: datetime, until: datetime
) -> int:
    ids = [row[0] for row in rows]
    lost = [row[0] for row in rows if row[-1]]
    terms = {"now": micros(now), "until": micros(until), "open": len(ids), "ids": _text(ids)}
    token = insert(conn, _LEASE, {"alert_seq": alert_seq, "channel": channel, **terms})
    run(conn, CLAIM, {"token": token, "ids": terms["ids"]})
    moved = Counter({State.SENDING: len(ids)})
    moved.subtract({State(was): count for was, count in Counter(row[-2] for row in rows).items()})
    if lost:
        run(conn, UNREACHABLE, {"token": token, "ids": _text(lost), "now": terms["now"]})
        moved.update({State.SENDING: -len(lost), State.GONE: len(lost)})
        leases.give_back(conn, token, len(lost))
    tally.move(conn, alert_seq, channel, moved)
    return token


def next_due(conn: Connection, channel: str, priority: int) -> datetime | None:
    found = scalar(conn, NEXT_DUE, {"channel": channel, "priority": priority})
    return instant_or_none(found)


def extend(conn: Connection, token: int, *, until: datetime) -> None:
    run(conn, _EXTEND, {"token": token, "until": micros(until)})


def release(conn: Connection, token: int, ids: Sequence[int], *, due_at: datetime | None) -> None:
    """Put back what is still ours; the rest is left alone."""
    lane = leases.lane_of(conn, token)
    if lane is None:
        return
    terms = {"token": token, "ids": _text(list(ids)), "due_at": micros_or_none(due_at)}
    count = run(conn, RELEASE, terms).rowcount
    tally.move(conn, *lane, {State.SENDING: -count, State.QUEUED: count})
    leases.give_back(conn, token, count)


def _text(ids: list[int]) -> str:
    return orjson.dumps(ids).decode()


class WorkPart:
    """`ports.stores.WorkStore`."""

    _db: Database

    async def claim(self, channel: str, priority: int, *, limit: int, now: datetime, lease: float) -> Claim | None:
        work = partial(claim, channel=channel, priority=priority, limit=limit, now=now, lease=lease)
        return await self._db.write(work)

    async def next_due(self, channel: str, priority: int) -> datetime | None:
        return await self._db.read(partial(next_due, channel=channel, priority=priority))

    async def extend(self, token: int, *, until: datetime) -> None:
        await self._db.write(partial(extend, token=token, until=until))

    async def settle(self, outcomes: Sequence[Outcome]) -> set[int]:
        return await self._db.write(partial(settle.settle, outcomes=outcomes))

    async def release(self, token: int, delivery_ids: Sequence[int], *, due_at: datetime | None = None) -> None:
        await self._db.write(partial(release, token=token, ids=delivery_ids, due_at=due_at))
