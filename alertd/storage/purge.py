"""What the retention periods end: unconfirmed endpoints, old answers, who an old delivery went to, and of other
systems' messages the documents and what still waits."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.times import micros
from alertd.ports.stores.sweep import Retention
from alertd.storage import audit, early
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.types import json_text

CHUNK: Final = 2_000
"""Rows a transaction, so that nobody waits long behind a purge."""
FEW: Final = 50
"""The same of rows that may hold a megabyte each."""

UNCONFIRMED: Final = """
SELECT id, subscriber_seq FROM endpoint WHERE state = 'unconfirmed' AND created_at < :before LIMIT :limit
"""
_REMOVE_ENDPOINT: Final = "DELETE FROM endpoint WHERE id IN (SELECT value FROM json_each(:ids))"
_REMOVE_LONELY: Final = """
DELETE FROM subscriber WHERE seq IN (SELECT value FROM json_each(:seqs))
  AND NOT EXISTS (SELECT 1 FROM endpoint e WHERE e.subscriber_seq = subscriber.seq)
"""
ANSWERS: Final = """
DELETE FROM idempotency WHERE (owner, key) IN (
  SELECT owner, key FROM idempotency WHERE created_at < :before LIMIT :limit
)
"""
DOCUMENTS: Final = """
UPDATE peer_message SET document = NULL WHERE seq IN (
  SELECT seq FROM peer_message WHERE document IS NOT NULL AND received_at < :before LIMIT :limit
)
"""
WAITING: Final = """
DELETE FROM peer_message WHERE seq IN (
  SELECT seq FROM peer_message WHERE alert_seq IS NULL AND received_at < :before LIMIT :limit
) RETURNING seq
"""
UNHEARD: Final = """
DELETE FROM peer_reference WHERE (sender, identifier, moment, by_seq) IN (
  SELECT sender, identifier, moment, by_seq FROM peer_reference WHERE received_at < :before LIMIT :limit
)
"""
OLD_ALERT: Final = """
SELECT seq FROM alert WHERE pseudonymised = 0 AND accepted_at < :before AND settled_at IS NOT NULL
ORDER BY accepted_at LIMIT 1
"""
PSEUDONYMISE: Final = """
UPDATE delivery SET endpoint_id = -id, ref = NULL, thread = NULL
WHERE id IN (SELECT id FROM delivery WHERE alert_seq = :seq AND channel = :channel AND endpoint_id > 0 LIMIT :limit)
"""
_CHANNELS: Final = "SELECT channel FROM tally WHERE alert_seq = :seq"
_PSEUDONYMISED: Final = "UPDATE alert SET pseudonymised = 1 WHERE seq = :seq"
UNUSED_SETS: Final = """
DELETE FROM zone_set WHERE NOT EXISTS (SELECT 1 FROM subscriber s WHERE s.zone_set = zone_set.id)
"""


def drop_unconfirmed(conn: Connection, before: int) -> int:
    """Endpoints whose address was never confirmed, and subscribers left without any."""
    rows = run(conn, UNCONFIRMED, {"before": before, "limit": CHUNK}).fetchall()
    if rows:
        run(conn, _REMOVE_ENDPOINT, {"ids": json_text([row[0] for row in rows])})
        run(conn, _REMOVE_LONELY, {"seqs": json_text([row[1] for row in rows])})
    return len(rows)


def drop_answers(conn: Connection, before: int) -> int:
    return run(conn, ANSWERS, {"before": before, "limit": CHUNK}).rowcount


def drop_documents(conn: Connection, before: int) -> int:
    """The bytes of what other systems posted; the name, the fingerprint and the answer stay."""
    return run(conn, DOCUMENTS, {"before": before, "limit": FEW}).rowcount


def drop_early(conn: Connection, before: int) -> int:
    """What waited in vain, and what those that were taken followed in vain."""
    terms = {"before": before, "limit": CHUNK}
    return early.forget(conn, WAITING, terms) + run(conn, UNHEARD, terms).rowcount


def pseudonymise(conn: Connection, before: int) -> int:
    """Cut the thread from a delivery to its endpoint: nothing left leads back, the receipt stays."""
    while (seq := scalar(conn, OLD_ALERT, {"before": before})) is not None:
        for (channel,) in run(conn, _CHANNELS, {"seq": seq}).fetchall():
            which = {"seq": seq, "channel": channel, "limit": CHUNK}
            if count := run(conn, PSEUDONYMISE, which).rowcount:
                return count
        run(conn, _PSEUDONYMISED, {"seq": seq})
    return 0


def _run(conn: Connection, *, step: Callable[[Connection, int], int], before: int) -> int:
    return step(conn, before)


def drop_unused_sets(conn: Connection) -> int:
    return run(conn, UNUSED_SETS).rowcount


class PurgePart:
    """The purge of `ports.stores.SweepStore`."""

    _db: Database

    async def purge(self, now: datetime, keep: Retention) -> Mapping[str, int]:
        """How many of each kind; in small transactions, so one that fails leaves the earlier ones done."""
        steps: Mapping[str, tuple[Callable[[Connection, int], int], float]] = {
            "unconfirmed": (drop_unconfirmed, keep.unconfirmed),
            "idempotency": (drop_answers, keep.idempotency),
            "pseudonymised": (pseudonymise, keep.pseudonymise),
            "documents": (drop_documents, keep.documents),
            "early": (drop_early, keep.early),
        }
        counts = dict.fromkeys(steps, 0)
        for name, (step, seconds) in steps.items():
            before = micros(now - timedelta(seconds=seconds))
            while count := await self._db.write(partial(_run, step=step, before=before)):
                counts[name] += count
        if any(counts.values()):
            await self._db.write(drop_unused_sets)
            await self._db.write(lambda conn: audit.append(conn, now, "alertd", "store.purge", "store", dict(counts)))
        return counts
