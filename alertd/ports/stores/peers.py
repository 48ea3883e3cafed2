"""What messages of other systems ask of a store: their names, and what they answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertd.domain.alert import Alert, MsgType, Reference, Status
from alertd.ports.stores.intake import Answer, IdempotencyKey, Origin


@dataclass(frozen=True, slots=True)
class Remembered:
    """A CAP message that has a name: one that was posted here, or one we published (then `answer` is None).

    `alert_id` is what it became in this house; of an Ack or an Error, what it is about; None while it waits for what it
    follows.
    """

    name: Reference
    msg_type: MsgType
    alert_id: str | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class News:
    """An Ack, an Error, or a Cancel of what never went out: what another system says `about` alerts of ours (ids). It
    changes none of them."""

    origin: Origin
    about: tuple[str, ...]
    note: str | None
    actor: str
    at: datetime
    idempotency: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Early:
    """An Update or a Cancel that came before what it follows.

    Either it waits for that, or it became the alert `alert_id` because it follows something else as well. `seq` is its
    number, by which `PeerStore.said` tells its words: hundreds may wait that have megabytes each.
    """

    seq: int
    name: Reference
    msg_type: MsgType
    alert_id: str | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """An Update or a Cancel of which nothing it follows has come: its `origin` names that as `unheard`."""

    origin: Origin
    said: Alert
    at: datetime


class PeerStore(Protocol):
    async def remembered(self, names: Sequence[Reference]) -> Sequence[Remembered]:
        """Every message that has the sender and the identifier of one of these, whatever its `sent`."""
        ...

    async def early(self, name: Reference, status: Status) -> Sequence[Early]:
        """Every Update and Cancel of that status that follows the message of this name and came before it, or follows
        one of those that wait; but not of a token that was revoked meanwhile. In the order they came.
        """
        ...

    async def said(self, seq: int) -> Alert | None:
        """What one that waits says; None where it waits no more."""
        ...

    async def wait(self, waiting: Waiting) -> None:
        """Remember it, unless it is already. Of one token at most so many wait; the oldest are forgotten first.

        Raises Overtaken where something it follows has come meanwhile.
        """
        ...

    async def withheld(self, origin: Origin, why: str, at: datetime) -> None:
        """Write in the audit log that an Alert came and was not sent."""
        ...

    async def record(self, news: News) -> Answer | None:
        """Write it all or nothing; the stored answer where the key was already used (then nothing was written).

        Raises Conflict where its name is taken, NotFound; Overtaken where what it names and was not known came since.
        """
        ...
