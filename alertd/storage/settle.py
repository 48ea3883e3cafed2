"""Writing outcomes as receipts: fenced by the lease's token, in few statements however many there are.

What the outcomes of a page have in common (the state, the reason) is bound once; what differs travels as one
JSON object from delivery id to a text of fixed places, the cheapest form SQLite can take apart (measured: a
third of the time of an array per row).
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.delivery import ARRIVED, PENDING, Event, Reason, State, step
from alertd.ports.stores import Outcome
from alertd.storage import leases, tally
from alertd.storage.completion import close_if_done
from alertd.storage.connect import run, scalar
from alertd.storage.tally import Timing, bucket_of
from alertd.storage.types import micros

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


def settle(conn: Connection, outcomes: Sequence[Outcome]) -> set[int]:
    """Write what is still ours; the ids written. A delivery with two outcomes gets one of them."""
    by_token: defaultdict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_token[outcome.token].append(outcome)
    written: set[int] = set()
    touched: dict[int, int] = {}
    for token, batch in by_token.items():
        lane = leases.lane_of(conn, token)
        if lane is None:
            continue
        mine = _ours(conn, token, batch)
        if mine:
            written.update(outcome.delivery_id for outcome in mine)
            _write(conn, token, mine)
            touched[lane[0]] = max(_account(conn, token, lane, mine), touched.get(lane[0], 0))
    for alert_seq, at in touched.items():
        close_if_done(conn, alert_seq, at)
    return written


def _ours(conn: Connection, token: int, batch: Sequence[Outcome]) -> list[Outcome]:
    """Those whose delivery is still out under this lease, each delivery once."""
    ids = orjson.dumps([outcome.delivery_id for outcome in batch]).decode()
    still_out = set(orjson.loads(scalar(conn, OURS, {"ids": ids, "token": token})))
    if len(still_out) == len(batch):
        return list(batch)
    last = {outcome.delivery_id: outcome for outcome in batch}
    return [outcome for delivery_id, outcome in last.items() if delivery_id in still_out]


def _write(conn: Connection, token: int, outcomes: Sequence[Outcome]) -> None:
    for (event, reason, exposed), batch in _by_kind(outcomes).items():
        state = AFTER[event]
        terms = {"token": token, "state": state, "reason": reason, "exposed": int(exposed)}
        terms["attempted"] = int(state is not State.QUEUED)
        terms["pending"] = int(state in PENDING)
        run(conn, SETTLE, {**terms, "batch": orjson.dumps(_pack(batch)).decode()})
        if event is Event.RETIRE:
            ids = [outcome.delivery_id for outcome in batch]
            run(conn, RETIRE, {"ids": orjson.dumps(ids).decode()})


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


def _pack(outcomes: Sequence[Outcome]) -> dict[str, str]:
    """By delivery id: due, started and ended in microseconds, 16 digits each, then the provider's reference."""
    packed = {}
    for delivery_id, _, _, _, ref, due_at, _, started_at, ended_at in outcomes:
        due = 0 if due_at is None else micros(due_at)
        packed[str(delivery_id)] = f"{due:016d}{micros(started_at):016d}{micros(ended_at):016d}{ref or ''}"
    return packed


def _account(conn: Connection, token: int, lane: tuple[int, str], outcomes: Sequence[Outcome]) -> int:
    """Move the tally and return the lease; when the last attempt ended, in microseconds."""
    alert_seq, channel = lane
    states = {AFTER[event]: count for event, count in Counter(outcome.event for outcome in outcomes).items()}
    tried = len(outcomes) - states.get(State.QUEUED, 0)
    moved = {State.SENDING: -len(outcomes), **states}
    tally.move(conn, alert_seq, channel, moved, attempts=tried)
    leases.give_back(conn, token, len(outcomes))
    if tried:
        released_at = scalar(conn, RELEASED_AT, {"seq": alert_seq})
        tally.mark(conn, alert_seq, channel, _timing(outcomes, released_at))
    return micros(max(outcome.ended_at for outcome in outcomes))


def _timing(outcomes: Sequence[Outcome], released_at: int) -> Timing:
    tried = [outcome for outcome in outcomes if outcome.event is not Event.RELEASE]
    settled = [outcome.ended_at for outcome in tried if AFTER[outcome.event] not in PENDING]
    arrived = [outcome.ended_at for outcome in tried if AFTER[outcome.event] in ARRIVED]
    return Timing(
        first=micros(min(outcome.started_at for outcome in tried)),
        last=micros(max(settled)) if settled else 0,
        answers=Counter(bucket_of((micros(ended_at) - released_at) / 1000) for ended_at in arrived),
    )
