"""What planning asks of a store: who is to be told, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class PlanJob:
    """The next piece of planning: one channel of one alert."""

    alert_seq: int
    alert_id: str
    channel: str
    priority: int
    broadcast: bool


@dataclass(frozen=True, slots=True)
class Planned:
    """`waiting` means an ancestor still has deliveries in flight: come back when some have settled. `alone`: no other
    job was open."""

    inserted: int
    done: bool
    waiting: bool = False
    alone: bool = False


class PlanStore(Protocol):
    async def next_plan(self, skip: Sequence[PlanJob] = ()) -> PlanJob | None:
        """The most pressing job: by priority, broadcast channels first, oldest first."""
        ...

    async def plan_page(self, job: PlanJob, *, window: int, now: datetime) -> Planned:
        """Insert the deliveries of the next `window` endpoints and move the job's cursor, in one transaction."""
        ...
