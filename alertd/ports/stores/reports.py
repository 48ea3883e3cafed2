"""What is shown of alerts and deliveries, to officers and to the public."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from alertd.domain.alert import Alert, AlertState, Purpose
from alertd.domain.audit import AuditEntry
from alertd.domain.delivery import Reason, State
from alertd.domain.subscriber import Cohort
from alertd.ports.stores.intake import StoredAlert, Target


@dataclass(frozen=True, slots=True)
class Tally:
    """The kept sums of one alert on one channel. `states` has every State; `p50_ms` and `p99_ms` run from the
    alert's acceptance to the provider's answer, from a histogram whose buckets are about 9 % wide."""

    channel: str
    adapter: str
    broadcast: bool
    provable: State
    states: Mapping[State, int]
    attempts: int
    planned: bool
    first_attempt_at: datetime | None
    last_settled_at: datetime | None
    p50_ms: int | None
    p99_ms: int | None

    @property
    def total(self) -> int:
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery, for people. `address` is as stored; whoever shows it masks it."""

    id: int
    channel: str
    address: str
    language: str
    state: State
    attempts: int
    reason: Reason | None
    ref: str | None
    created_at: datetime
    due_at: datetime | None
    started_at: datetime | None
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class LaneDepth:
    channel: str
    priority: int
    depth: int
    oldest: datetime | None


class Published(NamedTuple):
    """A message the public may read, as far as a list of ten thousand needs it. Moments in microseconds since 1970.

    `purpose` is a Purpose's value. `released_at` is when it went out: accepted, or approved. `held_until` is the latest
    deadline of what it follows: until then a reader may hold that for true. `ends_at` is its own deadline, of a Cancel
    the same as `held_until`.
    """

    seq: int
    purpose: str
    released_at: int
    ends_at: int
    held_until: int


class FeedStore(Protocol):
    async def published(self, *, real: bool, since: datetime, now: datetime) -> Sequence[Published]:
        """Alerts, Updates and Cancels of scope Public that nothing has followed, newest first: those that end after
        `since`, or follow what is held after `now`. `real`: those of status Actual, else Exercise, System and Test.
        Never what is undecided or rejected."""
        ...

    async def contents(self, seqs: Sequence[int]) -> Mapping[int, Alert]:
        """The alerts of those numbers alone, nothing of where they stand."""
        ...


class ReportStore(FeedStore, Protocol):
    async def get_alert(self, alert_id: str) -> StoredAlert: ...

    async def find_by_identifier(self, identifier: str) -> StoredAlert:
        """Raises NotFound."""
        ...

    async def list_alerts(
        self,
        *,
        limit: int,
        before: int | None = None,
        states: Sequence[AlertState] = (),
        public: bool = False,
    ) -> Sequence[StoredAlert]:
        """Newest first; `before` is a seq. `public`: only what the public may see (Actual, Public, decided)."""
        ...

    async def tallies(self, alert_id: str) -> Sequence[Tally]: ...

    async def deliveries(
        self, alert_id: str, *, channel: str | None, state: State | None, limit: int, after: int
    ) -> Sequence[DeliveryRow]: ...

    async def audience(
        self, channel: str, *, cohort: Cohort, purpose: Purpose, targets: Sequence[Target]
    ) -> Mapping[str, int]:
        """How many endpoints the targets select on a channel, per subscriber language."""
        ...

    async def depths(self) -> Sequence[LaneDepth]: ...

    async def audit(self, *, after: int, limit: int) -> Sequence[AuditEntry]: ...

    async def audit_head(self) -> tuple[int, str]: ...
