"""Which drafts of rules wait for a decision, the latest page about each, and what became of those that wait no more."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.alert import AlertState
from alertd.domain.paging import Gravity, draft_and_number, is_ending, is_together_ending, together
from alertd.domain.times import micros
from alertd.ports.stores.pages import OpenPage, Outcome, Undecided
from alertd.storage.connect import run
from alertd.storage.database import Database
from alertd.storage.types import instant, json_text

UNDECIDED: Final = """
SELECT seq, id, deadline, created_by, status = 'Actual', purpose = 'emergency',
       (SELECT coalesce(max(value->>2), 0) FROM json_each(targets))
FROM alert
WHERE state = 'draft' AND deadline > :now AND created_by >= 'rule:' AND created_by < 'rule;' ORDER BY deadline
"""
"""`;` comes after `:`, so these are the names that begin with `rule:`."""

OPEN: Final = "SELECT id, accepted_at FROM alert WHERE cohort = 'officers' AND followed_by IS NULL ORDER BY id"
"""The conditions are those of the indexes, word for word."""

OUTCOMES: Final = """
SELECT state, decided_by IS created_by, decided_by, iif(decided_by IS created_by, NULL, reject_reason), count(*)
FROM alert
WHERE id IN (SELECT value FROM json_each(:ids)) GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC
"""


def undecided(conn: Connection, now: datetime) -> Sequence[Undecided]:
    rows = run(conn, UNDECIDED, {"now": micros(now)}).fetchall()
    return [
        Undecided(seq, alert_id, instant(deadline), by, Gravity(bool(real), bool(emergency), severity))
        for seq, alert_id, deadline, by, real, emergency, severity in rows
    ]


def open_pages(conn: Connection, since: datetime) -> Sequence[OpenPage]:
    """One row is left for every draft there ever was, of an index that holds all that is asked for."""
    rows, after = run(conn, OPEN, {}).fetchall(), micros(since)
    return [OpenPage(page, instant(at)) for page, at in rows if _counts(page, late=at > after)]


def outcomes(conn: Connection, draft_ids: Collection[str]) -> Sequence[Outcome]:
    rows = run(conn, OUTCOMES, {"ids": json_text(sorted(draft_ids))}).fetchall()
    return [Outcome(AlertState(state), bool(own), who, why, count) for state, own, who, why, count in rows]


def _counts(page: str, *, late: bool) -> bool:
    if is_ending(page) or is_together_ending(page):
        return late
    return draft_and_number(page) is not None or together(page) is not None


class PagingPart:
    """`ports.stores.PagerStore`, what of it is not intake."""

    _db: Database

    async def undecided(self, now: datetime) -> Sequence[Undecided]:
        return await self._db.read(partial(undecided, now=now))

    async def open_pages(self, since: datetime) -> Sequence[OpenPage]:
        return await self._db.read(partial(open_pages, since=since))

    async def outcomes(self, draft_ids: Collection[str]) -> Sequence[Outcome]:
        return await self._db.read(partial(outcomes, draft_ids=draft_ids))
