"""The store the core is given: every port of `ports.stores`, on one database."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Self

from alertd.storage.audience import AudiencePart
from alertd.storage.audit import AuditPart
from alertd.storage.connect import path_of
from alertd.storage.database import Database, open_database
from alertd.storage.decide import DecisionPart
from alertd.storage.feeds import FeedPart
from alertd.storage.intake import IntakePart
from alertd.storage.kept import KeptPart
from alertd.storage.news import PeerPart
from alertd.storage.paging import PagingPart
from alertd.storage.plan import PlanPart
from alertd.storage.purge import PurgePart
from alertd.storage.reachable import ReachablePart
from alertd.storage.report import ReportPart
from alertd.storage.subscriber_part import SubscriberPart
from alertd.storage.sweep import SweepPart
from alertd.storage.tokens import TokenPart
from alertd.storage.work import WorkPart


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Store(
    IntakePart,
    DecisionPart,
    PagingPart,
    PlanPart,
    WorkPart,
    SweepPart,
    PurgePart,
    ReportPart,
    FeedPart,
    PeerPart,
    KeptPart,
    AudiencePart,
    AuditPart,
    SubscriberPart,
    ReachablePart,
    TokenPart,
):
    """Each part holds its own statements; all they share is the database. Use `Store.open`."""

    def __init__(self, db: Database, now: Callable[[], datetime]) -> None:
        self._db = db
        self._now = now

    def alive(self) -> bool:
        """For a watchdog: False once the thread that writes has ended, or hangs in one transaction."""
        return self._db.alive()

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, exclusive: bool, now: Callable[[], datetime] = _utc_now) -> AsyncIterator[Self]:
        """The store at `url`, its schema brought up to date; closed in order when the block ends.

        `exclusive` is for the daemon, of which a store has one; commands share it. `now` dates the audit entries
        of changes that carry no time of their own. Raises StoreMisconfigured, StoreBusy, StoreTooNew, Unavailable.
        """
        async with open_database(path_of(url), exclusive=exclusive) as db:
            yield cls(db, now)
