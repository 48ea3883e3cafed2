"""What paging the officers asks of a store."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from alertd.domain.alert import AlertState
from alertd.domain.paging import Gravity
from alertd.ports.stores.intake import IntakeStore


class Undecided(NamedTuple):
    """A rule's draft that may still be decided, until `deadline`; `seq` numbers alerts in the order they came in."""

    seq: int
    alert_id: str
    deadline: datetime
    raised_by: str
    gravity: Gravity


class OpenPage(NamedTuple):
    """A page to the officers that no later page follows; what it is about is in its id, see `domain.paging`."""

    alert_id: str
    accepted_at: datetime


class Outcome(NamedTuple):
    """How many `drafts` came to the same: `state` is DRAFT where nobody decided in time, REJECTED where they were
    rejected, or `withdrawn` by whoever raised them; else they were approved."""

    state: AlertState
    withdrawn: bool
    decided_by: str | None
    reason: str | None
    drafts: int


class PagerStore(IntakeStore, Protocol):
    async def undecided(self, now: datetime) -> Sequence[Undecided]:
        """Drafts of rules whose deadline has not passed, the nearest deadline first."""
        ...

    async def open_pages(self, since: datetime) -> Sequence[OpenPage]:
        """Pages about drafts that no later page follows; of those that told an end, the ones accepted after `since`."""
        ...

    async def outcomes(self, draft_ids: Collection[str]) -> Sequence[Outcome]:
        """What became of them, most of a kind first."""
        ...
