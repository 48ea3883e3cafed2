"""What the public feeds list: light rows in order, and the contents of those that were not rendered yet."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.domain.alert import Alert
from alertd.domain.times import micros
from alertd.ports.stores.reports import Published
from alertd.storage.connect import run
from alertd.storage.content import load_alert
from alertd.storage.database import Database
from alertd.storage.types import json_text

_LISTED: Final = """
SELECT seq, purpose, released_at, iif(msg_type = 'Cancel', held_until, deadline) AS ends_at, held_until FROM (
  SELECT a.seq, a.purpose, a.msg_type, a.released_at, a.deadline, coalesce((
    SELECT max(o.deadline) FROM alert_ancestor x JOIN alert o ON o.seq = x.ancestor_seq WHERE x.alert_seq = a.seq
  ), a.deadline) AS held_until
  FROM alert a
  WHERE {which} AND a.scope = 'Public' AND a.msg_type IN ('Alert', 'Update', 'Cancel')
    AND a.state NOT IN ('draft', 'rejected') AND a.followed_by IS NULL
) WHERE ends_at > :since OR held_until > :now ORDER BY seq DESC
"""
REAL: Final = _LISTED.format(which="a.status = 'Actual'")
"""The condition is that of the index of public alerts, word for word."""
REHEARSED: Final = _LISTED.format(which="a.status IN ('Exercise', 'System', 'Test')")
CONTENTS: Final = "SELECT seq, content FROM alert WHERE seq IN (SELECT value FROM json_each(:seqs))"


def published(conn: Connection, *, real: bool, since: datetime, now: datetime) -> Sequence[Published]:
    terms = {"since": micros(since), "now": micros(now)}
    return list(map(Published._make, run(conn, REAL if real else REHEARSED, terms)))


def contents(conn: Connection, seqs: Sequence[int]) -> Mapping[int, Alert]:
    rows = run(conn, CONTENTS, {"seqs": json_text(list(seqs))}).fetchall()
    return {seq: load_alert(content) for seq, content in rows}


class FeedPart:
    """`ports.stores.FeedStore`."""

    _db: Database

    async def published(self, *, real: bool, since: datetime, now: datetime) -> Sequence[Published]:
        return await self._db.read(partial(published, real=real, since=since, now=now))

    async def contents(self, seqs: Sequence[int]) -> Mapping[int, Alert]:
        return await self._db.read(partial(contents, seqs=seqs))
