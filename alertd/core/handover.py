"""Claims made in the very transaction that accepts an alert, on their way to the lanes that carry them."""

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol

from alertd.core.fittings import Fittings
from alertd.core.letters import Letters
from alertd.core.open_channel import OpenChannel
from alertd.domain.blocks import EVERY_BLOCK
from alertd.domain.problems import Unavailable
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.work import Claim, WorkStore

AT_ONCE: Final = 8
"""Posts of an alert that start before anything else happens; the caller's answer goes before the others."""
_STORE_PAUSE: Final = 1.0
_PATIENCE: Final = 2.0
"""Seconds a channel that closes waits until what it leaves is put back; at the next start the store takes it back."""


class Taker(Protocol):
    """A lane."""

    def offer(self, claim: Claim) -> bool:
        """Carry it at once if there is room; whether it does. If not, it waits until the lane takes it."""
        ...


class Handover:
    """Between intake and lanes. What no lane takes any more goes back to the store."""

    def __init__(self, store: WorkStore, letters: Letters, fittings: Fittings) -> None:
        self._store = store
        self._letters = letters
        self._fit = fittings
        self._open: dict[str, OpenChannel] = {}
        self._takers: dict[str, Mapping[int, Taker]] = {}
        self._given: dict[tuple[str, int], deque[Claim]] = {}
        self._late: deque[tuple[str, int, Claim]] = deque()
        self._returning: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def serving(self, channel: OpenChannel, takers: Mapping[int, Taker]) -> AsyncIterator[None]:
        """While the lanes of a channel run; `takers` by priority."""
        self._open[channel.name] = channel
        self._takers[channel.name] = takers
        try:
            yield
        finally:
            if self._open.get(channel.name) is channel:  # else its successor did not wait for it, and takes the rest
                del self._open[channel.name], self._takers[channel.name]
                for key in [key for key in self._given if key[0] == channel.name]:
                    self._late += [(*key, claim) for claim in self._given.pop(key)]
            if self._late:
                await asyncio.wait((self._put_back_soon(),), timeout=_PATIENCE)

    def posters(self) -> frozenset[str]:
        """Broadcast channels that would post at once."""
        return frozenset(
            name
            for name, channel in self._open.items()
            if not channel.traits.addressed
            and not channel.gate.stopping
            and channel.gate.circuits.channel_closed_until() is None
        )

    def prepare(self, stored: StoredAlert, channels: Iterable[str]) -> None:
        """Put the posts of an alert that is being stored into words, one after the other, until it is given: what is
        left then is made where it is carried, and so is what fails here."""
        self._preparing = asyncio.create_task(self._prepare(stored, channels))

    async def _prepare(self, stored: StoredAlert, channels: Iterable[str]) -> None:
        for name in channels:
            channel = self._open.get(name)
            if channel is not None:
                with contextlib.suppress(Exception):
                    self._letters.message(channel, stored, language="", blocks=EVERY_BLOCK)
                await asyncio.sleep(0)

    def give(self, stored: StoredAlert, claims: Mapping[str, Claim]) -> None:
        """What was claimed for an alert just stored."""
        if self._preparing is not None:
            self._preparing.cancel()
        if not claims:
            return
        self._letters.keep(stored)
        for number, (channel, claim) in enumerate(claims.items()):
            if channel not in self._open:
                self._late.append((channel, stored.priority, claim))
            elif number >= AT_ONCE or not self._takers[channel][stored.priority].offer(claim):
                self._given.setdefault((channel, stored.priority), deque()).append(claim)
                self._fit.bells.lane(channel, stored.priority).nudge()
        if self._late:
            self._put_back_soon()

    def take(self, channel: str, priority: int) -> Claim | None:
        """The next claim for this lane."""
        given = self._given.get((channel, priority))
        return given.popleft() if given else None

    def _put_back_soon(self) -> asyncio.Task[None]:
        if self._returning is None or self._returning.done():
            self._returning = asyncio.create_task(self._put_back(), name="handover")
        return self._returning

    async def _put_back(self) -> None:
        """Release what came too late for its channel, one after the other, and wake whoever carries it now."""
        while self._late:
            channel, priority, claim = self._late[0]
            try:
                await self._store.release(claim.token, claim.delivery_ids)
            except Unavailable as error:
                self._fit.readiness.refused(error)
                await self._fit.clock.sleep(_STORE_PAUSE)
                continue
            except Exception as error:  # noqa: BLE001  the store has closed, or a bug: it must not hold up the others
                self._fit.log.error("a post stays out until the next start", channel=channel, error=repr(error))
            self._late.popleft()
            self._fit.bells.ring_lane(channel, priority)
