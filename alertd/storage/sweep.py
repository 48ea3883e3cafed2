"""What time and crashes make of deliveries that nobody settles: recovered, expired, superseded."""

from collections import Counter
from datetime import datetime
from functools import partial
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.alert import Purpose
from alertd.domain.delivery import Reason, State
from alertd.domain.retry import may_repeat
from alertd.domain.times import micros
from alertd.storage import tally
from alertd.storage.completion import close_if_done
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.tally import Timing
from alertd.storage.types import instant_or_none
from alertd.storage.work_sql import ADVANCE

LEASES: Final = """
SELECT l.token, l.alert_seq, l.channel, l.claimed_at, l.first, l.last, t.idempotent, a.purpose
FROM lease l JOIN tally t ON t.alert_seq = l.alert_seq AND t.channel = l.channel JOIN alert a ON a.seq = l.alert_seq
"""
RECOVER: Final = """
UPDATE delivery SET state = :state, reason = 'interrupted', exposed = 1, attempts = attempts + 1, due_at = :now,
                    started_at = :claimed_at, settled_at = CASE WHEN :state = 'failed' THEN :now END
WHERE alert_seq = :alert_seq AND channel = :channel AND endpoint_id BETWEEN :first AND :last
  AND token = :token AND state = 'sending'
"""
_END_LEASE: Final = "DELETE FROM lease WHERE token = :token"

PAST_DEADLINE: Final = """
SELECT seq FROM alert WHERE state IN ('pending', 'active') AND deadline <= :now ORDER BY deadline
"""
_CUT: Final = "UPDATE plan SET done = 1, cut = 1 WHERE alert_seq = :seq AND done = 0"
STOPPED: Final = """
SELECT t.alert_seq FROM tally t JOIN alert a ON a.seq = t.alert_seq
WHERE t.queued + t.retrying > 0 AND a.stopped = 1 ORDER BY t.channel, t.priority
"""
"""The order is that of the small index of waiting tallies, which without statistics is not taken otherwise."""
WAITING_CHANNELS: Final = "SELECT channel FROM tally WHERE alert_seq = :seq AND queued + retrying > 0"
FRESH: Final = """
SELECT json_group_array(json_array(id, state)), max(endpoint_id) FROM (
  SELECT d.id, d.state, d.endpoint_id
  FROM plan p JOIN delivery d ON d.alert_seq = p.alert_seq AND d.channel = p.channel AND d.endpoint_id > p.fresh
  WHERE p.alert_seq = :seq AND p.channel = :channel AND d.state = 'queued' AND d.due_at = 0
  ORDER BY d.endpoint_id LIMIT :limit
)
"""
WAITING: Final = """
SELECT json_group_array(json_array(id, state)) FROM (
  SELECT id, state FROM delivery
  WHERE alert_seq = :seq AND channel = :channel AND state IN ('queued', 'retrying') AND due_at > 0
  ORDER BY due_at, id LIMIT :limit
)
"""
END: Final = """
UPDATE delivery SET state = :state, reason = :state, settled_at = :now
WHERE id IN (SELECT value FROM json_each(:ids)) AND state IN ('queued', 'retrying')
"""
AHEAD: Final = """
SELECT json_group_array(id) FROM (
  SELECT d.id FROM tally t CROSS JOIN delivery d
    ON d.alert_seq = t.alert_seq AND d.channel = t.channel AND d.state IN ('queued', 'retrying')
    AND d.due_at > 0 AND d.due_at > :latest
  WHERE t.queued + t.retrying > 0 LIMIT :limit
)
"""
PULL_BACK: Final = "UPDATE delivery SET due_at = :now WHERE id IN (SELECT value FROM json_each(:ids))"
NEXT_DEADLINE: Final = "SELECT min(deadline) FROM alert WHERE state IN ('pending', 'active') AND deadline > :now"

_CHUNK: Final = 2_000
"""Rows a transaction, so that nobody waits long behind it."""

_PROBE: Final = "UPDATE alembic_version SET version_num = version_num"


