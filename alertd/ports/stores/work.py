"""What the lanes ask of a store: deliveries under lease, and what became of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from alertd.domain.delivery import Event, Reason


@dataclass(frozen=True, slots=True)
class Told:
    """Deliveries under lease that are told the same. In columns, because a hundred thousand of them go by.

    `endpoint_ids` are 0 and `addresses` empty on a broadcast channel; `attempts` are those made before.
    """

    language: str
    blocks: int
    delivery_ids: Sequence[int]
    endpoint_ids: Sequence[int]
    addresses: Sequence[str]
    attempts: Sequence[int]
    threads: Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Claim:
    """What one claim got, all of one alert. `token` fences: a settle under another token changes nothing."""

    token: int
    alert_id: str
    told: Sequence[Told]

    @property
    def delivery_ids(self) -> list[int]:
        return [delivery_id for told in self.told for delivery_id in told.delivery_ids]


class Outcome(NamedTuple):
    """What became of one attempt, besides what it has in common with others. Moments in microseconds since 1970.

    `due_at` is when to try again, 0 where it is not tried again; `ref` the provider's own name for the message.
    """

    delivery_id: int
    started_at: int
    due_at: int = 0
    ref: str | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Attempts under one lease that ended alike, and together. `exposed`: they arrived, or may have.

    `alike` are the ids, by when their attempt began, of those that nothing else tells apart; `attempts` the others.
    Not `tried`: they end without ever having been handed to the adapter.
    """

    token: int
    event: Event
    reason: Reason | None
    exposed: bool
    ended_at: int
    attempts: Sequence[Outcome]
    tried: bool = True
    alike: Mapping[int, Sequence[int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.attempts) + sum(map(len, self.alike.values()))

    @property
    def each(self) -> Sequence[Outcome]:
        """All of them one by one."""
        alike = (Outcome(number, began) for began, numbers in self.alike.items() for number in numbers)
        return [*self.attempts, *alike] if self.alike else self.attempts


class WorkStore(Protocol):
    """Work is cut so that several daemons could share it: claim, extend, settle, release."""

    async def claim(self, channel: str, priority: int, *, limit: int, now: datetime, lease: float) -> Claim | None:
        """Lease up to `limit` due deliveries of a lane for `lease` seconds; None where nothing is due."""
        ...

    async def next_due(self, channel: str, priority: int) -> datetime | None:
        """When the lane's earliest waiting delivery is due: the epoch of 1970 for a first attempt, always due."""
        ...

    async def extend(self, token: int, *, until: datetime) -> None: ...

    async def settle(self, outcomes: Sequence[Outcomes]) -> int:
        """Write the outcomes as receipts, in one transaction; how many were still ours (others are fenced off)."""
        ...

    async def release(self, token: int, delivery_ids: Sequence[int], *, due_at: datetime | None = None) -> None:
        """Put back what was claimed and not tried, as if never claimed; due at once or not before `due_at`."""
        ...
