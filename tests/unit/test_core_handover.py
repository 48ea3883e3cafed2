"""Claims made with an acceptance reach a lane, or go back to the store: none stays out while nobody carries it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

import structlog

from alertd.core.fittings import Fittings
from alertd.core.handover import Handover
from alertd.core.letters import Letters
from alertd.core.open_channel import OpenChannel
from alertd.domain.alert import AlertState
from alertd.domain.problems import Unavailable
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.reports import ReportStore
from alertd.ports.stores.work import Claim, Told, WorkStore
from tests.integration.store_stand import HOUR, NOW, an_alert
from tests.support.clock import ManualClock, settle_down

STORED = StoredAlert(1, an_alert(), AlertState.ACTIVE, 0, NOW, NOW + HOUR, "officer")


class _Store:
    """What of a store a handover uses. Refuses as often as `refusals` says."""

    def __init__(self) -> None:
        self.released: list[int] = []
        self.refusals = 0

    async def release(self, token: int, delivery_ids: Sequence[int], *, due_at: datetime | None = None) -> None:
        await asyncio.sleep(0)
        if self.refusals:
            self.refusals -= 1
            raise Unavailable("the disk is full")
        assert (list(delivery_ids), due_at) == ([token * 10], None)
        self.released.append(token)


class _House:
    def __init__(self) -> None:
        self.store = _Store()
        self.clock = ManualClock()
        self.fit = Fittings(self.clock, structlog.get_logger())
        letters = Letters(cast("ReportStore", None))
        self.handover = Handover(cast("WorkStore", self.store), letters, self.fit)

    def give(self, **tokens: int) -> None:
        self.handover.give(STORED, {channel: _claim(token) for channel, token in tokens.items()})


def _claim(token: int) -> Claim:
    return Claim(token, STORED.alert.id, [Told("", 1, [token * 10], [0], [""], [0], [None])])


def _channel(name: str) -> OpenChannel:
    nothing: Mapping[str, Any] = dict.fromkeys(OpenChannel.__slots__)
    return OpenChannel(**{**nothing, "name": name})


class _Lane:
    """Has room for so many claims."""

    def __init__(self, room: int = 0) -> None:
        self.carried: list[Claim] = []
        self._room = room

    def offer(self, claim: Claim) -> bool:
        if len(self.carried) == self._room:
            return False
        self.carried.append(claim)
        return True


def _lanes(room: int = 0) -> dict[int, _Lane]:
    return {0: _Lane(room)}


async def test_a_lane_with_room_carries_at_once_and_takes_the_rest_later() -> None:
    house, lanes = _House(), _lanes(room=1)
    async with house.handover.serving(_channel("square"), lanes):
        house.give(square=1)
        house.give(square=2)
        assert lanes[0].carried == [_claim(1)]
        assert house.handover.take("square", 0) == _claim(2)
        assert house.handover.take("square", 0) is None
    assert house.store.released == []


async def test_a_claim_whose_channel_closed_during_the_commit_goes_back_at_once() -> None:
    house = _House()
    async with house.handover.serving(_channel("square"), _lanes()):
        pass
    bell = house.fit.bells.lane("square", 0)
    bell.hush()
    house.give(square=1)
    await settle_down()
    assert house.store.released == [1]
    assert bell.hush(), "whoever carries the channel now looks at once"


async def test_channels_that_close_together_put_back_each_claim_once() -> None:
    house = _House()

    async def one(name: str, token: int) -> None:
        async with house.handover.serving(_channel(name), _lanes()):
            house.give(**{name: token})

    await asyncio.gather(one("a", 1), one("b", 2), one("c", 3))
    assert sorted(house.store.released) == [1, 2, 3]


async def test_a_store_that_refuses_is_asked_again() -> None:
    house = _House()
    house.store.refusals = 2
    house.give(square=1)
    await settle_down()
    assert house.store.released == []
    await house.clock.advance(5)
    assert house.store.released == [1]


async def test_a_channel_that_ends_late_leaves_its_successor_alone() -> None:
    house = _House()
    old, new = (house.handover.serving(_channel("square"), _lanes()) for _ in range(2))
    await old.__aenter__()
    await new.__aenter__()
    await old.__aexit__(None, None, None)
    house.give(square=1)
    assert house.handover.take("square", 0) == _claim(1)
    house.give(square=2)
    await new.__aexit__(None, None, None)
    assert house.store.released == [2]
