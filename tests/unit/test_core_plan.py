"""Whose page is planned next: an emergency's before a newsletter's, and nobody waits for ever."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

import structlog

from alertd.core.fittings import Fittings
from alertd.core.plan import OLDEST_EVERY, Planner
from alertd.ports.stores.plan import PlanJob, Planned, PlanStore
from tests.support.clock import ManualClock, settle_down


@dataclass
class _Job:
    plan: PlanJob
    pages: int


class _Store:
    """Jobs in memory, ordered as the port says. `after_page` may bring new ones."""

    def __init__(self) -> None:
        self.jobs: list[_Job] = []
        self.planned: list[str] = []
        self.after_page: Callable[[], None] = lambda: None

    def bring(self, alert_id: str, pages: int, *, priority: int = 1) -> None:
        seq = len(self.planned) + len(self.jobs) + 1
        self.jobs.append(_Job(PlanJob(seq, alert_id, "push", priority, broadcast=False), pages))

    async def next_plan(self, skip: Sequence[PlanJob] = ()) -> PlanJob | None:
        left = [job.plan for job in self.jobs if job.plan not in skip]
        return min(left, key=lambda plan: (plan.priority, plan.alert_seq), default=None)

    async def plan_page(self, job: PlanJob, *, window: int, now: datetime) -> Planned:
        await asyncio.sleep(0)
        mine = next(each for each in self.jobs if each.plan == job)
        mine.pages -= 1
        self.planned.append(job.alert_id)
        if not mine.pages:
            self.jobs.remove(mine)
        self.after_page()
        return Planned(window, done=not mine.pages)


async def _planned(store: _Store, pages: int) -> list[str]:
    """The first so many pages, by the names of their alerts."""
    planner = Planner(cast("PlanStore", store), Fittings(ManualClock(), structlog.get_logger()))
    running = asyncio.create_task(planner.run())
    while len(store.planned) < pages:
        await settle_down(1)
    running.cancel()
    await asyncio.wait([running])
    return store.planned[:pages]


async def test_equals_take_turns() -> None:
    store = _Store()
    store.bring("a", 20)
    store.bring("b", 20)
    planned = await _planned(store, 8)
    assert {planned[:2].count("a"), planned[:2].count("b")} == {1}
    assert planned.count("b") >= 2


async def test_an_endless_stream_of_new_alerts_leaves_the_oldest_its_share() -> None:
    store = _Store()
    store.bring("whole town", 50)
    store.after_page = lambda: store.bring(f"new {len(store.planned)}", 1)
    planned = await _planned(store, 60)
    assert planned.count("whole town") >= 60 // OLDEST_EVERY


async def test_what_presses_more_comes_first_and_alone() -> None:
    store = _Store()
    store.bring("newsletter", 50, priority=5)
    store.after_page = lambda: store.bring("flood", 10, priority=0) if len(store.planned) == 4 else None
    planned = await _planned(store, 20)
    assert planned[4:15].count("flood") >= 10