def recover(conn: Connection, now: datetime) -> int:
    """Take back, as possibly arrived, everything in flight; how many. What must not be repeated has failed."""
    at = micros(now)
    count = 0
    for token, alert_seq, channel, claimed_at, first, last, idempotent, purpose in run(conn, LEASES).fetchall():
        again = may_repeat(Reason.INTERRUPTED, idempotent=bool(idempotent), purpose=Purpose(purpose))
        state = State.RETRYING if again else State.FAILED
        where = {"alert_seq": alert_seq, "channel": channel, "first": first, "last": last}
        terms = {**where, "token": token, "now": at, "claimed_at": claimed_at, "state": state}
        lost = run(conn, RECOVER, terms).rowcount
        run(conn, _END_LEASE, {"token": token})
        if lost:
            tally.move(conn, alert_seq, channel, {State.SENDING: -lost, state: lost}, attempts=lost)
            settled = 0 if again else at
            tally.mark(conn, alert_seq, channel, Timing(first=claimed_at, last=settled, answers={}))
            close_if_done(conn, alert_seq, at)
        count += lost
    return count


def pull_back(conn: Connection, now: datetime, *, latest: datetime) -> int:
    """Make a chunk of what waits for a time after `latest` due at `now` instead; how many, 0 when none is left."""
    ids = scalar(conn, AHEAD, {"latest": micros(max(now, latest)), "limit": _CHUNK})
    return run(conn, PULL_BACK, {"ids": ids, "now": micros(now)}).rowcount


def expire(conn: Connection, now: datetime, *, limit: int) -> int:
    """End what still waits of alerts past their deadline, and their planning; how many."""
    at = micros(now)
    count = 0
    for (seq,) in run(conn, PAST_DEADLINE, {"now": at}).fetchall():
        run(conn, _CUT, {"seq": seq})
        count += _end_waiting(conn, seq, State.EXPIRED, at, limit - count)
        if count >= limit:
            break
    return count


def supersede(conn: Connection, now: datetime, *, limit: int) -> int:
    """End what still waits of alerts that were cancelled or superseded; how many."""
    at = micros(now)
    count = 0
    for seq in dict.fromkeys(row[0] for row in run(conn, STOPPED).fetchall()):
        count += _end_waiting(conn, seq, State.SUPERSEDED, at, limit - count)
        if count >= limit:
            break
    return count


def next_deadline(conn: Connection, now: datetime) -> datetime | None:
    """The nearest deadline that lies ahead."""
    return instant_or_none(scalar(conn, NEXT_DEADLINE, {"now": micros(now)}))


def probe(conn: Connection) -> None:
    """Write a page that says what it said before: it takes room in the log like any other."""
    run(conn, _PROBE)


def _end_waiting(conn: Connection, seq: int, state: State, at: int, limit: int) -> int:
    count = 0
    for (channel,) in run(conn, WAITING_CHANNELS, {"seq": seq}).fetchall():
        rows = _waiting(conn, seq, channel, limit - count)
        if not rows:
            continue
        ids = orjson.dumps([row[0] for row in rows]).decode()
        run(conn, END, {"ids": ids, "state": state, "now": at})
        moved = Counter({state: len(rows)})
        moved.subtract({State(was): n for was, n in Counter(row[1] for row in rows).items()})
        tally.move(conn, seq, channel, moved)
        count += len(rows)
    close_if_done(conn, seq, at)
    return count


def _waiting(conn: Connection, seq: int, channel: str, limit: int) -> list[tuple[int, str]]:
    """Id and state of the next that wait, the fresh ones first, which are passed: the caller ends them."""
    which = {"seq": seq, "channel": channel, "limit": limit}
    fresh, last = run(conn, FRESH, which).fetchone()
    rows: list[tuple[int, str]] = orjson.loads(fresh)
    if rows:
        run(conn, ADVANCE, {"alert_seq": seq, "channel": channel, "last": last})
    if len(rows) < limit:
        rows += orjson.loads(scalar(conn, WAITING, {**which, "limit": limit - len(rows)}))
    return rows


class SweepPart:
    """`ports.stores.SweepStore`, but for the purge."""

    _db: Database

    async def recover(self, now: datetime) -> int:
        return await self._db.write(partial(recover, now=now))

    async def rebase(self, now: datetime, *, latest: datetime) -> int:
        count = 0
        while moved := await self._db.write(partial(pull_back, now=now, latest=latest)):
            count += moved
        return count

    async def expire(self, now: datetime, *, limit: int) -> int:
        return await self._db.write(partial(expire, now=now, limit=limit))

    async def supersede(self, now: datetime, *, limit: int) -> int:
        return await self._db.write(partial(supersede, now=now, limit=limit))

    async def probe(self) -> None:
        """Raises Unavailable while the store takes no changes."""
        await self._db.write(probe)

    async def next_deadline(self, now: datetime) -> datetime | None:
        return await self._db.read(partial(next_deadline, now=now), urgent=True)
