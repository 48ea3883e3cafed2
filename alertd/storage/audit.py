"""The audit log: a hash chain, written in the transaction of the change it records."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.audit import GENESIS, AuditEntry, chain_hash, first_break
from alertd.storage.connect import run
from alertd.storage.database import Database
from alertd.storage.types import json_text, rfc3339

HEAD: Final = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1"
PAGE: Final = """
SELECT seq, at, actor, action, subject, details, previous, hash FROM audit WHERE seq > :after ORDER BY seq LIMIT :limit
"""
_APPEND: Final = """
INSERT INTO audit (seq, at, actor, action, subject, details, previous, hash)
VALUES (:seq, :at, :actor, :action, :subject, :details, :previous, :hash)
"""
_VERIFY_PAGE: Final = 5_000


def append(
    conn: Connection, at: datetime, actor: str, action: str, subject: str, details: Mapping[str, object]
) -> None:
    """Add the next entry. The chain cannot fork: only one transaction writes at a time and it reads the head inside."""
    seq, previous = head(conn)
    text = json_text(details)
    stamp = rfc3339(at)
    digest = chain_hash(previous, seq + 1, stamp, actor, action, subject, orjson.loads(text))
    run(
        conn,
        _APPEND,
        {
            "seq": seq + 1,
            "at": stamp,
            "actor": actor,
            "action": action,
            "subject": subject,
            "details": text,
            "previous": previous,
            "hash": digest,
        },
    )


def head(conn: Connection) -> tuple[int, str]:
    """The number and hash of the newest entry; 0 and GENESIS of an empty log."""
    row = run(conn, HEAD).fetchone()
    return (row[0], row[1]) if row else (0, GENESIS)


def page(conn: Connection, *, after: int, limit: int) -> Sequence[AuditEntry]:
    rows = run(conn, PAGE, {"after": after, "limit": limit}).fetchall()
    return [AuditEntry(row[0], row[1], row[2], row[3], row[4], orjson.loads(row[5]), row[6], row[7]) for row in rows]


def verify(conn: Connection) -> tuple[int, int | None]:
    """How many entries there are, and the number of the first that breaks the chain (None: it is whole)."""
    return head(conn)[0], first_break(_entries(conn))


def _entries(conn: Connection) -> Iterator[AuditEntry]:
    after = 0
    while batch := page(conn, after=after, limit=_VERIFY_PAGE):
        yield from batch
        after = batch[-1].seq


class AuditPart:
    """The audit log's half of `ports.stores.ReportStore`."""

    _db: Database

    async def audit(self, *, after: int, limit: int) -> Sequence[AuditEntry]:
        return await self._db.read(lambda conn: page(conn, after=after, limit=limit))

    async def audit_head(self) -> tuple[int, str]:
        return await self._db.read(head)

    async def verify_audit(self) -> tuple[int, int | None]:
        """How many entries, and the first that breaks the chain (None: whole). Reads the whole log."""
        return await self._db.read(verify)
