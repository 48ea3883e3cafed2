"""Settle: what became of attempts is committed as receipts, many together."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from alertd.core.fate import Errand, Fate, fate
from alertd.core.fittings import Fittings
from alertd.domain.delivery import Event, Reason, Verdict
from alertd.domain.priority import RESERVED
from alertd.domain.problems import Unavailable
from alertd.domain.retry import RetryPolicy
from alertd.ports.clock import Chance
from alertd.ports.stores.work import Outcomes, WorkStore

FLUSH_SECONDS = 0.02
FLUSH_SIZE = 2_000
MOST_WAITING = 10_000
"""Outcomes beyond which nothing new is begun: they take memory, a crash would repeat them, and their leases run out.
The emergency begins until there are twice as many, so that it never waits for other people's receipts."""
_STORE_PAUSE = 1.0


_Batch = list[tuple[Errand, Outcomes]]


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
        self._waiting: deque[tuple[Errand, Outcomes]] = deque()
        self._count = 0
        self._full = asyncio.Event()
        self._some = asyncio.Event()
        self._eased = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def fate(self, errand: Errand, verdict: Verdict, attempts: int) -> Fate:
        """What becomes of a delivery now."""
        now, chance = self._fit.clock.now(), self._chance()
        return fate(errand, verdict, attempts=attempts, policy=self._policy(), now=now, chance=chance)

    def put(self, errand: Errand, outcomes: Outcomes) -> None:
        """Take what became of some attempts; it is durable once `drained`."""
        self._fit.failpoint("answered")
        self._waiting.append((errand, outcomes))
        self._count += len(outcomes)
        self._empty.clear()
        self._some.set()
        if self._count >= FLUSH_SIZE:
            self._full.set()

    async def room(self, priority: int) -> None:
        """Return when a lane of this priority may begin more."""
        most = 2 * MOST_WAITING if priority in RESERVED else MOST_WAITING
        while self._count >= most:
            self._eased.clear()
            await self._eased.wait()

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
            batch = self._take()
            if self._count < FLUSH_SIZE:
                self._full.clear()
            await self._flush(batch)
            self._eased.set()
            if not self._waiting:
                self._some.clear()
                self._empty.set()

    def _take(self) -> _Batch:
        """The oldest, together at least FLUSH_SIZE attempts or all there are."""
        batch: _Batch = []
        size = 0
        while self._waiting and size < FLUSH_SIZE:
            batch.append(self._waiting.popleft())
            size += len(batch[-1][1])
        self._count -= size
        return batch

    async def _linger(self) -> None:
        timer = asyncio.ensure_future(self._fit.clock.sleep(FLUSH_SECONDS))
        full = asyncio.ensure_future(self._full.wait())
        try:
            await asyncio.wait((timer, full), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            full.cancel()

    async def _flush(self, batch: _Batch) -> None:
        """Commit a batch. One that the store cannot even read is halved until the poison stands alone."""
        count = sum(len(outcomes) for _, outcomes in batch)
        try:
            ours = await self._commit([outcomes for _, outcomes in batch])
        except Exception as error:  # noqa: BLE001  whatever it is, the other receipts must not be lost with it
            self._fit.log.error("receipts could not be written", count=count, error=repr(error))
            for part in _apart(batch):
                await self._flush(part)
            return
        self._fit.failpoint("settle")
        self._fit.metrics.settle_batch.observe(count)
        if ours < count:
            self._fit.metrics.fenced.inc(count - ours)
        for channel, priority in {(e.channel, e.priority) for e, o in batch if o.event is Event.RETRY}:
            self._fit.bells.ring_lane(channel, priority)
        for alert_id in {errand.alert_id for errand, _ in batch}:
            self._fit.bells.changed(alert_id)

    async def _commit(self, outcomes: list[Outcomes]) -> int:
        while True:
            try:
                return await self._store.settle(outcomes)
            except Unavailable as error:
                self._fit.readiness.refused(error)
                self._fit.log.error("receipts wait for the store", waiting=self._count, error=str(error))
                await self._fit.clock.sleep(_STORE_PAUSE)


def _apart(batch: _Batch) -> Sequence[_Batch]:
    """Two halves of it; of a single attempt its bare failure, and nothing where that was it."""
    if len(batch) > 1:
        half = len(batch) // 2
        return batch[:half], batch[half:]
    errand, outcomes = batch[0]
    attempts = outcomes.each
    if len(attempts) > 1:
        half = len(attempts) // 2
        return [[(errand, replace(outcomes, attempts=part, alike={}))] for part in (attempts[:half], attempts[half:])]
    if outcomes.event is Event.FAIL and attempts[0].ref is None:
        return ()
    bare = attempts[0]._replace(due_at=0, ref=None)
    failed = replace(outcomes, event=Event.FAIL, reason=Reason.BUG, exposed=True, attempts=[bare], alike={})
    return ([(errand, failed)],)
