"""What the store's tests share: alerts and subscribers in a line, and a store whose every transition is watched."""

import itertools
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from alertd.domain.alert import (
    Alert,
    AlertState,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Purpose,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.delivery import TRANSITIONS, Event, Reason, State
from alertd.domain.subscriber import Cohort, Consent, Endpoint, EndpointState, Preference, Subscriber
from alertd.domain.times import micros
from alertd.ports.stores.intake import ChannelPlan, NewAlert, StoredAlert, Target
from alertd.ports.stores.work import Claim, Outcome, Outcomes
from alertd.storage import Store
from tests.support.fresh_store import lay

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

PUSH = ChannelPlan("push", "webpush", broadcast=False, provable=State.ACCEPTED)
CHAT = ChannelPlan("chat", "telegram", broadcast=True, provable=State.DELIVERED, idempotent=False)
MAIL = ChannelPlan("mail", "email", broadcast=False, provable=State.DELIVERED)
HOOK = ChannelPlan("hook", "webhook", broadcast=True, provable=State.DELIVERED)

EVERYONE = (Target("*", 1, 3),)
ALL_BLOCKS = 2**60 - 1

_WATCH = """
CREATE TABLE IF NOT EXISTS watched (old TEXT, new TEXT);
CREATE TRIGGER IF NOT EXISTS watch AFTER UPDATE OF state ON delivery WHEN OLD.state <> NEW.state
BEGIN INSERT INTO watched VALUES (OLD.state, NEW.state); END;
"""
_numbers = itertools.count(1)


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@asynccontextmanager
async def opened(folder: Path, *, exclusive: bool = True) -> AsyncIterator[Store]:
    """A store in `folder` that keeps a record of every state a delivery ever moves from and to."""
    path = folder / "alertd.db"
    lay(path)
    async with Store.open(url(path), exclusive=exclusive, now=lambda: NOW) as store:
        with closing(sqlite3.connect(path)) as raw:
            raw.executescript(_WATCH)
        yield store


def sql(folder: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Look past the store, at what it really keeps."""
    with closing(sqlite3.connect(folder / "alertd.db")) as raw:
        return raw.execute(statement, parameters).fetchall()


def check_whole(folder: Path) -> None:
    """What must hold at every moment: legal transitions, tallies equal to a recount, leases and audit in order."""
    legal = {(before, after) for (before, _), after in TRANSITIONS.items()}
    seen = {(State(old), State(new)) for old, new in sql(folder, "SELECT DISTINCT old, new FROM watched")}
    assert seen <= legal, f"not in the table of transitions: {seen - legal}"

    counted: Counter[tuple[int, str, str]] = Counter()
    for seq, channel, state, count in sql(
        folder, "SELECT alert_seq, channel, state, count(*) FROM delivery GROUP BY 1, 2, 3"
    ):
        counted[seq, channel, state] = count
    columns = ", ".join(State)
    for seq, channel, *sums in sql(folder, f"SELECT alert_seq, channel, {columns} FROM tally"):
        for state, kept in zip(State, sums, strict=True):
            assert kept == counted.pop((seq, channel, state.value), 0), (seq, channel, state)
    assert not counted, f"deliveries without a tally: {counted}"

    out = sql(folder, "SELECT count(*) FROM delivery WHERE state = 'sending'")[0][0]
    leased = sql(folder, "SELECT coalesce(sum(open), 0), coalesce(min(open), 1) FROM lease")[0]
    assert leased[0] == out
    assert leased[1] > 0, "a lease without deliveries was left behind"


def an_alert(**changes: Any) -> Alert:
    n = next(_numbers)
    info = Info(
        "it-IT",
        (Category.MET,),
        "Temporali forti",
        Urgency.EXPECTED,
        Severity.SEVERE,
        Certainty.LIKELY,
        area=(Area("Tutto il territorio", ("*",)),),
    )
    alert = Alert(
        f"alert-{n}",
        f"it-{n}",
        "pc@comune.example.it",
        "2026-11-21T12:00:00+01:00",
        Status.ACTUAL,
        MsgType.ALERT,
        Scope.PUBLIC,
        Purpose.EMERGENCY,
        (info,),
    )
    return replace(alert, **changes)


def new(
    *plans: ChannelPlan, targets: Sequence[Target] = EVERYONE, alert: Alert | None = None, **changes: Any
) -> NewAlert:
    made = NewAlert(
        alert=alert or an_alert(),
        state=AlertState.PENDING,
        priority=0,
        accepted_at=NOW,
        deadline=NOW + 6 * HOUR,
        actor="officer",
        cohort=Cohort.PUBLIC,
        plans=plans or (PUSH,),
        targets=tuple(targets),
    )
    return replace(made, **changes)


def following(
    original: Alert, msg_type: MsgType, *plans: ChannelPlan, older: Sequence[str] = (), **changes: Any
) -> NewAlert:
    """An Update or a Cancel of `original`, which itself follows `older`."""
    ends = AlertState.CANCELLED if msg_type is MsgType.CANCEL else AlertState.SUPERSEDED
    targets = () if msg_type is MsgType.CANCEL else EVERYONE
    terms = {"targets": targets, "ancestors": (original.id, *older), "ends": ends, **changes}
    return new(*plans, alert=an_alert(msg_type=msg_type), **terms)


def a_subscriber(
    name: str,
    *endpoints: Endpoint,
    zones: Iterable[str] = ("048028",),
    language: str = "it-IT",
    purposes: Iterable[Purpose] = (Purpose.EMERGENCY,),
    min_severity: Severity = Severity.MINOR,
    cohort: Cohort = Cohort.PUBLIC,
) -> Subscriber:
    return Subscriber(
        name,
        Preference(language, tuple(zones), frozenset(purposes), min_severity),
        cohort,
        endpoints or (Endpoint("push", f"https://push.example.net/{name}"),),
        Consent("import", NOW),
        NOW,
        NOW,
    )


def mail(name: str, state: EndpointState = EndpointState.ACTIVE) -> Endpoint:
    return Endpoint("mail", f"{name}@example.org", state=state)


async def enrolled(store: Store, count: int, **changes: Any) -> None:
    await store.enrol([a_subscriber(f"s{next(_numbers)}", **changes) for _ in range(count)], actor="import")


async def plan_all(store: Store, *, window: int = 1_000, now: datetime = NOW) -> int:
    """Plan until nothing is left to do, or everything left waits for deliveries in flight."""
    inserted, waiting = 0, []
    while (job := await store.next_plan(waiting)) is not None:
        planned = await store.plan_page(job, window=window, now=now)
        inserted += planned.inserted
        if planned.waiting:
            waiting.append(job)
    return inserted


class Row(NamedTuple):
    """A claimed delivery by itself."""

    delivery_id: int
    alert_id: str
    language: str
    blocks: int
    endpoint_id: int
    address: str
    attempts: int
    thread: str | None


def rows_of(claim: Claim) -> list[Row]:
    """What was claimed, one by one, in the order of endpoints."""
    made = [
        Row(number, claim.alert_id, told.language, told.blocks, *rest)
        for told in claim.told
        for number, *rest in zip(
            told.delivery_ids, told.endpoint_ids, told.addresses, told.attempts, told.threads, strict=True
        )
    ]
    return sorted(made, key=lambda row: row.endpoint_id)


async def claimed(store: Store, channel: str = "push", *, limit: int = 1_000, now: datetime = NOW) -> Claim:
    claim = await store.claim(channel, 0, limit=limit, now=now, lease=60)
    assert claim is not None, "nothing was due"
    return claim


def outcomes(
    claim: Claim,
    event: Event,
    reason: Reason | None = None,
    *,
    ids: Iterable[int] | None = None,
    due_at: datetime = NOW + 10 * SECOND,
    ended_at: datetime = NOW + 2 * SECOND,
    **changes: Any,
) -> list[Outcomes]:
    """Everything of the claim, or `ids` of it, ends like this; a reference for what arrived."""
    wanted = {row.delivery_id for row in rows_of(claim)} if ids is None else set(ids)
    arrived = event in (Event.ACCEPT, Event.DELIVER)
    due = micros(due_at) if event is Event.RETRY else 0
    attempts = [
        Outcome(row.delivery_id, micros(NOW + SECOND), due, f"ref-{row.delivery_id}" if arrived else None)
        for row in rows_of(claim)
        if row.delivery_id in wanted
    ]
    made = Outcomes(claim.token, event, reason, arrived, micros(ended_at), attempts)
    return [replace(made, **changes)] if attempts else []


async def sent(store: Store, channel: str = "push", *, now: datetime = NOW) -> int:
    """Carry everything due, with success."""
    count = 0
    while (claim := await store.claim(channel, 0, limit=1_000, now=now, lease=60)) is not None:
        count += await store.settle(outcomes(claim, Event.ACCEPT))
    return count


async def states(store: Store, alert_id: str, channel: str = "push") -> dict[State, int]:
    tally = next(t for t in await store.tallies(alert_id) if t.channel == channel)
    return {state: count for state, count in tally.states.items() if count}


async def state_of(store: Store, alert: Alert | StoredAlert) -> AlertState:
    alert_id = alert.id if isinstance(alert, Alert) else alert.alert.id
    return (await store.get_alert(alert_id)).state
