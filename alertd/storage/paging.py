"""Which drafts of rules wait for a decision, and the latest page about each."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.paging import draft_and_number
from alertd.domain.times import micros
from alertd.ports.stores.pages import OpenPage, Undecided
from alertd.storage.connect import run
from alertd.storage.database import Database
from alertd.storage.types import instant

UNDECIDED: Final = """
SELECT id, deadline FROM alert
WHERE state = 'draft' AND deadline > :now AND created_by >= 'rule:' AND created_by < 'rule;' ORDER BY deadline
"""
"""`;` comes after `:`, so these are the names that begin with `rule:`."""

OPEN: Final = "SELECT id, accepted_at FROM alert WHERE cohort = 'officers' AND followed_by IS NULL ORDER BY id"
"""The conditions are those of the indexes, word for word."""


def undecided(conn: Connection, now: datetime) -> Sequence[Undecided]:
    rows = run(conn, UNDECIDED, {"now": micros(now)}).fetchall()
    return [Undecided(alert_id, instant(deadline)) for alert_id, deadline in rows]


def open_pages(conn: Connection) -> Sequence[OpenPage]:
    """One row is left for every draft there ever was, of an index that holds all that is asked for."""
    rows = run(conn, OPEN, {}).fetchall()
    return [OpenPage(page, instant(at)) for page, at in rows if draft_and_number(page) is not None]


class PagingPart:
    """`ports.stores.PagerStore`, what of it is not intake."""

    _db: Database

    async def undecided(self, now: datetime) -> Sequence[Undecided]:
        return await self._db.read(partial(undecided, now=now))

    async def open_pages(self) -> Sequence[OpenPage]:
        return await self._db.read(open_pages)
