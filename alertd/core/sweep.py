"""Sweep: end what has expired or was superseded, take back what a dead lease held, forget what the law says to."""

from collections.abc import Callable
from datetime import datetime, timedelta

from alertd.core.fittings import Fittings
from alertd.domain.problems import Unavailable
from alertd.ports.stores.reports import ReportStore
from alertd.ports.stores.sweep import Retention, SweepStore

BATCH = 2_000
_PURGE_EVERY = 3_600.0
_DEPTH_EVERY = 5.0
_STORE_PAUSE = 1.0
_STEP = timedelta(seconds=2)
_LATEST = timedelta(minutes=5)


class Sweeper:
    def __init__(
        self,
        store: SweepStore,
        reports: ReportStore,
        fittings: Fittings,
        retention: Callable[[], Retention],
    ) -> None:
        self._store = store
        self._fit = fittings
        self._reports = reports
        self._retention = retention
        self._due: dict[str, float] = {}
        self._wall: datetime | None = None

    async def start(self) -> int:
        """Before the lanes open: whatever was in flight when the last daemon died is taken back; how many.

        The clock may have been set back while no daemon was looking, so what waits for it waits no longer.
        """
        now = self._fit.clock.now()
        await self._store.rebase(now, latest=now + _LATEST)
        return await self._store.recover(now)

    async def run(self) -> None:
        while True:
            self._fit.bells.sweep.hush()
            try:
                await self._round(self._fit.clock.now())
                pause = await self._pause()
            except Unavailable as error:
                self._fit.readiness.refused(error)
                self._fit.log.error("sweeping waits for the store", error=str(error))
                pause = _STORE_PAUSE
            await self._fit.bells.sweep.wait(self._fit.clock, pause)

    async def _round(self, now: datetime) -> None:
        if self._stepped_back(now):
            pulled = await self._store.rebase(now, latest=now + _LATEST)
            self._fit.log.warning(
                "the clock was set back: what was due later than it should be is due now", count=pulled
            )
            self._fit.bells.ring_all()
        if self._fit.readiness.refusing:
            await self._store.probe()
            self._fit.readiness.took()
            self._fit.bells.ring_all()
        ended = 0
        while (count := await self._store.supersede(now, limit=BATCH)) > 0:
            ended += count
        while (count := await self._store.expire(now, limit=BATCH)) > 0:
            ended += count
        if ended:
            self._fit.bells.plan.ring()
            self._fit.bells.all_changed()
        if self._every("depth", _DEPTH_EVERY):
            self._fit.metrics.lanes(await self._reports.depths(), now)
        if self._every("purge", _PURGE_EVERY):
            purged = await self._store.purge(now, self._retention())
            if any(purged.values()):
                self._fit.log.info("purged", **purged)

    async def _pause(self) -> float:
        deadline = await self._store.next_deadline(self._fit.clock.now())
        if deadline is None:
            return _DEPTH_EVERY
        return min(_DEPTH_EVERY, max(0.01, (deadline - self._fit.clock.now()).total_seconds()))

    def _stepped_back(self, now: datetime) -> bool:
        """Whether the wall clock lost time against the clock that never does."""
        behind = now - timedelta(seconds=self._fit.clock.monotonic())
        before, self._wall = self._wall, behind
        return before is not None and before - behind > _STEP

    def _every(self, what: str, seconds: float) -> bool:
        now = self._fit.clock.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True
