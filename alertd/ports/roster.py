"""The endpoints of one channel, for an adapter that prepares something for each of them beforehand."""

from collections.abc import Sequence
from typing import Protocol

from alertd.domain.alert import Purpose


class Roster(Protocol):
    """Who can be reached, in the order in which they subscribed."""

    async def count(self) -> int:
        """How many active endpoints the channel has. Raises Unavailable."""
        ...

    async def endpoints(self, purpose: Purpose, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        """The id and address of active endpoints whose subscriber wants this purpose, with ids above `after`.

        In ascending order, at most `limit`; fewer where there are no more. Raises Unavailable.
        """
        ...


class _Empty:
    async def count(self) -> int:
        return 0

    async def endpoints(self, purpose: Purpose, *, after: int, limit: int) -> Sequence[tuple[int, str]]:  # noqa: ARG002
        return ()


EMPTY: Roster = _Empty()
"""Nobody."""
