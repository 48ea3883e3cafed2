"""Planning: an alert's deliveries on one channel, a window of endpoints at a time, inserted by the database itself.

First those who may have got what this alert follows (Update, Cancel), nearest ancestor first, again and again
until none of the ancestors' deliveries is in flight; then, unless it is a Cancel, the alert's own audience.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from alertd.domain.alert import MsgType, Purpose
from alertd.domain.delivery import State
from alertd.domain.times import micros
from alertd.ports.stores.plan import PlanJob, Planned
from alertd.storage import plan_sql as sql
from alertd.storage import selection, tally
from alertd.storage.completion import close_if_done
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.types import purpose_bit

_OWN: Final = 0
_START: Final = -1
_FEW: Final = 2_000
"""Subscribers that are planned in one step: some milliseconds, which an accept may have to wait."""


@dataclass(slots=True)
class _Plan:
    """Where one plan stands; `seq` to `targets` are the alert's."""

    seq: int
    channel: str
    broadcast: bool
    depth: int
    cursor: int
    upper: int | None
    zone_sets: int
    in_flight: int | None
    fresh: int
    msg_type: str
    purpose: str
    cohort: str
    targets: str
    done: bool = False
    waiting: bool = False


def next_plan(conn: Connection, skip: Sequence[PlanJob]) -> PlanJob | None:
    """The most pressing open plan that is not in `skip`."""
    skipped = {(job.alert_seq, job.channel) for job in skip}
    for row in run(conn, sql.NEXT, {"limit": len(skipped) + 1}).fetchall():
        if (row[0], row[2]) not in skipped:
            return PlanJob(row[0], row[1], row[2], row[3], bool(row[4]))
    return None


def plan_page(conn: Connection, job: PlanJob, *, window: int, now: datetime) -> Planned:
    """One step of one plan; nothing where it was ended meanwhile (stopped, expired)."""
    found = run(conn, sql.PLAN, {"seq": job.alert_seq, "channel": job.channel}).fetchone()
    if found is None:
        return Planned(0, done=True)
    plan = _Plan(*found)
    at = micros(now)
    inserted = _follow(conn, plan, window, at) if plan.depth != _OWN else _own(conn, plan, window, at)
    if inserted:
        tally.move(conn, plan.seq, plan.channel, {State.QUEUED: inserted})
    if not plan.waiting:
        _keep(conn, plan)
        run(conn, sql.BEGUN, {"seq": plan.seq})
    if plan.done:
        close_if_done(conn, plan.seq, at)
    others = scalar(conn, sql.OTHERS, {"seq": plan.seq, "channel": plan.channel})
    return Planned(inserted, plan.done, plan.waiting, alone=not others)


def _own(conn: Connection, plan: _Plan, window: int, at: int) -> int:
    """The next window of the alert's own audience."""
    if plan.broadcast:
        plan.done = True
        return run(conn, sql.POST, {"seq": plan.seq, "channel": plan.channel, "now": at}).rowcount
    if plan.cursor == _START and (inserted := _few(conn, plan, min(window, _FEW), at)) is not None:
        plan.done = True
        return inserted
    lane = {"channel": plan.channel}
    if plan.upper is None:
        plan.upper = scalar(conn, sql.UPPER, lane) or 0
    reach = {**lane, "cursor": plan.cursor, "upper": plan.upper, "window": window}
    until, count = run(conn, sql.OWN_WINDOW, reach).fetchone()
    plan.done = count < window
    if until is None:
        return 0
    terms = {**_terms(conn, plan, at), "cursor": plan.cursor, "until": until}
    plan.cursor = until
    return run(conn, sql.OWN, terms).rowcount


def _few(conn: Connection, plan: _Plan, most: int, at: int) -> int | None:
    """All of an audience of few at once; None where they are more, or everybody."""
    terms = _terms(conn, plan, at)
    if not terms["zoned"] or any(terms[mask] for mask in selection.WHOLE):
        return None
    if scalar(conn, sql.FEW, {"seq": plan.seq, "limit": most + 1}) > most:
        return None
    return run(conn, sql.OWN_FEW, terms).rowcount


def _follow(conn: Connection, plan: _Plan, window: int, at: int) -> int:
    """The next window of those an ancestor may have reached, or the decision to wait, repeat or go on."""
    flying = scalar(conn, sql.IN_FLIGHT, {"seq": plan.seq, "channel": plan.channel})
    if _begins_pass(plan):
        if plan.in_flight is not None and plan.in_flight == flying:
            plan.waiting = True
            return 0
        plan.in_flight = flying
    which = {"seq": plan.seq, "depth": plan.depth, "channel": plan.channel}
    reach = {**which, "cursor": plan.cursor, "window": window}
    until, count = run(conn, sql.FOLLOW_WINDOW, reach).fetchone()
    inserted = 0
    if until is not None:
        statement = sql.FOLLOW_POST if plan.broadcast else sql.FOLLOW
        terms = {**_terms(conn, plan, at), "depth": plan.depth, "cursor": plan.cursor, "until": until, "flying": flying}
        inserted = run(conn, statement, terms).rowcount
        plan.cursor = until
    if count < window:
        _next_ancestor(conn, plan)
    return inserted


def _begins_pass(plan: _Plan) -> bool:
    return plan.depth == 1 and plan.cursor == _START


def _next_ancestor(conn: Connection, plan: _Plan) -> None:
    """On to the next older ancestor; after the last one again from the nearest, if this pass missed any in flight."""
    plan.cursor = _START
    plan.depth += 1
    if scalar(conn, sql.HAS_ANCESTOR, {"seq": plan.seq, "depth": plan.depth}):
        return
    if plan.in_flight:
        plan.depth = 1
    else:
        plan.depth = _OWN
        plan.done = plan.msg_type == MsgType.CANCEL


def _terms(conn: Connection, plan: _Plan, at: int) -> dict[str, Any]:
    matcher = selection.Matcher(selection.targets_of(plan.targets))
    plan.zone_sets = selection.select_sets(conn, plan.seq, matcher, known=plan.zone_sets)
    return {
        "seq": plan.seq,
        "channel": plan.channel,
        "fresh": plan.fresh,
        "cohort": plan.cohort,
        "purpose": purpose_bit(Purpose(plan.purpose)),
        "now": at,
        **selection.whole(matcher),
    }


def _keep(conn: Connection, plan: _Plan) -> None:
    run(
        conn,
        sql.KEEP,
        {
            "seq": plan.seq,
            "channel": plan.channel,
            "depth": plan.depth,
            "cursor": plan.cursor,
            "upper": plan.upper,
            "zone_sets": plan.zone_sets,
            "in_flight": plan.in_flight,
            "done": plan.done,
        },
    )


class PlanPart:
    """`ports.stores.PlanStore`."""

    _db: Database

    async def next_plan(self, skip: Sequence[PlanJob] = ()) -> PlanJob | None:
        return await self._db.read(partial(next_plan, skip=skip), urgent=True)

    async def plan_page(self, job: PlanJob, *, window: int, now: datetime) -> Planned:
        return await self._db.write(partial(plan_page, job=job, window=window, now=now))
