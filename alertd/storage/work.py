"""Handing out work: claim a page of a lane under a lease with a fencing token, extend it, put it back.

A page goes from and to SQLite as a few texts, never row by row: each row fetched or bound is a turn of the
interpreter's lock, for which this thread would queue behind a busy event loop. One claim serves one alert: first
attempts before repeats, older alerts before younger, and repeats by when they are due.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.delivery import State
from alertd.domain.times import micros
from alertd.ports.stores.work import Claim, Outcomes, Told
from alertd.storage import leases, settle, tally
from alertd.storage import work_sql as sql
from alertd.storage.completion import close_if_done
from alertd.storage.connect import insert, run, scalar
from alertd.storage.database import Database
from alertd.storage.types import instant_or_none, micros_or_none

_EMPTY_PAGES: Final = 4
"""Pages of endpoints that have all gone, retired in one transaction: accepts wait behind it."""


def claim(conn: Connection, channel: str, priority: int, *, limit: int, now: datetime, lease: float) -> Claim | None:
    """Lease the most pressing page of a lane. What was due to an endpoint that has gone is retired on the way."""
    at = micros(now)
    lane = {"channel": channel, "priority": priority, "now": at}
    for _ in range(_EMPTY_PAGES):
        found = run(conn, sql.HEADS, lane).fetchone()
        if found is None:
            break
        alert_seq, alert_id, fresh, some_fresh, _ = found
        which = {"alert_seq": alert_seq, "channel": channel, "now": at, "limit": limit}
        page = sql.FRESH if some_fresh else sql.DUE
        found = run(conn, page, {**which, "fresh": fresh}).fetchone()
        until = at + round(lease * 1_000_000)
        token = _lease(conn, alert_seq, channel, _Due(bool(some_fresh), *found[7:]), at=at, until=until)
        told = _told(conn, *found[:7])
        if told:
            return Claim(token, alert_id, told)
        close_if_done(conn, alert_seq, at)
    return None


def _told(conn: Connection, ids: str, endpoints: str, addresses: str | None, *more: str) -> list[Told]:
    """The columns of a page, JSON arrays but for the addresses, as groups that are told the same."""
    delivery_ids: list[int] = orjson.loads(ids)
    if not delivery_ids:
        return []
    split = (addresses or "").split("\n")
    if len(split) != len(delivery_ids):  # one holds a line feed after all
        split = orjson.loads(scalar(conn, sql.ADDRESSES, {"endpoints": endpoints}))
    languages, blocks, *rest = map(orjson.loads, more)
    columns = [delivery_ids, orjson.loads(endpoints), split, *rest]
    keys = list(zip(languages, blocks, strict=True))
    if keys.count(keys[0]) == len(keys):
        return [Told(*keys[0], *columns)]
    places: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        places[key].append(place)
    return [Told(*key, *([column[i] for i in chosen] for column in columns)) for key, chosen in places.items()]


@dataclass(frozen=True, slots=True)
class _Due:
    """What a claim takes: ids as JSON, all of them and those whose endpoint has gone; how many of them are queued, and
    how many there are; the first and the last endpoint."""

    fresh: bool
    ids: str
    lost: str
    queued: int
    count: int
    first: int
    last: int


def _lease(conn: Connection, alert_seq: int, channel: str, due: _Due, *, at: int, until: int) -> int:
    """Put them under a new lease; its token. Times in microseconds."""
    which = {"alert_seq": alert_seq, "channel": channel, "first": due.first, "last": due.last}
    token = insert(conn, sql.LEASE, {**which, "now": at, "until": until, "open": due.count})
    if due.fresh:
        run(conn, sql.CLAIM_FRESH, {**which, "token": token})
        run(conn, sql.ADVANCE, which)
    else:
        run(conn, sql.CLAIM, {"token": token, "ids": due.ids})
    lost = len(orjson.loads(due.lost))
    if lost:
        run(conn, sql.UNREACHABLE, {"token": token, "ids": due.lost, "now": at})
        leases.give_back(conn, token, lost)
    moved = {State.QUEUED: -due.queued, State.RETRYING: due.queued - due.count}
    tally.move(conn, alert_seq, channel, {**moved, State.SENDING: due.count - lost, State.GONE: lost})
    return token


def next_due(conn: Connection, channel: str, priority: int) -> datetime | None:
    found = scalar(conn, sql.NEXT_DUE, {"channel": channel, "priority": priority})
    return instant_or_none(found)


def extend(conn: Connection, token: int, *, until: datetime) -> None:
    run(conn, sql.EXTEND, {"token": token, "until": micros(until)})


def release(conn: Connection, token: int, ids: Sequence[int], *, due_at: datetime | None) -> None:
    """Put back what is still ours; the rest is left alone."""
    lane = leases.lane_of(conn, token)
    if lane is None:
        return
    terms = {"token": token, "ids": _text(list(ids)), "due_at": micros_or_none(due_at)}
    count = run(conn, sql.RELEASE, terms).rowcount
    tally.move(conn, *lane, {State.SENDING: -count, State.QUEUED: count})
    leases.give_back(conn, token, count)


def _text(ids: list[int]) -> str:
    return orjson.dumps(ids).decode()


class WorkPart:
    """`ports.stores.WorkStore`."""

    _db: Database

    async def claim(self, channel: str, priority: int, *, limit: int, now: datetime, lease: float) -> Claim | None:
        work = partial(claim, channel=channel, priority=priority, limit=limit, now=now, lease=lease)
        return await self._db.write(work)

    async def next_due(self, channel: str, priority: int) -> datetime | None:
        return await self._db.read(partial(next_due, channel=channel, priority=priority), urgent=True)

    async def extend(self, token: int, *, until: datetime) -> None:
        await self._db.write(partial(extend, token=token, until=until))

    async def settle(self, outcomes: Sequence[Outcomes]) -> int:
        return await self._db.write(partial(settle.settle, outcomes=outcomes))

    async def release(self, token: int, delivery_ids: Sequence[int], *, due_at: datetime | None = None) -> None:
        await self._db.write(partial(release, token=token, ids=delivery_ids, due_at=due_at))
