"""How SQLite finds what it is asked for: no hot statement may read a big table from end to end.

Asked of a populated store, with the planner's statistics and without: a plan must not depend on an ANALYZE.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import ClauseElement
from sqlalchemy.dialects import sqlite

from alertd.domain.alert import AlertState
from alertd.domain.delivery import State
from alertd.storage import (
    alerts,
    audience,
    audit,
    completion,
    decide,
    early,
    enrol,
    feeds,
    follow,
    intake,
    leases,
    migrate,
    paging,
    peers,
    plan_sql,
    purge,
    report,
    selection,
    settle,
    subscribers,
    sweep,
    tally,
    tokens,
    work_sql,
)

BIG = (
    "delivery",
    "endpoint",
    "subscriber",
    "audit",
    "alert",
    "idempotency",
    "plan",
    "tally",
    "selected",
    "peer_message",
)

TERMS: Mapping[str, Any] = {
    "digest": "d",
    "alert_id": "a5", "alert_seq": 5, "after": 10, "at": 1, "batch": "{}", "before": 10, "by": "x", "channel": "push", "channels": '["push"]',
    "claimed_at": 1, "cohort": "public", "cursor": 0, "depth": 1, "due_at": None, "id": "a5",
    "identifier": "i5", "sender": "s", "moment": "t", "status": "Actual", "ids": "[1,2]", "key": "k", "keys": "[]", "names": '[["s", "i5"]]', "known": 0, "limit": 100, "now": 1, "owner": "o",
    "priority": 0, "purpose": 1, "reasons": "[]", "rows": "[]", "seq": 5, "seqs": "[5]", "since": 1, "sets": "[]", "state": "expired", "token": 7,
    "until": 100, "upper": 1000, "whole1": 1, "whole2": 1, "whole3": 1, "whole4": 1, "window": 100, "zoned": 1, "first": 1, "last": 9, "fresh": 5, "started_at": 1, "settled_at": 1, "tried": 1,
    "endpoints": "[]", "reason": None, "exposed": 1, "flying": 1, "latest": 1,
}  # fmt: skip


def _compiled(statement: ClauseElement) -> str:
    return str(statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))


def _listed(**terms: Any) -> str:
    return _compiled(alerts.newest(**{"limit": 50, "before": 900, "states": (), "public": False, **terms}))


def _deliveries(**terms: Any) -> str:
    terms = {"channel": None, "state": None, "limit": 100, "after": None, **terms}
    return _compiled(report.deliveries_of(5, **terms))


UNIQUE = "sqlite_autoindex_"
FRESH = UNIQUE + "delivery_1 (alert_seq=? AND channel=? AND endpoint_id>?)"
STATEMENTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "next plan": (plan_sql.NEXT, ("plan_open",)),
    "other plans": (plan_sql.OTHERS, ("plan_open",)),
    "a plan": (plan_sql.PLAN, ("PRIMARY KEY",)),
    "last endpoint": (plan_sql.UPPER, ("endpoint_active",)),
    "own window": (plan_sql.OWN_WINDOW, ("endpoint_active (channel=? AND id>? AND id<?)",)),
    "own page": (plan_sql.OWN, ("endpoint_active", "SEARCH s USING INTEGER PRIMARY KEY", "SEARCH x USING PRIMARY KEY")),
    "few": (plan_sql.FEW, ("SEARCH x USING PRIMARY KEY", "subscriber_by_zone_set")),
    "own few": (
        plan_sql.OWN_FEW,
        ("SEARCH x USING PRIMARY KEY", "subscriber_by_zone_set", "endpoint_by_subscriber"),
    ),
    "follow window": (plan_sql.FOLLOW_WINDOW, (UNIQUE + "delivery",)),
    "follow page": (
        plan_sql.FOLLOW,
        (UNIQUE + "delivery", "SEARCH e USING INTEGER PRIMARY KEY", "SEARCH n USING PRIMARY KEY"),
    ),
    "follow post": (plan_sql.FOLLOW_POST, (UNIQUE + "delivery",)),
    "in flight": (plan_sql.IN_FLIGHT, ("SEARCH t USING PRIMARY KEY",)),
    "new zone sets": (selection.NEW_SETS, ("INTEGER PRIMARY KEY",)),
    "heads of a lane": (work_sql.HEADS, ("tally_waiting", "delivery_waiting", FRESH, "SEARCH p USING PRIMARY KEY")),
    "fresh page": (work_sql.FRESH, (FRESH, "SEARCH e USING INTEGER PRIMARY KEY")),
    "claim fresh": (work_sql.CLAIM_FRESH, (UNIQUE + "delivery",)),
    "due page": (work_sql.DUE, ("delivery_waiting", "SEARCH e USING INTEGER PRIMARY KEY")),
    "claim": (work_sql.CLAIM, ("SEARCH delivery USING INTEGER PRIMARY KEY",)),
    "next due": (work_sql.NEXT_DUE, ("tally_waiting", "delivery_waiting", FRESH)),
    "release": (work_sql.RELEASE, ("SEARCH delivery USING INTEGER PRIMARY KEY",)),
    "lease": (leases.LANE, ("INTEGER PRIMARY KEY",)),
    "settle alike": (settle.ALIKE, ("SEARCH delivery USING INTEGER PRIMARY KEY",)),
    "settle": (settle.SETTLE, ("SEARCH delivery USING INTEGER PRIMARY KEY",)),
    "retire": (settle.RETIRE, ("SEARCH endpoint USING INTEGER PRIMARY KEY",)),
    "histogram": (tally.HISTOGRAM, ("PRIMARY KEY",)),
    "open": (completion.OPEN, ("SEARCH plan USING PRIMARY KEY", "SEARCH tally USING PRIMARY KEY")),
    "recover": (sweep.RECOVER, (UNIQUE + "delivery",)),
    "past deadline": (sweep.PAST_DEADLINE, ("alert_live|alert_by_state",)),
    "next deadline": (sweep.NEXT_DEADLINE, ("alert_live|alert_by_state",)),
    "stopped": (sweep.STOPPED, ("tally_waiting",)),
    "fresh waiting": (sweep.FRESH, ("SEARCH p USING PRIMARY KEY", FRESH)),
    "waiting": (sweep.WAITING, ("delivery_waiting",)),
    "ahead": (sweep.AHEAD, ("tally_waiting", "delivery_waiting (alert_seq=? AND channel=? AND due_at>?)")),
    "pull back": (sweep.PULL_BACK, ("SEARCH delivery USING INTEGER PRIMARY KEY",)),
    "end": (sweep.END, ("SEARCH delivery USING INTEGER PRIMARY KEY",)),
    "failed": (decide.FAILED, (UNIQUE + "delivery",)),
    "requeue": (decide.REQUEUE, (UNIQUE + "delivery",)),
    "undecided": (paging.UNDECIDED, ("alert_undecided",)),
    "what became of drafts": (paging.OUTCOMES, (UNIQUE + "alert",)),
    "open pages": (paging.OPEN, ("USING COVERING INDEX alert_page",)),
    "officers' addresses": (subscribers.OFFICERS, (UNIQUE + "endpoint", "SEARCH s USING INTEGER PRIMARY KEY")),
    "lineage": (follow.LINEAGE, (UNIQUE + "alert",)),
    "answer": (intake.ANSWER, ("PRIMARY KEY",)),
    "audit head": (audit.HEAD, ()),
    "audit page": (audit.PAGE, ("INTEGER PRIMARY KEY",)),
    "depths": (report.DEPTHS, ("tally_waiting", "delivery_waiting", FRESH)),
    "audience": (audience.GROUPS, ("endpoint_active", "SEARCH s USING INTEGER PRIMARY KEY")),
    "anyone": (audience.ANYONE, ("subscriber_by_zone_set", "endpoint_by_subscriber")),
    "match": (enrol.MATCH, (UNIQUE + "subscriber", UNIQUE + "endpoint")),
    "unconfirmed": (purge.UNCONFIRMED, ("endpoint_unconfirmed",)),
    "old answers": (purge.ANSWERS, ("idempotency_by_age",)),
    "old alert": (purge.OLD_ALERT, ("alert_to_pseudonymise",)),
    "pseudonymise": (purge.PSEUDONYMISE, (UNIQUE + "delivery",)),
    "alert by id": (_compiled(alerts.by_id("a5")), (UNIQUE + "alert",)),
    "alert by identifier": (_compiled(alerts.by_identifier("i5")), (UNIQUE + "alert",)),
    "ancestors": (_compiled(alerts.ancestors_of([5])), ("SEARCH alert_ancestor USING PRIMARY KEY",)),
    "plans": (_compiled(alerts.plans_of([5])), ("SEARCH tally USING PRIMARY KEY",)),
    "alerts": (_listed(), ("INTEGER PRIMARY KEY",)),
    "alerts in a state": (_listed(states=(AlertState.DRAFT,)), ("alert_by_state",)),
    "public alerts": (_listed(public=True), ("alert_public",)),
    "feed": (feeds.REAL, ("alert_public", "SEARCH x USING PRIMARY KEY", "SEARCH o USING INTEGER PRIMARY KEY")),
    "feed of drills": (feeds.REHEARSED, ("SEARCH x USING PRIMARY KEY", "SEARCH o USING INTEGER PRIMARY KEY")),
    "contents": (feeds.CONTENTS, ("SEARCH alert USING INTEGER PRIMARY KEY",)),
    "tallies": (_compiled(report.tallies_of(5)), ("SEARCH tally USING PRIMARY KEY", "SEARCH plan USING PRIMARY KEY")),
    "deliveries": (_deliveries(), (UNIQUE + "delivery",)),
    "deliveries go on": (_deliveries(after=("push", 50)), (UNIQUE + "delivery",)),
    "deliveries of a channel": (_deliveries(channel="push", after=("push", 5)), (UNIQUE + "delivery",)),
    "failed deliveries": (_deliveries(state=State.FAILED), (UNIQUE + "delivery",)),
    "messages posted": (peers.POSTED, (UNIQUE + "peer_message", "SEARCH a USING INTEGER PRIMARY KEY")),
    "messages that came early": (
        early.EARLY,
        ("SEARCH r USING PRIMARY KEY", "SEARCH p USING INTEGER PRIMARY KEY", "SEARCH a USING INTEGER PRIMARY KEY"),
    ),
    "messages crowded out": (early.CROWDED_OUT, ("peer_message_waiting",)),
    "old documents": (purge.DOCUMENTS, ("peer_message_document",)),
    "waited in vain": (purge.WAITING, ("peer_message_waiting|peer_message_document",)),
    "messages published": (peers.PUBLISHED, (UNIQUE + "alert",)),
    "token": (tokens.BY_DIGEST, (UNIQUE + "token",)),
    "subscribers": (
        _compiled(subscribers.everyone(after=5, limit=50)),
        ("SEARCH subscriber USING INTEGER PRIMARY KEY",),
    ),
    "subscriber": (_compiled(subscribers.by_id("s5")), (UNIQUE + "subscriber",)),
    "endpoints": (_compiled(subscribers.endpoints_of([5])), ("endpoint_by_subscriber",)),
    "endpoint": (_compiled(subscribers.by_address("push", "x")), (UNIQUE + "endpoint",)),
}

_POPULATE = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
INSERT INTO {table} ({columns}) SELECT {values} FROM n
"""
_ROWS: Mapping[str, Mapping[str, str]] = {
    "alert": {
        "id": "'a' || i", "identifier": "'i' || i", "sender": "'s'", "sent": "'t'", "content": "''",
        "status": "iif(i % 2, 'Actual', 'Exercise')", "msg_type": "'Alert'", "scope": "'Public'",
        "purpose": "'emergency'", "state": "iif(i % 100, 'complete', 'active')", "priority": "0", "cohort": "'public'",
        "targets": "'[]'", "accepted_at": "i", "released_at": "i", "deadline": "i", "created_by": "'x'",
        "stopped": "0", "pseudonymised": "i < 1000",
    },
    "plan": {
        "alert_seq": "i", "channel": "'push'", "broadcast": "0", "priority": "i % 4", "held": "0", "depth": "0",
        "cursor": "0", "fresh": "-1", "zone_sets": "0", "done": "i % 100 <> 0", "cut": "0",
    },
    "tally": {
        "alert_seq": "i", "channel": "'push'", "adapter": "'webpush'", "broadcast": "0", "provable": "'accepted'", "idempotent": "1",
        "priority": "i % 4", "queued": "iif(i % 100, 0, 5)",
    },
    "delivery": {
        "alert_seq": "i % 20", "channel": "'push'", "endpoint_id": "i", "language": "'it'", "blocks": "1",
        "state": "iif(i % 10, 'accepted', 'queued')", "due_at": "i", "attempts": "0", "exposed": "1", "created_at": "i",
    },
    "zone_set": {"zones": "'[\"z' || i || '\"]'"},
    "subscriber": {
        "id": "'s' || i", "language": "'it'", "zone_set": "i % 50", "purposes": "1", "min_severity": "'Minor'",
        "min_rank": "1", "cohort": "'public'", "consent_source": "'x'", "consent_given_at": "i", "created_at": "i",
        "updated_at": "i",
    },
    "endpoint": {
        "subscriber_seq": "i", "channel": "iif(i % 2, 'push', 'mail')", "address": "i", "address_key": "'k' || i",
        "state": "iif(i % 10, 'active', 'unconfirmed')", "created_at": "i",
    },
    "selected": {"alert_seq": "i % 7", "zone_set": "i", "min_rank": "1", "blocks": "1"},
    "idempotency": {"owner": "'o'", "key": "'k' || i", "fingerprint": "'f'", "body": "x''", "created_at": "i"},
    "peer_message": {
        "sender": "'s'", "identifier": "'i' || i", "sent": "''", "msg_type": "'Alert'", "alert_seq": "i",
        "fingerprint": "'f'", "document": "x''", "answer": "x''", "received_at": "i",
    },
    "token": {"name": "'n' || i", "digest": "'d' || i", "scopes": "'[]'", "created_at": "i", "details": "'{}'"},
    "alert_ancestor": {"alert_seq": "i", "depth": "1", "ancestor_seq": "i - 1"},
    "audit": {
        "at": "''", "actor": "''", "action": "''", "subject": "''", "details": "'{}'", "previous": "''", "hash": "''",
    },
}  # fmt: skip


