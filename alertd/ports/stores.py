"""What the core asks of a store, one narrow Protocol per consumer.

Every method that changes anything is one transaction, with its audit row in it. A store that cannot take a
change raises `Unavailable` and has stored nothing. Times are aware datetimes in UTC.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from alertd.domain.alert import Alert, AlertState, MsgType, Purpose, Reference
from alertd.domain.audit import AuditEntry
from alertd.domain.delivery import Event, Reason, State
from alertd.domain.signal import Violation
from alertd.domain.subscriber import Cohort, Subscriber

# --- intake ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One channel an alert goes to. `idempotent`: it recognises a repeat, so what a crash left unknown may be tried
    again; elsewhere only an emergency is."""

    channel: str
    adapter: str
    broadcast: bool
    provable: State
    idempotent: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Subscribers of `zone` (or `"*"`) who asked for `severity` or milder are told the block `bit`."""

    zone: str
    bit: int
    severity: int


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer for an Idempotency-Key."""

    fingerprint: str
    body: bytes


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`owner` is the token's name; `fingerprint` a hash of method, path and body; `body` the answer to replay."""

    owner: str
    key: str
    fingerprint: str
    body: bytes


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


@dataclass(frozen=True, slots=True)
class Origin:
    """The CAP document of another system that something came as.

    `name` is its own sender, identifier and sent, which we publish under ours and find it by. `fingerprint` is the
    same for documents that say the same. `answer` is what whoever posted it was told. `signature` is none, valid or
    unverifiable, its detail who signed it or why that cannot be said: for the record.
    """

    name: Reference
    msg_type: MsgType
    fingerprint: str
    document: bytes
    signed: bool = False
    violations: tuple[Violation, ...] = ()
    answer: bytes = b""
    signature: str = "none"
    signature_detail: str = ""


