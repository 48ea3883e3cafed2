"""What enrolment asks of a store."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertd.domain.subscriber import Subscriber


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
