"""The second person's decision on a draft, and the officer's "try the failed ones again"."""

from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.alert import AlertState
from alertd.domain.delivery import RETRYABLE, State
from alertd.domain.problems import Conflict, Forbidden, NotFound, Overtaken
from alertd.domain.times import micros
from alertd.storage import audit, follow, tally
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.types import instant, json_text, rfc3339

STANDING: Final = "SELECT seq, state, created_by, ends, deadline, stopped FROM alert WHERE id = :id"
_NEAREST: Final = "SELECT ancestor_seq FROM alert_ancestor WHERE alert_seq = :seq AND depth = 1"
_APPROVE: Final = "UPDATE alert SET state = 'pending', decided_by = :actor, released_at = :at WHERE seq = :seq"
_REJECT: Final = """
UPDATE alert SET state = 'rejected', decided_by = :actor, reject_reason = :reason, settled_at = :at WHERE seq = :seq
"""
_REPLACED: Final = "UPDATE alert SET followed_by = :by WHERE seq = :seq"
_LET_GO: Final = "UPDATE plan SET held = 0 WHERE alert_seq = :seq"
_DROP: Final = "UPDATE plan SET done = 1 WHERE alert_seq = :seq"

FAILED: Final = """
SELECT channel, count(*) FROM delivery
WHERE alert_seq = :seq AND state = 'failed' AND reason IN (SELECT value FROM json_each(:reasons)) GROUP BY channel
"""
REQUEUE: Final = """
UPDATE delivery SET state = 'queued', due_at = :at, settled_at = NULL
WHERE alert_seq = :seq AND state = 'failed' AND reason IN (SELECT value FROM json_each(:reasons))
"""
_REOPEN: Final = """
UPDATE alert SET state = 'active', settled_at = NULL WHERE seq = :seq AND state IN ('pending', 'complete', 'expired')
"""
_RETRYABLE: Final = json_text(sorted(RETRYABLE))


def decide(conn: Connection, alert_id: str, *, approve: bool, actor: str, at: datetime, reason: str | None) -> None:
    """Raises NotFound, Forbidden (its author), Conflict (no longer a draft, too late, or overtaken)."""
    row = run(conn, STANDING, {"id": alert_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    seq, state, created_by, ends, deadline, _ = row
    if state != AlertState.DRAFT:
        raise Conflict(f"alert {alert_id} is {state}, no longer a draft")
    if created_by == actor:
        raise Forbidden("a draft is decided by a second person, not by its author")
    if approve:
        if deadline <= micros(at):
            raise Conflict(f"alert {alert_id} expired at {rfc3339(instant(deadline))}: it cannot go out any more")
        _approve(conn, alert_id, seq, ends=ends, actor=actor, at=micros(at))
    else:
        run(conn, _REJECT, {"seq": seq, "actor": actor, "reason": reason, "at": micros(at)})
        run(conn, _DROP, {"seq": seq})
    action = "alert.approve" if approve else "alert.reject"
    audit.append(conn, at, actor, action, alert_id, {} if reason is None else {"reason": reason})


def withdraw(conn: Connection, alert_id: str, *, actor: str, at: datetime, reason: str) -> None:
    """Raises NotFound, Forbidden (not its author), Conflict (no longer a draft)."""
    row = run(conn, STANDING, {"id": alert_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    seq, state, created_by, *_ = row
    if created_by != actor:
        raise Forbidden(f"alert {alert_id} is a draft of {created_by}, not of {actor}")
    if state != AlertState.DRAFT:
        raise Conflict(f"alert {alert_id} is {state}, no longer a draft")
    run(conn, _REJECT, {"seq": seq, "actor": actor, "reason": reason, "at": micros(at)})
    run(conn, _DROP, {"seq": seq})
    audit.append(conn, at, actor, "alert.withdraw", alert_id, {"reason": reason})


def replaced(conn: Connection, alert_id: str, *, by: str, actor: str, at: datetime) -> None:
    """End a draft, of anybody's, for its words are out of date. Raises NotFound, Overtaken (no longer a draft)."""
    row = run(conn, STANDING, {"id": alert_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    seq, state, created_by, *_ = row
    if state != AlertState.DRAFT:
        raise Overtaken(f"alert {alert_id} was decided at the same time: post it again")
    reason = f"superseded by {by}"
    if created_by == actor:
        withdraw(conn, alert_id, actor=actor, at=at, reason=reason)
    else:
        decide(conn, alert_id, approve=False, actor=actor, at=at, reason=reason)
    run(conn, _REPLACED, {"seq": seq, "by": by})


def _approve(conn: Connection, alert_id: str, seq: int, *, ends: str | None, actor: str, at: int) -> None:
    nearest = scalar(conn, _NEAREST, {"seq": seq})
    if ends is not None and nearest is not None:
        follow.check_followable(conn, nearest)
        follow.end(conn, nearest, by=alert_id, state=AlertState(ends), at=at)
    run(conn, _APPROVE, {"seq": seq, "actor": actor, "at": at})
    run(conn, _LET_GO, {"seq": seq})


def requeue(conn: Connection, alert_id: str, *, actor: str, at: datetime) -> int:
    """Queue again what failed for a retryable reason. Raises NotFound, Conflict (stopped, undecided, too late)."""
    row = run(conn, STANDING, {"id": alert_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    seq, state, _, _, deadline, stopped = row
    if stopped or state in (AlertState.DRAFT, AlertState.REJECTED):
        raise Conflict(f"alert {alert_id} is {state}: nothing of it is sent any more")
    if deadline <= micros(at):
        raise Conflict(f"alert {alert_id} expired at {rfc3339(instant(deadline))}: nothing of it is sent any more")
    which = {"seq": seq, "reasons": _RETRYABLE}
    per_channel = run(conn, FAILED, which).fetchall()
    count = sum(int(n) for _, n in per_channel)
    if count:
        run(conn, REQUEUE, {**which, "at": micros(at)})
        for channel, n in per_channel:
            tally.move(conn, seq, channel, {State.FAILED: -n, State.QUEUED: n})
        run(conn, _REOPEN, {"seq": seq})
    audit.append(conn, at, actor, "alert.retry", alert_id, {"count": count})
    return count


class DecisionPart:
    """The deciding half of `ports.stores.IntakeStore`."""

    _db: Database

    async def decide(self, alert_id: str, *, approve: bool, actor: str, at: datetime, reason: str | None) -> None:
        work = partial(decide, alert_id=alert_id, approve=approve, actor=actor, at=at, reason=reason)
        await self._db.write(work, urgent=True)

    async def withdraw(self, alert_id: str, *, actor: str, at: datetime, reason: str) -> None:
        work = partial(withdraw, alert_id=alert_id, actor=actor, at=at, reason=reason)
        await self._db.write(work, urgent=True)

    async def requeue(self, alert_id: str, *, actor: str, at: datetime) -> int:
        return await self._db.write(partial(requeue, alert_id=alert_id, actor=actor, at=at))
