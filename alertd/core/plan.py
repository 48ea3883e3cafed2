"""Plan: turn a durable alert into deliveries, page by page, while the first page is already being sent."""

from alertd.core.fittings import Fittings
from alertd.domain.problems import Unavailable
from alertd.ports.stores.plan import PlanJob, Planned, PlanStore

WINDOW = 2_500
"""Endpoints looked at per transaction: bounds how long an accept can wait behind a page of planning."""

WIDEST = 80_000
"""Looking costs a fraction of inserting, so where nobody is found this bounds the transaction as well."""

OLDEST_EVERY = 4
"""One page in so many is the oldest job's, whoever else has not had his turn."""

_IN_FLIGHT_PAUSE = 0.05
_STORE_PAUSE = 1.0
_IDLE_PAUSE = 5.0


class Planner:
    """Takes the most pressing job anew for every page, so that an emergency overtakes a newsletter being planned.

    Jobs of one priority take turns, so that an alert's first page is out on every channel before its second on any;
    but every so many pages one is the oldest job's, so that no stream of new alerts keeps it waiting for ever.
    """

    def __init__(
        self,
        store: PlanStore,
        fittings: Fittings,
    ) -> None:
        self._store = store
        self._fit = fittings
        self._waiting: list[PlanJob] = []
        self._had_turn: list[PlanJob] = []
        self._windows: dict[str, int] = {}
        self._pages = 0
        self._alone: PlanJob | None = None  # the only one there was, until the bell rings

    async def run(self) -> None:
        """Until cancelled: a page is one transaction, so there is nothing to finish."""
        while True:
            if self._fit.bells.plan.hush():
                self._alone = None
            try:
                moved = await self._step()
            except Unavailable as error:
                self._fit.readiness.refused(error)
                self._fit.log.error("planning waits for the store", error=str(error))
                await self._fit.clock.sleep(_STORE_PAUSE)
                continue
            if not moved:
                await self._fit.bells.plan.wait(self._fit.clock, _IN_FLIGHT_PAUSE if self._waiting else _IDLE_PAUSE)
                self._waiting.clear()

    async def _step(self) -> bool:
        """Plan one page; False where every job left waits for something in flight."""
        job = self._alone or await self._next()
        if job is None:
            return False
        if job not in self._had_turn:
            self._had_turn.append(job)
        window = self._windows.get(job.alert_id, WINDOW)
        planned = await self._store.plan_page(job, window=window, now=self._fit.clock.now())
        self._alone = job if planned.alone and not (planned.done or planned.waiting) else None
        self._look_further(job, window, planned)
        self._fit.failpoint("plan")
        if planned.waiting:
            self._waiting.append(job)
        if planned.inserted:
            self._fit.bells.ring_lane(job.channel, job.priority)
        if planned.inserted or planned.done:
            self._fit.bells.changed(job.alert_id)
        return True

    def _look_further(self, job: PlanJob, window: int, planned: Planned) -> None:
        """Where few are found the next look goes further: a small zone must not wait for many small pages."""
        if planned.done:
            self._windows.pop(job.alert_id, None)
        elif planned.inserted < window // 10:
            self._windows[job.alert_id] = min(4 * window, WIDEST)
        else:
            self._windows[job.alert_id] = WINDOW

    async def _next(self) -> PlanJob | None:
        """The next of the most pressing jobs that has not had its turn, or the oldest of them; when all had theirs,
        they begin anew."""
        self._pages += 1
        if self._pages % OLDEST_EVERY == 0:
            return await self._store.next_plan(self._waiting)
        job = await self._store.next_plan([*self._waiting, *self._had_turn])
        if self._had_turn and (job is None or job.priority > self._had_turn[-1].priority):
            self._had_turn.clear()
            job = await self._store.next_plan(self._waiting)
        return job
