"""What time asks of a store: recovery, expiry, retention."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in seconds. `documents` of other systems as they came, `early` what waits for what it
    follows; their names stay, for whatever repeats or follows them."""

    unconfirmed: float = 48 * 3600
    idempotency: float = 7 * 24 * 3600
    pseudonymise: float = 60 * 24 * 3600
    documents: float = 60 * 24 * 3600
    early: float = 30 * 24 * 3600


class SweepStore(Protocol):
    async def probe(self) -> None:
        """Make something durable and nothing else. Raises Unavailable while the store takes no changes."""
        ...

    async def recover(self, now: datetime) -> int:
        """Take back everything in flight, its outcome unknown; how many. Once, at start, before any claim.

        It is queued again, or has failed where a repeat could be noticed and the alert is no emergency.
        """
        ...

    async def rebase(self, now: datetime, *, latest: datetime) -> int:
        """After the wall clock was set back: what waits for a time later than `latest` is due at `now`; how many."""
        ...

    async def expire(self, now: datetime, *, limit: int) -> int:
        """End waiting deliveries whose deadline has passed; how many (call again while it is `limit`)."""
        ...

    async def supersede(self, now: datetime, *, limit: int) -> int:
        """End waiting deliveries of alerts that were cancelled or superseded; how many."""
        ...

    async def next_deadline(self, now: datetime) -> datetime | None: ...

    async def purge(self, now: datetime, keep: Retention) -> Mapping[str, int]: ...
