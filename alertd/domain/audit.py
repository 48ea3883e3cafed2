"""The audit log is a hash chain: each entry's hash covers the one before it."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """`at` is an RFC 3339 text; `subject` names what was acted on, e.g. an alert id."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: Mapping[str, object]
    previous: str
    hash: str


def chain_hash(
    previous: str, seq: int, at: str, actor: str, action: str, subject: str, details: Mapping[str, object]
) -> str:
    """SHA-256 in hex over a canonical JSON array of everything the entry says and the hash before it."""
    canonical = json.dumps([previous, seq, at, actor, action, subject, details], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def first_break(entries: Iterable[AuditEntry], previous: str = GENESIS, seq: int = 0) -> int | None:
    """The number of the first entry that does not follow from the one before, or None for a whole chain."""
    for entry in entries:
        seq += 1
        expected = chain_hash(previous, seq, entry.at, entry.actor, entry.action, entry.subject, entry.details)
        if (entry.seq, entry.previous, entry.hash) != (seq, previous, expected):
            return seq
        previous = entry.hash
    return None
