"""What paging the officers asks of a store."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from alertd.ports.stores.intake import IntakeStore


class Undecided(NamedTuple):
    """A rule's draft that may still be decided, until `deadline`."""

    alert_id: str
    deadline: datetime


class OpenPage(NamedTuple):
    """The latest page to the officers about a draft; it is numbered in its id, see `domain.paging`."""

    alert_id: str
    accepted_at: datetime


class PagerStore(IntakeStore, Protocol):
    async def undecided(self, now: datetime) -> Sequence[Undecided]:
        """Drafts of rules whose deadline has not passed, the nearest deadline first."""
        ...

    async def open_pages(self) -> Sequence[OpenPage]:
        """Pages that no later page follows, but for those that said how it ended."""
        ...
