"""The end of an alert: everything planned, nothing pending."""

from typing import Final

from sqlalchemy import Connection

from alertd.storage.connect import run, scalar

OPEN: Final = """
SELECT EXISTS (SELECT 1 FROM plan WHERE alert_seq = :seq AND done = 0)
    OR EXISTS (SELECT 1 FROM tally WHERE alert_seq = :seq AND queued + sending + retrying > 0)
"""
_CLOSE: Final = """
UPDATE alert SET
  settled_at = :at,
  state = CASE
    WHEN state NOT IN ('pending', 'active') THEN state
    WHEN EXISTS (SELECT 1 FROM tally WHERE alert_seq = :seq AND expired > 0)
      OR EXISTS (SELECT 1 FROM plan WHERE alert_seq = :seq AND cut = 1) THEN 'expired'
    ELSE 'complete'
  END
WHERE seq = :seq AND settled_at IS NULL AND state <> 'draft'
"""
_FORGET_SELECTION: Final = "DELETE FROM selected WHERE alert_seq = :seq"


def close_if_done(conn: Connection, seq: int, at: int) -> bool:
    """Make a finished alert complete, or expired where time ran out for some; `at` in microseconds.

    One that was cancelled or superseded keeps that state, but is settled.
    """
    if scalar(conn, OPEN, {"seq": seq}):
        return False
    closed = bool(run(conn, _CLOSE, {"seq": seq, "at": at}).rowcount)
    if closed:
        run(conn, _FORGET_SELECTION, {"seq": seq})
    return closed
