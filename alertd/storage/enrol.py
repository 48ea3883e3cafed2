"""Enrolling a batch of subscribers, set-based: a handful of statements however many they are."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from alertd.ports.stores.subscribers import Enrolment
from alertd.storage.connect import run, scalar
from alertd.storage.roster import Entry

MATCH: Final = """
SELECT json_group_array(json_array(i, seq, id, named)) FROM (
  SELECT j.value->>0 AS i, s.seq, s.id, 1 AS named
  FROM json_each(:ids) j JOIN subscriber s ON s.id = j.value->>1
  UNION ALL
  SELECT j.value->>0, s.seq, s.id, 0
  FROM json_each(:keys) j JOIN endpoint e ON e.channel = j.value->>1 AND e.address_key = j.value->>2
  JOIN subscriber s ON s.seq = e.subscriber_seq
)
"""
INTERN_ZONES: Final = """
INSERT INTO zone_set (zones) SELECT DISTINCT value->>2 FROM json_each(:rows) WHERE true ON CONFLICT DO NOTHING
"""
UPSERT: Final = """
INSERT INTO subscriber (id, language, zone_set, purposes, min_severity, min_rank, cohort,
                        consent_source, consent_given_at, consent_confirmed_at, created_at, updated_at)
SELECT value->>0, value->>1, (SELECT z.id FROM zone_set z WHERE z.zones = value->>2), value->>3, value->>4, value->>5,
       value->>6, value->>7, value->>8, value->>9, value->>10, value->>11
FROM json_each(:rows) WHERE true
ON CONFLICT (id) DO UPDATE SET
  language = excluded.language, zone_set = excluded.zone_set, purposes = excluded.purposes,
  min_severity = excluded.min_severity, min_rank = excluded.min_rank, cohort = excluded.cohort,
  consent_source = excluded.consent_source, consent_given_at = excluded.consent_given_at,
  consent_confirmed_at = coalesce(excluded.consent_confirmed_at, subscriber.consent_confirmed_at),
  updated_at = excluded.updated_at
"""
ENDPOINTS: Final = """
INSERT INTO endpoint (subscriber_seq, channel, address, address_key, state, created_at)
SELECT s.seq, j.value->>1, j.value->>2, j.value->>3, j.value->>4, j.value->>5
FROM json_each(:endpoints) j JOIN subscriber s ON s.id = j.value->>0 WHERE true
ON CONFLICT (channel, address_key) DO UPDATE SET
  subscriber_seq = excluded.subscriber_seq,
  created_at = CASE WHEN endpoint.state <> 'active' THEN excluded.created_at ELSE endpoint.created_at END,
  state = CASE WHEN endpoint.state = 'active' AND excluded.state = 'unconfirmed' THEN 'active' ELSE excluded.state END
"""
_ORPHANS: Final = """
DELETE FROM subscriber WHERE seq IN (SELECT value FROM json_each(:seqs))
  AND NOT EXISTS (SELECT 1 FROM endpoint e WHERE e.subscriber_seq = subscriber.seq)
"""


@dataclass(frozen=True, slots=True)
class _Match:
    seq: int
    id: str
    named: bool  # found by its own id, not by an endpoint


def enrol(conn: Connection, entries: Sequence[Entry], *, asked: int) -> Enrolment:
    """Write them; `asked` is how many subscribers the batch named before it was gathered."""
    matches = _matches(conn, entries)
    people, lost = _identify(entries, matches)
    rows = [entry.row(subscriber_id) for subscriber_id, entry in people.items()]
    endpoints = [row for subscriber_id, entry in people.items() for row in entry.endpoint_rows(subscriber_id)]
    write(conn, rows, endpoints)
    if lost:
        run(conn, _ORPHANS, {"seqs": _text(sorted(lost))})
    created = sum(1 for i in range(len(entries)) if i not in matches)
    return Enrolment(created=created, updated=asked - created)


def write(conn: Connection, rows: list[list[object]], endpoints: list[list[object]]) -> None:
    """Insert or update the subscribers, then their endpoints (see roster.Entry for the columns)."""
    text = _text(rows)
    run(conn, INTERN_ZONES, {"rows": text})
    run(conn, UPSERT, {"rows": text})
    if endpoints:
        run(conn, ENDPOINTS, {"endpoints": _text(endpoints)})


def _matches(conn: Connection, entries: Sequence[Entry]) -> dict[int, list[_Match]]:
    """By the entry's place: the stored subscribers it shares an id or an endpoint with."""
    ids = [[i, one] for i, entry in enumerate(entries) for one in entry.ids]
    keys = [[i, *key] for i, entry in enumerate(entries) for key in entry.endpoints]
    found: defaultdict[int, list[_Match]] = defaultdict(list)
    terms = {"ids": _text(ids), "keys": _text(keys)}
    for i, seq, subscriber_id, named in orjson.loads(scalar(conn, MATCH, terms)):
        found[i].append(_Match(seq, subscriber_id, bool(named)))
    return found


def _identify(entries: Sequence[Entry], matches: dict[int, list[_Match]]) -> tuple[dict[str, Entry], set[int]]:
    """Each entry under the id it is stored by, and the subscribers whose endpoints went to another one."""
    people: dict[str, Entry] = {}
    lost: set[int] = set()
    for i, entry in enumerate(entries):
        found = sorted(matches.get(i, ()), key=lambda match: (not match.named, match.seq))
        subscriber_id = found[0].id if found else entry.ids[0]
        lost.update(match.seq for match in found if match.seq != found[0].seq)
        if subscriber_id in people:
            people[subscriber_id].absorb(entry)
        else:
            people[subscriber_id] = entry
    return people, lost


def _text(value: Iterable[Any]) -> str:
    return orjson.dumps(value).decode()
