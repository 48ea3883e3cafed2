"""Rows of `alert` as StoredAlert, and finding them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from alertd.domain.alert import AlertState, Scope, Status
from alertd.domain.delivery import State
from alertd.domain.problems import NotFound
from alertd.ports.stores.intake import ChannelPlan, StoredAlert
from alertd.storage.connect import run
from alertd.storage.content import load_alert
from alertd.storage.tables import alert, alert_ancestor, tally

_HIDDEN = (AlertState.DRAFT, AlertState.REJECTED)


def by_id(alert_id: str) -> Select[Any]:
    return select(alert).where(alert.c.id == alert_id)


def by_identifier(identifier: str) -> Select[Any]:
    return select(alert).where(alert.c.identifier == identifier).order_by(alert.c.seq.desc()).limit(1)


def newest(*, limit: int, before: int | None, states: Sequence[AlertState], public: bool) -> Select[Any]:
    query = select(alert).order_by(alert.c.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(alert.c.seq < before)
    if states:
        query = query.where(alert.c.state.in_(states))
    if public:
        query = query.where(
            alert.c.status == Status.ACTUAL, alert.c.scope == Scope.PUBLIC, alert.c.state.not_in(_HIDDEN)
        )
    return query


def ancestors_of(seqs: Sequence[int]) -> Select[Any]:
    return (
        select(alert_ancestor.c.alert_seq, alert.c.id)
        .join(alert, alert.c.seq == alert_ancestor.c.ancestor_seq)
        .where(alert_ancestor.c.alert_seq.in_(seqs))
        .order_by(alert_ancestor.c.alert_seq, alert_ancestor.c.depth)
    )


def plans_of(seqs: Sequence[int]) -> Select[Any]:
    """What was planned, from the tallies: there is one for each plan, and it is kept."""
    row = tally.c
    columns = (row.alert_seq, row.channel, row.adapter, row.broadcast, row.provable, row.idempotent)
    return select(*columns).where(row.alert_seq.in_(seqs)).order_by(row.alert_seq, row.broadcast.desc(), row.channel)


def get(conn: Connection, alert_id: str) -> StoredAlert:
    """Raises NotFound."""
    return _only(conn, by_id(alert_id), f"there is no alert {alert_id}")


def find(conn: Connection, identifier: str) -> StoredAlert:
    """Raises NotFound."""
    return _only(conn, by_identifier(identifier), f"there is no alert with the identifier {identifier}")


def load(conn: Connection, query: Select[Any]) -> Sequence[StoredAlert]:
    rows = conn.execute(query).fetchall()
    seqs = [row.seq for row in rows]
    lineage, plans = _lineage(conn, seqs), _plans(conn, seqs)
    return [_stored(row, lineage[row.seq], plans[row.seq]) for row in rows]


def _lineage(conn: Connection, seqs: Sequence[int]) -> defaultdict[int, list[str]]:
    grouped: defaultdict[int, list[str]] = defaultdict(list)
    for seq, ancestor in conn.execute(ancestors_of(seqs)):
        grouped[seq].append(ancestor)
    return grouped


def _plans(conn: Connection, seqs: Sequence[int]) -> defaultdict[int, list[ChannelPlan]]:
    grouped: defaultdict[int, list[ChannelPlan]] = defaultdict(list)
    for seq, channel, adapter, broadcast, provable, idempotent in conn.execute(plans_of(seqs)):
        grouped[seq].append(ChannelPlan(channel, adapter, broadcast, State(provable), idempotent))
    return grouped


def seq_of(conn: Connection, alert_id: str) -> int:
    """Raises NotFound."""
    row = run(conn, "SELECT seq FROM alert WHERE id = :id", {"id": alert_id}).fetchone()
    if row is None:
        raise NotFound(f"there is no alert {alert_id}")
    return int(row[0])


def _only(conn: Connection, query: Select[Any], missing: str) -> StoredAlert:
    found = load(conn, query)
    if not found:
        raise NotFound(missing)
    return found[0]


def _stored(row: Row[Any], ancestors: Sequence[str], plans: Sequence[ChannelPlan]) -> StoredAlert:
    return StoredAlert(
        seq=row.seq,
        alert=load_alert(row.content),
        state=AlertState(row.state),
        priority=row.priority,
        accepted_at=row.accepted_at,
        deadline=row.deadline,
        created_by=row.created_by,
        decided_by=row.decided_by,
        reject_reason=row.reject_reason,
        settled_at=row.settled_at,
        followed_by=row.followed_by,
        ancestors=tuple(ancestors),
        plans=tuple(plans),
    )
