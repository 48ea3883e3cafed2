"""Handing out work: claim a page of a lane under a lease with a fencing token, extend it, put it back.

A page goes from and to SQLite as one JSON text, never row by row: each row fetched or bound is a turn of the
interpreter's lock, for which this thread would queue behind a busy event loop. One claim serves one alert; the
lane's alerts take turns by their earliest due delivery, which among first attempts (due at 0) is the oldest.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

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
) AS head, (
  SELECT d.id FROM delivery d
  WHERE d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying')
  ORDER BY d.due_at, d.id LIMIT 1
) AS first
FROM tally t JOIN alert a ON a.seq = t.alert_seq
WHERE t.channel = :channel AND t.priority = :priority AND t.queued + t.retrying > 0
  AND a.stopped = 0 AND a.deadline > :now
ORDER BY head, first LIMIT 1
"""
DUE: Final = """
SELECT
  json_group_array(json_array(id, :alert_id, language, blocks, endpoint_id, address, attempts, thread))
    FILTER (WHERE NOT gone),
  json_group_array(id),
  json_group_array(id) FILTER (WHERE gone),
  coalesce(sum(state = 'queued'), 0),
  count(*)
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


def claim(conn: Connection, channel: str, priority: int, *, limit: int, now: datetime, lease: float) -> Claim | None:
    """Lease the most pressing page of a lane. What was due to an endpoint that has gone is retired on the way."""
    at = micros(now)
    lane = {"channel": channel, "priority": priority, "now": at}
    while (found := run(conn, HEADS, lane).fetchone()) is not None:
        alert_seq, alert_id, head, _ = found
        if head is None or head > at:
            return None
        which = {"alert_seq": alert_seq, "alert_id": alert_id, "channel": channel, "now": at, "limit": limit}
        rows, *counted = run(conn, DUE, which).fetchone()
        token = _lease(conn, alert_seq, channel, _Due(*counted), at=at, until=at + round(lease * 1_000_000))
        reachable = list(map(Claimed._make, orjson.loads(rows)))
        if reachable:
            return Claim(token, reachable)
        close_if_done(conn, alert_seq, at)
    return None


@dataclass(frozen=True, slots=True)
class _Due:
    """What a claim takes: ids as JSON, all of them and those whose endpoint has gone; how many, and how many new."""

    ids: str
    lost: str
    queued: int
    count: int


def _lease(conn: Connection, alert_seq: int, channel: str, due: _Due, *, at: int, until: int) -> int:
    """Put them under a new lease; its token. Times in microseconds."""
    terms = {"alert_seq": alert_seq, "channel": channel, "now": at, "until": until, "open": due.count, "ids": due.ids}
    token = insert(conn, _LEASE, terms)
    run(conn, CLAIM, {"token": token, "ids": due.ids})
    lost = len(orjson.loads(due.lost))
    if lost:
        run(conn, UNREACHABLE, {"token": token, "ids": due.lost, "now": at})
        leases.give_back(conn, token, lost)
    moved = {State.QUEUED: -due.queued, State.RETRYING: due.queued - due.count}
    tally.move(conn, alert_seq, channel, {**moved, State.SENDING: due.count - lost, State.GONE: lost})
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
        return await self._db.read(partial(next_due, channel=channel, priority=priority), urgent=True)

    async def extend(self, token: int, *, until: datetime) -> None:
        await self._db.write(partial(extend, token=token, until=until))

    async def settle(self, outcomes: Sequence[Outcome]) -> set[int]:
        return await self._db.write(partial(settle.settle, outcomes=outcomes))

    async def release(self, token: int, delivery_ids: Sequence[int], *, due_at: datetime | None = None) -> None:
        await self._db.write(partial(release, token=token, ids=delivery_ids, due_at=due_at))
