"""Updates and Cancels that came before what they follow: remembered, found when it comes, and made one with it.

What is decided from them is decided again in the transaction that writes it, since messages come at the same time.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection

from alertd.cap.moments import canonical
from alertd.domain.alert import Alert, MsgType, Reference, Status
from alertd.domain.problems import Overtaken
from alertd.domain.times import micros
from alertd.ports.stores.intake import Origin
from alertd.ports.stores.peers import Early, Waiting
from alertd.storage import audit, peers
from alertd.storage.connect import run, scalar
from alertd.storage.content import dump_alert, load_alert
from alertd.storage.types import json_text

MOST: Final = 200
"""Messages of one token that wait: whoever posts nonsense pushes out his own alone."""

_FOLLOWS: Final = frozenset({MsgType.ALERT, MsgType.UPDATE})
_REFER: Final = """
INSERT INTO peer_reference (sender, identifier, moment, by_seq, received_at)
SELECT value->>0, value->>1, value->>2, :by_seq, :at FROM json_each(:names) WHERE true ON CONFLICT DO NOTHING
"""
EARLY: Final = """
SELECT p.seq, p.sender, p.identifier, p.sent, p.msg_type, a.id
FROM peer_reference r CROSS JOIN peer_message p ON p.seq = r.by_seq LEFT JOIN alert a ON a.seq = p.alert_seq
WHERE r.sender = :sender AND r.identifier = :identifier AND r.moment = :moment AND p.status = :status
  AND (p.alert_seq IS NOT NULL OR EXISTS (SELECT 1 FROM token t WHERE t.name = p.owner AND t.revoked_at IS NULL))
"""
_BECOME: Final = """
UPDATE peer_message SET alert_seq = :seq, answer = :answer, content = NULL
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND alert_seq IS NULL
"""
CROWDED_OUT: Final = """
DELETE FROM peer_message WHERE seq IN (
  SELECT seq FROM peer_message WHERE owner = :owner AND alert_seq IS NULL ORDER BY seq DESC LIMIT -1 OFFSET :limit
) RETURNING seq
"""
SAID: Final = "SELECT content FROM peer_message WHERE seq = :seq AND alert_seq IS NULL"
_OWNED: Final = "DELETE FROM peer_message WHERE owner = :owner AND alert_seq IS NULL RETURNING seq"
_NAMED_BY: Final = "DELETE FROM peer_reference WHERE by_seq IN (SELECT value FROM json_each(:seqs))"

_Name = tuple[str, str, str]


def early(conn: Connection, name: Reference, status: Status) -> Sequence[Early]:
    """See the port. What waits is followed further; what became an alert of ours is not."""
    found: dict[int, Early] = {}
    seen, ahead = {_key(name)}, [_key(name)]
    while ahead:
        sender, identifier, moment = ahead.pop()
        terms = {"sender": sender, "identifier": identifier, "moment": moment, "status": status}
        for one in map(_early, run(conn, EARLY, terms).fetchall()):
            key = _key(one.name)
            if key in seen:
                continue
            seen.add(key)
            found[one.seq] = one
            if one.alert_id is None:
                ahead.append(key)
    return [found[seq] for seq in sorted(found)]


def wait(conn: Connection, waiting: Waiting) -> None:
    """See the port."""
    origin, at = waiting.origin, micros(waiting.at)
    _check_unheard(conn, origin)
    number = peers.put(conn, origin, at, content=dump_alert(waiting.said))
    if number is None:
        return
    _refer(conn, origin, number, at)
    details = {**peers.told(origin), "msg_type": origin.msg_type, "status": origin.status}
    audit.append(conn, waiting.at, origin.owner, "alert.early", str(origin.name), details)
    forget(conn, CROWDED_OUT, {"owner": origin.owner, "limit": MOST})


def said(conn: Connection, seq: int) -> Alert | None:
    """See the port."""
    content = scalar(conn, SAID, {"seq": seq})
    return load_alert(content) if content else None


def forget(conn: Connection, statement: str, terms: Mapping[str, Any]) -> int:
    """Delete what waits, by a statement that returns its numbers, and at once what it refers to: a number may be given
    to another message, which would then follow what it never named."""
    gone = [row[0] for row in run(conn, statement, terms).fetchall()]
    if gone:
        run(conn, _NAMED_BY, {"seqs": json_text(gone)})
    return len(gone)


def forget_token(conn: Connection, owner: str) -> int:
    """What a revoked token left waiting; else its name given again would bring it back, and it would hold the names of
    messages that others post."""
    return forget(conn, _OWNED, {"owner": owner})


def keep(conn: Connection, origin: Origin, seq: int, at: int) -> None:
    """It became the alert `seq`, or is about it. Raises Overtaken, Conflict."""
    _check(conn, origin)
    _settle(conn, origin, peers.keep(conn, origin, seq, at), seq, at)


def _check(conn: Connection, origin: Origin) -> None:
    """Raises Overtaken where its decision was made on another knowledge than there is now."""
    if origin.msg_type in _FOLLOWS:
        found = early(conn, origin.name, origin.status)
        if {one.seq for one in found} != set(origin.early) or any(one.alert_id is not None for one in found):
            raise Overtaken(f"what follows {origin.name} came at the same time: post it again")
    _check_unheard(conn, origin)


def _settle(conn: Connection, origin: Origin, number: int, seq: int, at: int) -> None:
    """It became the alert `seq`, and so did those that came before it; what has still not come is noted."""
    if origin.early:
        run(conn, _BECOME, {"seq": seq, "answer": origin.answer, "seqs": json_text(list(origin.early))})
    _refer(conn, origin, number, at)


def _check_unheard(conn: Connection, origin: Origin) -> None:
    unheard = set(map(_key, origin.unheard))
    if unheard & set(_known(conn, origin.unheard)):
        raise Overtaken(f"what {origin.name} follows came at the same time: post it again")


def _known(conn: Connection, names: Sequence[Reference]) -> Iterator[_Name]:
    for one in peers.remembered(conn, names) if names else ():
        if one.alert_id is not None and one.msg_type not in peers.NEWS:
            yield _key(one.name)


def _refer(conn: Connection, origin: Origin, number: int, at: int) -> None:
    if origin.unheard:
        names = json_text([list(_key(one)) for one in origin.unheard])
        run(conn, _REFER, {"names": names, "by_seq": number, "at": at})


def _key(name: Reference) -> _Name:
    return name.sender, name.identifier, canonical(name.sent)


def _early(row: Sequence[Any]) -> Early:
    seq, sender, identifier, sent, msg_type, alert_id = row
    return Early(seq, Reference(sender, identifier, sent), MsgType(msg_type), alert_id)
