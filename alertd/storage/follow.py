"""An alert that follows another (Update, Cancel): its lineage, and the end of the one it follows."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from alertd.domain.alert import AlertState
from alertd.domain.problems import Conflict, NotFound
from alertd.storage.completion import close_if_done
from alertd.storage.connect import run
from alertd.storage.types import json_text

_FOLLOWABLE: Final = frozenset({AlertState.PENDING, AlertState.ACTIVE, AlertState.COMPLETE, AlertState.EXPIRED})

LINEAGE: Final = """
SELECT i.key, i.value, a.seq FROM json_each(:ids) i LEFT JOIN alert a ON a.id = i.value ORDER BY i.key
"""
STANDING: Final = "SELECT id, state, followed_by FROM alert WHERE seq = :seq"
_RECORD: Final = """
INSERT INTO alert_ancestor (alert_seq, depth, ancestor_seq) SELECT :seq, key + 1, value FROM json_each(:ancestors)
"""
_END: Final = "UPDATE alert SET state = :state, followed_by = :by, stopped = 1 WHERE seq = :seq"
_STOP_PLANS: Final = "UPDATE plan SET done = 1 WHERE alert_seq = :seq"


def lineage(conn: Connection, ids: Sequence[str]) -> list[int]:
    """The numbers of those alerts, nearest first. Raises NotFound."""
    if not ids:
        return []
    rows = run(conn, LINEAGE, {"ids": json_text(list(ids))}).fetchall()
    for _, alert_id, seq in rows:
        if seq is None:
            raise NotFound(f"there is no alert {alert_id}")
    return [seq for _, _, seq in rows]


def check_followable(conn: Connection, seq: int) -> None:
    """Raises Conflict, naming the alert that already follows this one."""
    alert_id, state, followed_by = run(conn, STANDING, {"seq": seq}).fetchone()
    if followed_by is not None:
        raise Conflict(f"alert {alert_id} is already followed by alert {followed_by}: follow that one instead")
    if AlertState(state) not in _FOLLOWABLE:
        raise Conflict(f"alert {alert_id} is {state}: it cannot be updated or cancelled")


def record(conn: Connection, seq: int, ancestors: Sequence[int]) -> None:
    run(conn, _RECORD, {"seq": seq, "ancestors": json_text(list(ancestors))})


def end(conn: Connection, seq: int, *, by: str, state: AlertState, at: int) -> None:
    """Stop it: nothing more is planned or claimed, what waits is swept (`sweep.supersede`), what flies settles.

    `at` in microseconds.
    """
    run(conn, _END, {"seq": seq, "by": by, "state": state})
    run(conn, _STOP_PLANS, {"seq": seq})
    close_if_done(conn, seq, at)
