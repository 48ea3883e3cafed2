"""What messages of other systems ask of a store: their names, and what they answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertd.domain.alert import MsgType, Reference
from alertd.ports.stores.intake import Answer, IdempotencyKey, Origin


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
