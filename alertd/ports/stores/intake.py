"""What accepting, deciding and withdrawing an alert ask of a store."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from alertd.domain.alert import Alert, AlertState, MsgType, Purpose, Reference, Status
from alertd.domain.delivery import State
from alertd.domain.signal import Violation
from alertd.domain.subscriber import Cohort
from alertd.ports.stores.work import Claim


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
class Origin:
    """The CAP document of another system that something came as.

    `name` is its own sender, identifier and sent, which we publish under ours and find it by. `fingerprint` is the
    same for documents that say the same. `answer` is what whoever posted it was told. `signature` is none, valid or
    unverifiable, its detail who signed it or why that cannot be said: for the record. `owner` is the token it was
    posted with. `unheard`: what it follows that has not come. `early`: the numbers of messages that came before this
    one, though they follow it, and become the same alert; `by` is the one of them whose words it speaks.
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
    status: Status = Status.ACTUAL
    owner: str = ""
    unheard: tuple[Reference, ...] = ()
    early: tuple[int, ...] = ()
    by: Reference | None = None


@dataclass(frozen=True, slots=True)
class NewAlert:
    """All that one acceptance writes.

    `ancestors` are the ids of the alerts this one follows (Update, Cancel), nearest first and transitive;
    `ends` says what becomes of the nearest ones, `heads` how many those are. `origin` where it came as a document of
    another system. `cohort` is who may be reached. A draft has state DRAFT and its
    plans lie still until it is approved. `deadline`: nothing is sent after it. `at_once` are broadcast channels whose
    one delivery is to be claimed in the same transaction, under a lease of `lease` seconds. `on_word_of` is the digest
    of the caller's token, empty where the house itself speaks. `evidence` goes into the audit row. `supplants` is a
    draft of the same author that is withdrawn as this takes its place; `replaces` are drafts of anybody's that are
    rejected, or withdrawn by their author, and followed by this.
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
    replaces: tuple[str, ...] = ()


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
        origin's name is taken, or what it supplants is no longer a draft; Overtaken where of what its origin follows,
        or is followed by, something else came than it says, or what it replaces is no longer a draft.
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
