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

_KEEP: Final = """
INSERT INTO peer_message (sender, identifier, sent, msg_type, alert_seq, fingerprint, document, answer, received_at)
VALUES (:sender, :identifier, :sent, :msg_type, :seq, :fingerprint, :document, :answer, :at)
ON CONFLICT DO NOTHING
"""
POSTED: Final = """
SELECT p.sender, p.identifier, p.sent, p.msg_type, a.id, p.fingerprint, p.answer
FROM json_each(:names) i
  CROSS JOIN peer_message p ON p.sender = i.value->>0 AND p.identifier = i.value->>1
  JOIN alert a ON a.seq = p.alert_seq
ORDER BY i.key, p.seq
"""
PUBLISHED: Final = """
SELECT a.sender, a.identifier, a.sent, a.msg_type, a.id
FROM json_each(:names) i CROSS JOIN alert a ON a.identifier = i.value->>1 AND a.sender = i.value->>0
ORDER BY i.key, a.seq
"""


def keep(conn: Connection, origin: Origin, seq: int, at: int) -> None:
    """`seq` is the alert it became or is about; `at` in microseconds. Raises Conflict where its name is taken."""
    name = origin.name
    kept = run(
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
        },
    ).rowcount
    if not kept:
        raise Conflict(f"the message {name} was posted already: post it again to read its answer")


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
    }