@pytest.fixture(scope="module", params=["without statistics", "analysed"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("plans") / "alertd.db"
    migrate.bring_up_to_date(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN")
        for table, columns in _ROWS.items():
            raw.execute(_POPULATE.format(table=table, columns=", ".join(columns), values=", ".join(columns.values())))
        raw.execute("COMMIT")
        if request.param == "analysed":
            raw.execute("ANALYZE")
        yield raw


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_hot_statement_searches_and_does_not_scan(store: sqlite3.Connection, name: str) -> None:
    statement, wanted = STATEMENTS[name]
    wanted_terms = {term: TERMS[term] for term in set(re.findall(r":(\w+)", statement)) & TERMS.keys()}
    plan = [row[3] for row in store.execute("EXPLAIN QUERY PLAN " + statement, wanted_terms)]
    text = "\n".join(plan)
    for index in wanted:
        assert any(one in text for one in index.split("|")), text
    for step in plan:
        scanned = re.match(r"SCAN (\w+)(?! VIRTUAL)", step)
        if scanned is None or scanned[1] in ("json_each", "j", "i", "CONSTANT"):
            continue
        assert "USING" in step or _is_small(step), f"{step!r} in\n{text}"


def _is_small(step: str) -> bool:
    """Reading an index in order up to a LIMIT, or a table that stays small, is no scan to fear."""
    return step.startswith("SCAN audit") or not any(re.search(rf"\b{table}\b", step) for table in BIG)


def test_what_is_settled_is_in_no_index_of_what_waits(store: sqlite3.Connection) -> None:
    for index, table in (("delivery_waiting", "delivery"), ("tally_waiting", "tally"), ("plan_open", "plan")):
        (sql,) = store.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        condition = sql.partition("WHERE")[2]
        inside = store.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()[0]
        assert inside <= 200