@dataclass(frozen=True, slots=True)
class NewAlert:
    """All that one acceptance writes.

    `ancestors` are the ids of the alerts this one follows (Update, Cancel), nearest first and transitive;
    `ends` says what becomes of the nearest ones, `heads` how many those are. `origin` where it came as a document of
    another system. `cohort` is who may be reached. A draft has state DRAFT and its
    plans lie still until it is approved. `deadline`: nothing is sent after it. `at_once` are broadcast channels whose
    one delivery is to be claimed in the same transaction, under a lease of `lease` seconds. `on_word_of` is the digest
    of the caller's token, empty where the house itself speaks. `evidence` goes into the audit row. `supplants` is a
    draft of the same author that is withdrawn as this takes its place.
    """

    alert: Alert
    state: AlertState
    priority: int
    accepted_at: datetime
    deadline: datetime
    actor: str
    cohort: Cohort
    plans: tuple[ChannelPlan, ...]
    targets: tuple[Target, ...]
    ancestors: tuple[str, ...] = ()
    ends: AlertState | None = None
    heads: int = 1
    idempotency: IdempotencyKey | None = None
    origin: Origin | None = None
    at_once: frozenset[str] = frozenset()
    lease: float = 60.0
    on_word_of: str = ""
    evidence: tuple[str, ...] = ()
    supplants: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What an acceptance came to: the stored `answer` where the key was already used (then nothing was written), else
    the number of the new alert, with the claims it asked for by channel."""

    seq: int = 0
    answer: Answer | None = None
    claims: Mapping[str, Claim] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """An alert with where it stands. `plans` as they were accepted."""

    seq: int
    alert: Alert
    state: AlertState
    priority: int
    accepted_at: datetime
    deadline: datetime
    created_by: str
    decided_by: str | None = None
    reject_reason: str | None = None
    settled_at: datetime | None = None
    followed_by: str | None = None
    ancestors: tuple[str, ...] = ()
    plans: tuple[ChannelPlan, ...] = ()


class IntakeStore(Protocol):
    async def accept(self, new: NewAlert, *, meanwhile: Callable[[], None] | None = None) -> Stored:
        """Write it all or nothing. `meanwhile` is called from the loop when only the disk has still to write; it may
        be called and the write fail all the same.

        Raises Unauthorized where the token is not live, Conflict where an ancestor may no longer be followed, its
        origin's name is taken, or what it supplants is no longer a draft.
        """
        ...

    async def answer(self, owner: str, key: str) -> Answer | None: ...

    async def get_alert(self, alert_id: str) -> StoredAlert:
        """Raises NotFound."""
        ...

    async def has_audience(self, channel: str, *, cohort: Cohort, purpose: Purpose, targets: Sequence[Target]) -> bool:
        """Whether the targets select at least one endpoint on the channel; quick enough to ask at every accept."""
        ...

    async def decide(self, alert_id: str, *, approve: bool, actor: str, at: datetime, reason: str | None) -> None:
        """Make a draft pending, or rejected. Raises NotFound, Conflict (no longer a draft), Forbidden (its author)."""
        ...

    async def withdraw(self, alert_id: str, *, actor: str, at: datetime, reason: str) -> None:
        """Its author takes a draft back: it is rejected. Raises NotFound, Conflict (no longer a draft), Forbidden
        (another's)."""
        ...

    async def requeue(self, alert_id: str, *, actor: str, at: datetime) -> int:
        """Queue again what failed for retryable reasons; how many. Raises NotFound, Conflict."""
        ...


# --- pages ----------------------------------------------------------------------------------------------------


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


# --- messages of other systems --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Remembered:
    """A CAP message that has a name: one that was posted here, or one we published (then `answer` is None).

    `alert_id` is what it became in this house; of an Ack or an Error, what it is about.
    """

    name: Reference
    msg_type: MsgType
    alert_id: str
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class News:
    """An Ack or an Error: what another system says `about` alerts of ours (ids). It changes none of them."""

    origin: Origin
    about: tuple[str, ...]
    note: str | None
    actor: str
    at: datetime
    idempotency: IdempotencyKey | None = None


class PeerStore(Protocol):
    async def remembered(self, names: Sequence[Reference]) -> Sequence[Remembered]:
        """Every message that has the sender and the identifier of one of these, whatever its `sent`."""
        ...

    async def record(self, news: News) -> Answer | None:
        """Write it all or nothing; the stored answer where the key was already used (then nothing was written).

        Raises Conflict where its name is taken, NotFound.
        """
        ...


# --- plan -----------------------------------------------------------------------------------------------------


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


# --- work -----------------------------------------------------------------------------------------------------


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


# --- sweep ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in seconds."""

    unconfirmed: float = 48 * 3600
    idempotency: float = 7 * 24 * 3600
    pseudonymise: float = 60 * 24 * 3600


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


# --- report ---------------------------------------------------------------------------------------------------


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


# --- subscribers ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an import did."""

    created: int = 0
    updated: int = 0


class SubscriberStore(Protocol):
    async def enrol(self, batch: Sequence[Subscriber], *, actor: str) -> Enrolment:
        """Insert or update by endpoint: a subscriber sharing an endpoint (channel + address) with a stored one,
        or its id, replaces that one's preferences and adds its endpoints. One transaction, one audit row."""
        ...

    async def get_subscriber(self, subscriber_id: str) -> Subscriber: ...

    async def list_subscribers(self, *, limit: int, after: int) -> tuple[Sequence[Subscriber], int | None]: ...

    async def replace(self, subscriber: Subscriber, *, actor: str) -> None:
        """Store exactly this (endpoints not named are removed). Raises NotFound."""
        ...

    async def delete_subscriber(self, subscriber_id: str, *, actor: str) -> None: ...

    def export(self) -> AsyncIterator[Subscriber]: ...

    async def confirm_endpoint(self, endpoint_id: int, *, at: datetime) -> bool: ...

    async def unsubscribe_endpoint(self, endpoint_id: int) -> bool:
        """Remove the endpoint, and its subscriber with the last one. False where it was not there."""
        ...

    async def endpoint_id(self, channel: str, address: str) -> int | None: ...

    async def officers_among(self, addresses: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        """Which of these (channel, address) are those of officers."""
        ...

    async def zone_census(self) -> Mapping[str, int]:
        """Subscribers per zone code, to be loud about zones no longer configured."""
        ...


# --- what rules remember ---------------------------------------------------------------------------------------


class KeptStore(Protocol):
    async def keep(self, name: str, content: bytes) -> None:
        """Keep this under the name, durably, in place of what was there. Raises Unavailable."""
        ...

    async def kept(self) -> Mapping[str, bytes]:
        """All that is kept, by name."""
        ...


# --- access ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Token:
    """`digest` is the SHA-256 in hex of the secret; `modes` None means any status."""

    name: str
    digest: str
    scopes: frozenset[str]
    modes: frozenset[str] | None
    created_at: datetime
    revoked_at: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class TokenStore(Protocol):
    async def find_token(self, digest: str) -> Token | None:
        """A live token only."""
        ...

    async def add_token(self, token: Token, *, actor: str) -> None:
        """Raises Conflict where the name is taken by a live token."""
        ...

    async def list_tokens(self) -> Sequence[Token]: ...

    async def revoke_token(self, name: str, *, actor: str, at: datetime) -> None:
        """Raises NotFound."""
        ...
