"""Writing outcomes as receipts: fenced by the lease's token, in few statements however many there are.

What the outcomes of a page have in common (the state, the reason, mostly when they began) is bound once, and the ids
travel as one JSON array: 2.7 µs each. Where more differs it travels as one JSON object from delivery id to a text of
fixed places, the cheapest form SQLite can take apart: 5 µs each, a third of the time of an array per row.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.delivery import ARRIVED, PENDING, Event, State, step
from alertd.ports.stores.work import Outcome, Outcomes
from alertd.storage import leases, tally
from alertd.storage.completion import close_if_done
from alertd.storage.connect import run, scalar
from alertd.storage.tally import Timing, bucket_of
from alertd.storage.types import clean

_WRITE: Final = """
UPDATE delivery SET
  state = :state, reason = :reason, attempts = attempts + :tried, exposed = exposed | :exposed,
  settled_at = :settled_at, started_at = CASE WHEN :tried THEN {started} ELSE started_at END{more}
{source}AND token = :token AND state = 'sending'
"""
ALIKE: Final = _WRITE.format(
    started=":started_at", more="", source="WHERE id IN (SELECT value FROM json_each(:batch)) "
)
SETTLE: Final = _WRITE.format(
    started="CAST(substr(j.value, 17, 16) AS INTEGER)",
    more=""",
  due_at = coalesce(nullif(CAST(substr(j.value, 1, 16) AS INTEGER), 0), due_at),
  ref = coalesce(nullif(substr(j.value, 33), ''), ref)""",
    source="FROM json_each(:batch) AS j WHERE delivery.id = CAST(j.key AS INTEGER) ",
)
RETIRE: Final = """
UPDATE endpoint SET state = 'gone' WHERE id IN (
  SELECT d.endpoint_id FROM json_each(:ids) j JOIN delivery d ON d.id = j.value
  WHERE d.token = :token AND d.state = 'gone'
)
"""
RELEASED_AT: Final = "SELECT released_at FROM alert WHERE seq = :seq"

AFTER: Final[Mapping[Event, State]] = {
    event: step(State.SENDING, event)
    for event in (
        Event.ACCEPT,
        Event.DELIVER,
        Event.RETRY,
        Event.FAIL,
        Event.RETIRE,
        Event.EXPIRE,
        Event.SUPERSEDE,
    )
}

_FEW: Final = 16
"""Attempts that began together, on average, from which a statement for each beginning is the cheaper way."""


@dataclass(slots=True)
class _Sum:
    """What a batch did to one lease; times in microseconds, `last` 0 while none of it settled a delivery."""

    states: Counter[State] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    tried: int = 0
    first: int = 0
    last: int = 0
    latest: int = 0

    def add(self, state: State, count: int, outcomes: Outcomes, released_at: int) -> None:
        """`count` of these outcomes were written."""
        self.states[state] += count
        self.latest = max(self.latest, outcomes.ended_at)
        if not outcomes.tried:
            return
        self.tried += count
        first = min((*outcomes.alike, *(attempt.started_at for attempt in outcomes.attempts)))
        self.first = min(self.first or first, first)
        if state not in PENDING:
            self.last = max(self.last, outcomes.ended_at)
        if state in ARRIVED:
            self.answers[bucket_of((outcomes.ended_at - released_at) / 1000)] += count


def settle(conn: Connection, outcomes: Sequence[Outcomes]) -> int:
    """Write what is still ours; how many that was. A delivery with two outcomes gets one of them."""
    by_token: defaultdict[int, list[Outcomes]] = defaultdict(list)
    for alike in outcomes:
        by_token[alike.token].append(alike)
    written = 0
    touched: dict[int, int] = {}
    for token, batches in by_token.items():
        lane = leases.lane_of(conn, token)
        if lane is None:
            continue
        total = _Sum()
        released_at = scalar(conn, RELEASED_AT, {"seq": lane[0]})
        for batch in batches:
            state = AFTER[batch.event]
            count = _write(conn, state, batch)
            if count:
                total.add(state, count, batch, released_at)
        if total.latest:
            written += _account(conn, token, lane, total)
            touched[lane[0]] = max(total.latest, touched.get(lane[0], 0))
    for alert_seq, at in touched.items():
        close_if_done(conn, alert_seq, at)
    return written


def _write(conn: Connection, state: State, outcomes: Outcomes) -> int:
    terms: dict[str, object] = {
        "token": outcomes.token,
        "state": state,
        "reason": outcomes.reason,
        "exposed": int(outcomes.exposed),
        "tried": int(outcomes.tried),
        "settled_at": None if state in PENDING else outcomes.ended_at,
    }
    alike, attempts = outcomes.alike, outcomes.attempts
    if len(alike) * _FEW > len(outcomes) + _FEW:
        alike, attempts = {}, outcomes.each
    count = 0
    for started_at, ids in alike.items():
        several = {**terms, "started_at": started_at, "batch": orjson.dumps(ids).decode()}
        count += run(conn, ALIKE, several).rowcount
    if attempts:
        count += run(conn, SETTLE, {**terms, "batch": orjson.dumps(_pack(attempts)).decode()}).rowcount
    if outcomes.event is Event.RETIRE:
        ids = [attempt.delivery_id for attempt in outcomes.each]
        run(conn, RETIRE, {"ids": orjson.dumps(ids).decode(), "token": outcomes.token})
    return count


def _pack(attempts: Sequence[Outcome]) -> dict[str, str]:
    """By delivery id: due and started in microseconds, 16 digits each, then the provider's reference."""
    return {
        str(delivery_id): f"{due_at:016d}{started_at:016d}{clean(ref or '')}"
        for delivery_id, started_at, due_at, ref in attempts
    }


def _account(conn: Connection, token: int, lane: tuple[int, str], total: _Sum) -> int:
    """Move the tally and return the lease; how many of its deliveries came back."""
    out = total.states.total()
    tally.move(conn, *lane, {State.SENDING: -out, **total.states}, attempts=total.tried)
    leases.give_back(conn, token, out)
    if total.tried:
        tally.mark(conn, *lane, Timing(total.first, total.last, total.answers))
    return out
