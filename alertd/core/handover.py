"""Claims made in the very transaction that accepts an alert, on their way to the lanes that carry them."""

from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from alertd.core.fittings import Fittings
from alertd.core.letters import Letters
from alertd.core.open_channel import OpenChannel
from alertd.domain.problems import Unavailable
from alertd.ports.stores import Claim, StoredAlert, WorkStore


class Handover:
    """Between intake and lanes. What no lane takes any more goes back to the store."""

    def __init__(self, store: WorkStore, letters: Letters, fittings: Fittings) -> None:
        self._store = store
        self._letters = letters
        self._fit = fittings
        self._open: dict[str, OpenChannel] = {}
        self._given: dict[tuple[str, int], deque[Claim]] = {}
        self._late: list[Claim] = []

    @asynccontextmanager
    async def serving(self, channel: OpenChannel) -> AsyncIterator[None]:
        """While the lanes of a channel run."""
        self._open[channel.name] = channel
        try:
            yield
        finally:
            del self._open[channel.name]
            for key in [key for key in self._given if key[0] == channel.name]:
                self._late += self._given.pop(key)
            await self.put_back()

    def posters(self) -> frozenset[str]:
        """Broadcast channels that would post at once."""
        return frozenset(
            name
            for name, channel in self._open.items()
            if not channel.traits.addressed
            and not channel.gate.stopping
            and channel.gate.circuits.channel_closed_until() is None
        )

    def give(self, stored: StoredAlert, claims: Mapping[str, Claim]) -> None:
        """What was claimed for an alert just stored."""
        if not claims:
            return
        self._letters.keep(stored)
        for channel, claim in claims.items():
            if channel in self._open:
                self._given.setdefault((channel, stored.priority), deque()).append(claim)
                self._fit.bells.lane(channel, stored.priority).nudge()
            else:
                self._late.append(claim)

    def take(self, channel: str, priority: int) -> Claim | None:
        """The next claim for this lane."""
        given = self._given.get((channel, priority))
        return given.popleft() if given else None

    async def put_back(self) -> None:
        """Release what came too late for its channel; a store that refuses is asked again the next time."""
        while self._late:
            claim = self._late[-1]
            try:
                await self._store.release(claim.token, claim.delivery_ids)
            except Unavailable as error:
                self._fit.readiness.refused(error)
                return
            self._late.remove(claim)
