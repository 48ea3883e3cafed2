"""Settle: verdicts become receipts, many in one commit; what comes next is decided here and nowhere else."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from alertd.core.fittings import Fittings
from alertd.domain.alert import Purpose
from alertd.domain.delivery import (
    OUTCOME_UNKNOWN,
    Accepted,
    Delivered,
    Event,
    Gone,
    Halt,
    Reason,
    Refused,
    Retry,
    Verdict,
)
from alertd.domain.problems import Unavailable
from alertd.domain.retry import RetryPolicy, may_repeat
from alertd.ports.clock import Chance
from alertd.ports.stores import Outcome, WorkStore

FLUSH_SECONDS = 0.02
FLUSH_SIZE = 1_000
_STORE_PAUSE = 1.0
_LONGEST_REF = 500


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of an attempt besides its verdict. `attempts` counts this one."""

    delivery_id: int
    token: int
    alert_id: str
    channel: str
    priority: int
    purpose: Purpose
    idempotent: bool
    attempts: int
    deadline: datetime
    started_at: datetime


def outcome(attempt: Attempt, verdict: Verdict, *, policy: RetryPolicy, now: datetime, chance: float) -> Outcome:
    """What a verdict makes of a delivery. Pure."""

    def to(
        event: Event,
        reason: Reason | None,
        *,
        ref: str | None = None,
        due: datetime | None = None,
        exposed: bool = False,
    ) -> Outcome:
        return Outcome(
            attempt.delivery_id, attempt.token, event, reason, _clean(ref), due, exposed, attempt.started_at, now
        )

    match verdict:
        case Accepted(ref) | Delivered(ref):
            arrived = Event.ACCEPT if isinstance(verdict, Accepted) else Event.DELIVER
            return to(arrived, None, ref=ref, exposed=True)
        case Refused(Reason.EXPIRED):
            return to(Event.EXPIRE, Reason.EXPIRED)
        case Refused(reason):
            return to(Event.FAIL, reason)
        case Gone(reason):
            return to(Event.RETIRE, reason)
        case Halt(reason):
            event, why, due = _again(attempt, Retry(reason), policy, now, chance)
            return to(event, why, due=due)
        case Retry(reason):
            event, why, due = _again(attempt, verdict, policy, now, chance)
            return to(event, why, due=due, exposed=reason in OUTCOME_UNKNOWN)
        case _:
            assert_never(verdict)


def _again(
    attempt: Attempt, verdict: Retry, policy: RetryPolicy, now: datetime, chance: float
) -> tuple[Event, Reason, datetime | None]:
    if not may_repeat(verdict.reason, idempotent=attempt.idempotent, purpose=attempt.purpose):
        return Event.FAIL, verdict.reason, None
    due = policy.next_due(verdict, attempts=attempt.attempts, now=now, deadline=attempt.deadline, chance=chance)
    if due is not None:
        return Event.RETRY, verdict.reason, due
    if attempt.attempts >= policy.max_attempts:
        return Event.FAIL, verdict.reason, None
    return Event.EXPIRE, verdict.reason, None


class Settler:
    """Collects outcomes and commits them together: after FLUSH_SECONDS, or FLUSH_SIZE of them."""

    def __init__(
        self,
        store: WorkStore,
        fittings: Fittings,
        *,
        chance: Chance,
        policy: Callable[[], RetryPolicy],
    ) -> None:
        self._store = store
        self._fit = fittings
        self._chance = chance
        self._policy = policy
        self._waiting: list[tuple[Attempt, Outcome]] = []
        self._full = asyncio.Event()
        self._some = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, attempt: Attempt, verdict: Verdict) -> None:
        """Take a verdict; it is durable once `drained`."""
        self._fit.failpoint("answered")
        self._fit.metrics.attempt(attempt.channel, verdict)
        made = outcome(attempt, verdict, policy=self._policy(), now=self._fit.clock.now(), chance=self._chance())
        self._waiting.append((attempt, made))
        self._empty.clear()
        self._some.set()
        if len(self._waiting) >= FLUSH_SIZE:
            self._full.set()

    async def drained(self) -> None:
        """Return when everything put so far is durable."""
        self._full.set()
        await self._empty.wait()

    async def run(self) -> None:
        """Until cancelled; stop it only after `drained`. A store that refuses is asked again, nothing is dropped."""
        while True:
            await self._some.wait()
            if not self._full.is_set():
                await self._linger()
            batch, self._waiting = self._waiting[:FLUSH_SIZE], self._waiting[FLUSH_SIZE:]
            if len(self._waiting) < FLUSH_SIZE:
                self._full.clear()
            await self._flush(batch)
            if not self._waiting:
                self._some.clear()
                self._empty.set()

    async def _linger(self) -> None:
        timer = asyncio.ensure_future(self._fit.clock.sleep(FLUSH_SECONDS))
        full = asyncio.ensure_future(self._full.wait())
        try:
            await asyncio.wait((timer, full), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            full.cancel()

    async def _flush(self, batch: list[tuple[Attempt, Outcome]]) -> None:
        """Commit a batch. One that the store cannot even read is halved until the poison stands alone."""
        try:
            ours = await self._commit([made for _, made in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, the other receipts must not be lost with it
            self._fit.log.error("receipts could not be written", count=len(batch), error=repr(error))
            if len(batch) > 1:
                half = len(batch) // 2
                await self._flush(batch[:half])
                await self._flush(batch[half:])
            elif batch[0][1].ref is not None or batch[0][1].event is not Event.FAIL:
                attempt, made = batch[0]
                bare = made._replace(event=Event.FAIL, reason=Reason.BUG, ref=None, due_at=None, exposed=True)
                await self._flush([(attempt, bare)])
            return
        self._fit.failpoint("settle")
        self._fit.metrics.settle_batch.observe(len(batch))
        if len(ours) < len(batch):
            self._fit.metrics.fenced.inc(len(batch) - len(ours))
        for channel, priority in {(a.channel, a.priority) for a, o in batch if o.event is Event.RETRY}:
            self._fit.bells.ring_lane(channel, priority)
        for alert_id in {attempt.alert_id for attempt, _ in batch}:
            self._fit.bells.changed(alert_id)

    async def _commit(self, outcomes: list[Outcome]) -> set[int]:
        while True:
            try:
                return await self._store.settle(outcomes)
            except Unavailable as error:
                self._fit.readiness.refused(error)
                self._fit.log.error("receipts wait for the store", waiting=len(outcomes), error=str(error))
                await self._fit.clock.sleep(_STORE_PAUSE)


def _clean(ref: str | None) -> str | None:
    """A provider's reference comes from the network: only what can be printed is kept, and not much of it."""
    return "".join(c for c in ref[:_LONGEST_REF] if c.isprintable()) or None if ref else None
