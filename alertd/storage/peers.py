"""CAP messages of other systems, under their own names: kept with what they became, found by what refers to them."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection

from alertd.domain.alert import MsgType, Reference
from alertd.domain.problems import Conflict
from alertd.ports.stores.intake import Answer, Origin
from alertd.ports.stores.peers import Remembered
from alertd.storage.connect import run
from alertd.storage.types import json_text

NEWS: Final = frozenset({MsgType.ACK, MsgType.ERROR})
"""Nothing follows these."""

_KEEP: Final = """
INSERT INTO peer_message (sender, identifier, sent, msg_type, alert_seq, fingerprint, document, answer, received_at,
                          status, owner, content)
VALUES (:sender, :identifier, :sent, :msg_type, :seq, :fingerprint, :document, :answer, :at, :status, :owner, :content)
ON CONFLICT (sender, identifier, sent) DO UPDATE SET alert_seq = excluded.alert_seq, answer = excluded.answer,
  content = NULL WHERE peer_message.alert_seq IS NULL AND excluded.alert_seq IS NOT NULL
RETURNING seq
"""
POSTED: Final = """
SELECT p.sender, p.identifier, p.sent, p.msg_type, a.id, p.fingerprint, p.answer
FROM json_each(:names) i
  CROSS JOIN peer_message p ON p.sender = i.value->>0 AND p.identifier = i.value->>1
  LEFT JOIN alert a ON a.seq = p.alert_seq
ORDER BY i.key, p.seq
"""
PUBLISHED: Final = """
SELECT a.sender, a.identifier, a.sent, a.msg_type, a.id
FROM json_each(:names) i CROSS JOIN alert a ON a.identifier = i.value->>1 AND a.sender = i.value->>0
ORDER BY i.key, a.seq
"""


def keep(conn: Connection, origin: Origin, seq: int, at: int) -> int:
    """`seq` is the alert it became or is about; `at` in microseconds. Its number. Raises Conflict where its name is
    taken, unless by itself, waiting."""
    number = put(conn, origin, at, seq=seq)
    if number is None:
        raise Conflict(f"the message {origin.name} was posted already: post it again to read its answer")
    return number


def put(conn: Connection, origin: Origin, at: int, *, seq: int | None = None, content: str | None = None) -> int | None:
    """Its number; None where there is one of that name that this may not change."""
    name = origin.name
    rows = run(
        conn,
        _KEEP,
        {
            "sender": name.sender,
            "identifier": name.identifier,
            "sent": name.sent,
            "msg_type": origin.msg_type,
            "seq": seq,
            "fingerprint": origin.fingerprint,
            "document": origin.document,
            "answer": origin.answer,
            "at": at,
            "status": origin.status,
            "owner": origin.owner,
            "content": content,
        },
    ).fetchall()
    return rows[0][0] if rows else None


def remembered(conn: Connection, names: Sequence[Reference]) -> Sequence[Remembered]:
    pairs = dict.fromkeys((name.sender, name.identifier) for name in names)
    terms = {"names": json_text([list(pair) for pair in pairs])}
    posted = [
        Remembered(Reference(*row[:3]), MsgType(row[3]), row[4], Answer(row[5], row[6]))
        for row in run(conn, POSTED, terms).fetchall()
    ]
    published = [
        Remembered(Reference(*row[:3]), MsgType(row[3]), row[4], None) for row in run(conn, PUBLISHED, terms).fetchall()
    ]
    return [*posted, *published]


def told(origin: Origin) -> dict[str, Any]:
    """What the audit log says of it."""
    return {
        "sender": origin.name.sender,
        "identifier": origin.name.identifier,
        "sent": origin.name.sent,
        "fingerprint": origin.fingerprint,
        "signed": origin.signed,
        "signature": [origin.signature, origin.signature_detail],
        "violations": [[violation.where, violation.message] for violation in origin.violations],
        **({"unheard": list(map(str, origin.unheard))} if origin.unheard else {}),
        **({"overtaken_by": str(origin.by)} if origin.by else {}),
    }
