"""Plan: turn a durable alert into deliveries, page by page, while the first page is already being sent."""

from structlog.typing import FilteringBoundLogger

from alertd.core.bells import Bells
from alertd.core.metrics import Metrics
from alertd.domain.problems import Unavailable
from alertd.ports.clock import Clock
from alertd.ports.failpoint import Failpoint
from alertd.ports.stores import PlanJob, PlanStore

WINDOW = 5_000
"""Endpoints looked at per transaction: bounds how long an accept can wait behind a page of planning."""

_IN_FLIGHT_PAUSE = 0.05
_STORE_PAUSE = 1.0
_IDLE_PAUSE = 5.0


class Planner:
    """Takes the most pressing job anew for every page, so that an emergency overtakes a newsletter being planned."""

    def __init__(
        self,
        store: PlanStore,
        *,
        clock: Clock,
        bells: Bells,
        metrics: Metrics,
        log: FilteringBoundLogger,
        failpoint: Failpoint,
    ) -> None:
        self._store = store
        self._clock = clock
        self._bells = bells
        self._metrics = metrics
        self._log = log
        self._failpoint = failpoint
        self._waiting: list[PlanJob] = []

    async def run(self) -> None:
        """Until cancelled: a page is one transaction, so there is nothing to finish."""
        while True:
            self._bells.plan.hush()
            try:
                moved = await self._step()
            except Unavailable as error:
                self._metrics.store_refusals.labels("plan").inc()
                self._log.error("planning waits for the store", error=str(error))
                await self._clock.sleep(_STORE_PAUSE)
                continue
            if not moved:
                await self._bells.plan.wait(self._clock, _IN_FLIGHT_PAUSE if self._waiting else _IDLE_PAUSE)
                self._waiting.clear()

    async def _step(self) -> bool:
        """Plan one page; False where every job left waits for something in flight."""
        job = await self._store.next_plan(self._waiting)
        if job is None:
            return False
        planned = await self._store.plan_page(job, window=WINDOW, now=self._clock.now())
        self._failpoint("plan")
        if planned.waiting:
            self._waiting.append(job)
        if planned.inserted:
            self._bells.ring_lane(job.channel, job.priority)
        if planned.inserted or planned.done:
            self._bells.changed(job.alert_id)
        return True
