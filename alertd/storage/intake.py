"""Accepting an alert: everything it needs in one transaction, in few statements, because a caller waits."""

from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.alert import AlertState
from alertd.domain.problems import Unauthorized
from alertd.domain.times import micros
from alertd.ports.stores.intake import Answer, IdempotencyKey, NewAlert, Stored, StoredAlert
from alertd.storage import alerts, audit, decide, early, follow, peers
from alertd.storage.at_once import claim_posts
from alertd.storage.connect import insert, run, scalar
from alertd.storage.content import dump_alert
from alertd.storage.database import Database
from alertd.storage.types import json_text

_LIVE: Final = "SELECT EXISTS (SELECT 1 FROM token WHERE digest = :digest AND revoked_at IS NULL)"
_REMEMBER: Final = """
INSERT INTO idempotency (owner, key, fingerprint, body, created_at) VALUES (:owner, :key, :fingerprint, :body, :at)
ON CONFLICT DO NOTHING
"""
ANSWER: Final = "SELECT fingerprint, body FROM idempotency WHERE owner = :owner AND key = :key"
_ALERT: Final = """
INSERT INTO alert (id, identifier, sender, sent, content, status, msg_type, scope, purpose, state, priority, cohort,
                   targets, accepted_at, released_at, deadline, created_by, ends, stopped, pseudonymised)
VALUES (:id, :identifier, :sender, :sent, :content, :status, :msg_type, :scope, :purpose, :state, :priority, :cohort,
        :targets, :at, :at, :deadline, :actor, :ends, 0, 0)
"""
_PLANS: Final = """
INSERT INTO plan (alert_seq, channel, broadcast, priority, held, depth, cursor, fresh, zone_sets, done, cut)
SELECT :seq, value->>0, value->>2, :priority, :held, :depth, -1, value->>5 - 1, 0, value->>5, 0
FROM json_each(:channels)
"""
_TALLIES: Final = """
INSERT INTO tally (alert_seq, channel, adapter, broadcast, provable, idempotent, sending, priority)
SELECT :seq, value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, :priority FROM json_each(:channels)
"""


def accept(conn: Connection, new: NewAlert) -> Stored:
    """Write it all, or nothing where the key was used. Raises Unauthorized, Conflict, NotFound, Forbidden,
    Overtaken."""
    if new.on_word_of and not scalar(conn, _LIVE, {"digest": new.on_word_of}):
        raise Unauthorized("this token is not known, or was revoked")
    if new.idempotency is not None:
        known = remember(conn, new.idempotency, micros(new.accepted_at))
        if known is not None:
            return Stored(answer=known)
    ancestors = follow.lineage(conn, new.ancestors)
    heads = ancestors[: new.heads] if new.ends is not None else []
    for head in heads:
        follow.check_followable(conn, head)
    _end_drafts(conn, new)
    seq = _insert(conn, new)
    if new.origin is not None:
        early.keep(conn, new.origin, seq, micros(new.accepted_at))
    if ancestors:
        follow.record(conn, seq, ancestors)
    if new.ends is not None and new.state is not AlertState.DRAFT:
        for head in heads:
            follow.end(conn, head, by=new.alert.id, state=new.ends, at=micros(new.accepted_at))
    _insert_channels(conn, new, seq, depth=1 if heads else 0)
    claims = claim_posts(conn, new, seq) if new.at_once else {}
    audit.append(conn, new.accepted_at, new.actor, "alert.accept", new.alert.id, _details(new))
    return Stored(seq, claims=claims)


def _end_drafts(conn: Connection, new: NewAlert) -> None:
    """Whose place this takes."""
    if new.supplants is not None:
        reason = f"superseded by {new.alert.id}"
        decide.withdraw(conn, new.supplants, actor=new.actor, at=new.accepted_at, reason=reason)
    for draft in new.replaces:
        decide.replaced(conn, draft, by=new.alert.id, actor=new.actor, at=new.accepted_at)


def answer(conn: Connection, owner: str, key: str) -> Answer | None:
    row = run(conn, ANSWER, {"owner": owner, "key": key}).fetchone()
    return None if row is None else Answer(row[0], row[1])


def remember(conn: Connection, key: IdempotencyKey, at: int) -> Answer | None:
    """Keep the key with its answer; the answer it already has, where it was used."""
    inserted = run(
        conn,
        _REMEMBER,
        {"owner": key.owner, "key": key.key, "fingerprint": key.fingerprint, "body": key.body, "at": at},
    ).rowcount
    return None if inserted else answer(conn, key.owner, key.key)


def _insert(conn: Connection, new: NewAlert) -> int:
    alert = new.alert
    return insert(
        conn,
        _ALERT,
        {
            "id": alert.id,
            "identifier": alert.identifier,
            "sender": alert.sender,
            "sent": alert.sent,
            "content": dump_alert(alert),
            "status": alert.status,
            "msg_type": alert.msg_type,
            "scope": alert.scope,
            "purpose": alert.purpose,
            "state": AlertState.ACTIVE if new.at_once else new.state,
            "priority": new.priority,
            "cohort": new.cohort,
            "targets": json_text([[target.zone, target.bit, target.severity] for target in new.targets]),
            "at": micros(new.accepted_at),
            "deadline": micros(new.deadline),
            "actor": new.actor,
            "ends": new.ends,
        },
    )


def _insert_channels(conn: Connection, new: NewAlert, seq: int, *, depth: int) -> None:
    channels = json_text(
        [
            [p.channel, p.adapter, int(p.broadcast), p.provable, int(p.idempotent), int(p.channel in new.at_once)]
            for p in new.plans
        ]
    )
    common = {"seq": seq, "channels": channels, "priority": new.priority}
    held = new.state is AlertState.DRAFT
    run(conn, _PLANS, {**common, "held": held, "depth": depth})
    run(conn, _TALLIES, common)


def _details(new: NewAlert) -> dict[str, object]:
    evidence = {"evidence": list(new.evidence)} if new.evidence else {}
    return {
        **evidence,
        "identifier": new.alert.identifier,
        "sender": new.alert.sender,
        "sent": new.alert.sent,
        "status": new.alert.status,
        "msg_type": new.alert.msg_type,
        "purpose": new.alert.purpose,
        "state": new.state,
        "channels": [plan.channel for plan in new.plans],
        "ancestors": list(new.ancestors),
        **({} if new.origin is None else {"origin": peers.told(new.origin)}),
    }


class IntakePart:
    """`ports.stores.IntakeStore`."""

    _db: Database

    async def accept(self, new: NewAlert, *, meanwhile: Callable[[], None] | None = None) -> Stored:
        return await self._db.write(partial(accept, new=new), urgent=True, meanwhile=meanwhile)

    async def answer(self, owner: str, key: str) -> Answer | None:
        return await self._db.read(partial(answer, owner=owner, key=key), urgent=True)

    async def get_alert(self, alert_id: str) -> StoredAlert:
        return await self._db.read(partial(alerts.get, alert_id=alert_id), urgent=True)
