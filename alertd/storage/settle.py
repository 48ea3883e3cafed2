"""Writing outcomes as receipts: fenced by the lease's token, in few statements however many there are.

What the outcomes of a page have in common (the state, the reason) is bound once; what differs travels as one
JSON object from delivery id to a text of fixed places, the cheapest form SQLite can take apart (measured: a
third of the time of an array per row).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.delivery import ARRIVED, PENDING, Event, Reason, State, step
from alertd.ports.stores import Outcome
from alertd.storage import leases, tally
from alertd.storage.completion import close_if_done
from alertd.storage.connect import run, scalar
from alertd.storage.tally import Timing, bucket_of
from alertd.storage.types import clean, micros

OURS: Final = """
SELECT json_group_array(d.id) FROM json_each(:ids) j JOIN delivery d ON d.id = j.value
WHERE d.token = :token AND d.state = 'sending'
"""
SETTLE: Final = """
UPDATE delivery SET
  state = :state, reason = :reason, attempts = attempts + :attempted, exposed = exposed | :exposed,
  due_at = coalesce(nullif(CAST(substr(j.value, 1, 16) AS INTEGER), 0), due_at),
  started_at = CAST(substr(j.value, 17, 16) AS INTEGER),
  settled_at = CASE WHEN :pending THEN NULL ELSE CAST(substr(j.value, 33, 16) AS INTEGER) END,
  ref = coalesce(nullif(substr(j.value, 49), ''), ref)
FROM json_each(:batch) AS j
WHERE delivery.id = CAST(j.key AS INTEGER) AND token = :token AND state = 'sending'
"""
RETIRE: Final = """
UPDATE endpoint SET state = 'gone' WHERE id IN (
  SELECT d.endpoint_id FROM json_each(:ids) j JOIN delivery d ON d.id = j.value
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
        Event.RELEASE,
    )
}

_Kind = tuple[Event, Reason | None, bool]


@dataclass(slots=True)
class _Sum:
    """What a batch did to one lease; times in microseconds, `last` 0 while none of it settled a delivery."""

    states: Counter[State] = field(default_factory=Counter)
    answers: Counter[int] = field(default_factory=Counter)
    tried: int = 0
    first: int = 0
    last: int = 0
    latest: int = 0

    def add(self, state: State, started: Sequence[int], ended: Sequence[int], released_at: int) -> None:
        self.states[state] += len(ended)
        self.latest = max(self.latest, *ended)
        if state is State.QUEUED:
            return
        self.tried += len(ended)
        self.first = min(self.first or started[0], *started)
        if state not in PENDING:
            self.last = max(self.last, *ended)
        if state in ARRIVED:
            self.answers.update([bucket_of((at - released_at) / 1000) for at in ended])


def settle(conn: Connection, outcomes: Sequence[Outcome]) -> set[int]:
    """Write what is still ours; the ids written. A delivery with two outcomes gets one of them."""
    by_token: defaultdict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_token[outcome.token].append(outcome)
    written: set[int] = set()
    touched: dict[int, int] = {}
    for token, batch in by_token.items():
        lane = leases.lane_of(conn, token)
        mine = _ours(conn, token, batch) if lane is not None else []
        if lane is None or not mine:
            continue
        written.update([outcome.delivery_id for outcome in mine])
        total = _write(conn, token, mine, scalar(conn, RELEASED_AT, {"seq": lane[0]}))
        _account(conn, token, lane, total)
        touched[lane[0]] = max(total.latest, touched.get(lane[0], 0))
    for alert_seq, at in touched.items():
        close_if_done(conn, alert_seq, at)
    return written


def _ours(conn: Connection, token: int, batch: Sequence[Outcome]) -> Sequence[Outcome]:
    """Those whose delivery is still out under this lease, each delivery once."""
    ids = orjson.dumps([outcome.delivery_id for outcome in batch]).decode()
    still_out = set(orjson.loads(scalar(conn, OURS, {"ids": ids, "token": token})))
    if len(still_out) == len(batch):
        return batch
    last = {outcome.delivery_id: outcome for outcome in batch}
    return [outcome for delivery_id, outcome in last.items() if delivery_id in still_out]


def _write(conn: Connection, token: int, outcomes: Sequence[Outcome], released_at: int) -> _Sum:
    total = _Sum()
    for (event, reason, exposed), batch in _by_kind(outcomes).items():
        state = AFTER[event]
        started = [micros(outcome.started_at) for outcome in batch]
        ended = [micros(outcome.ended_at) for outcome in batch]
        terms = {"token": token, "state": state, "reason": reason, "exposed": int(exposed)}
        terms["attempted"] = int(state is not State.QUEUED)
        terms["pending"] = int(state in PENDING)
        run(conn, SETTLE, {**terms, "batch": orjson.dumps(_pack(batch, started, ended)).decode()})
        if event is Event.RETIRE:
            run(conn, RETIRE, {"ids": orjson.dumps([outcome.delivery_id for outcome in batch]).decode()})
        total.add(state, started, ended, released_at)
    return total


def _by_kind(outcomes: Sequence[Outcome]) -> dict[_Kind, list[Outcome]]:
    """What one statement can write. Neighbours are mostly alike, so the key is seldom hashed."""
    kinds: dict[_Kind, list[Outcome]] = {}
    event, reason, exposed = None, None, None
    batch: list[Outcome] = []
    for outcome in outcomes:
        if outcome.event is not event or outcome.reason is not reason or outcome.exposed is not exposed:
            event, reason, exposed = outcome.event, outcome.reason, outcome.exposed
            batch = kinds.setdefault((event, reason, exposed), [])
        batch.append(outcome)
    return kinds


def _pack(outcomes: Sequence[Outcome], started: Sequence[int], ended: Sequence[int]) -> dict[str, str]:
    """By delivery id: due, started and ended in microseconds, 16 digits each, then the provider's reference."""
    packed = {}
    for outcome, begin, end in zip(outcomes, started, ended, strict=True):
        due = 0 if outcome.due_at is None else micros(outcome.due_at)
        packed[str(outcome.delivery_id)] = f"{due:016d}{begin:016d}{end:016d}{clean(outcome.ref or '')}"
    return packed


def _account(conn: Connection, token: int, lane: tuple[int, str], total: _Sum) -> None:
    """Move the tally and return the lease."""
    out = total.states.total()
    tally.move(conn, *lane, {State.SENDING: -out, **total.states}, attempts=total.tried)
    leases.give_back(conn, token, out)
    if total.tried:
        tally.mark(conn, *lane, Timing(total.first, total.last, total.answers))
