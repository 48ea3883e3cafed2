"""Sensors that fall silent: the officers are told, of one rule once an hour at most, and a crash repeats nothing."""

import pytest

from alertd.core.words.notices import SensorsSilent
from alertd.domain.problems import Unavailable
from alertd.ingest.clerk import SILENCE_REPEATED
from tests.support.desk_stand import DeskStand
from tests.unit.rules_stand import rule
from tests.unit.test_ingest_desk import kinds

GAUGE = {"above": 2.5, "clear": 2.0, "stale_after": "10m"}


async def gauges(*sensors: str, **more: object) -> DeskStand:
    """Each read once."""
    stand = DeskStand(rule(reading=GAUGE, **more))
    await stand.start()
    for sensor in sensors:
        await stand.reads(1.0, minutes=0, sensor=sensor)
    return stand


async def wait(stand: DeskStand, minutes: float) -> None:
    await stand.clock.jump(minutes * 60)
    await stand.desk.tick()


def told(stand: DeskStand) -> list[tuple[str, ...]]:
    notices = list(stand.officers.told.values())
    assert all(isinstance(notice, SensorsSilent) for notice in notices)
    silent = [notice.sensors for notice in notices if isinstance(notice, SensorsSilent)]
    return [tuple(name.removeprefix("pesa/") for name in names) for names in silent]


async def test_once_for_each_silence_and_nothing_is_raised() -> None:
    stand = await gauges("pesa-1", "pesa-2")
    await wait(stand, 9)
    assert told(stand) == []
    for _ in range(20):
        await stand.reads(1.0, minutes=0, sensor="pesa-2")
        await wait(stand, 9)
    assert told(stand) == [("pesa-1",)]
    assert kinds(stand) == []


async def test_what_falls_silent_within_the_hour_is_told_together_if_it_still_is() -> None:
    stand = await gauges("pesa-1", "pesa-2", "pesa-3", "pesa-4")
    for minutes, speaking in ((5, ("pesa-2", "pesa-3", "pesa-4")), (6, ()), (6, ("pesa-4",)), (6, ())):
        await wait(stand, minutes)
        for sensor in speaking:
            await stand.reads(1.0, minutes=0, sensor=sensor)
    await wait(stand, 6)
    await stand.reads(1.0, minutes=0, sensor="pesa-4")
    assert told(stand) == [("pesa-1",)]
    await wait(stand, 1)
    await stand.reads(1.0, minutes=SILENCE_REPEATED / 60 - 10, sensor="pesa-4")
    await wait(stand, 5)
    assert told(stand) == [("pesa-1",), ("pesa-2", "pesa-3")]


async def test_a_crash_or_a_full_disk_repeats_nothing_and_loses_nothing() -> None:
    stand = await gauges("pesa-1")
    stand.officers.fails = [Unavailable("the disk is full")]
    await stand.desk.keep()
    await wait(stand, 11)
    assert told(stand) == []
    await wait(stand, 1)
    assert told(stand) == [("pesa-1",)]
    stand.reborn()
    await stand.start()
    await wait(stand, 200)
    assert told(stand) == [("pesa-1",)]


@pytest.mark.parametrize("silent", [True, False])
async def test_a_rule_that_says_so_tells_nobody(silent: bool) -> None:
    stand = await gauges("pesa-1", tell_officers=not silent)
    await wait(stand, 11)
    assert len(told(stand)) == (0 if silent else 1)


async def test_a_silence_nobody_could_be_told_is_told_once_there_is_somebody() -> None:
    stand = await gauges("pesa-1", "pesa-2")
    stand.officers.enrolled = False
    await wait(stand, 11)
    stand.officers.enrolled = True
    await stand.reads(1.0, minutes=SILENCE_REPEATED / 60 - 5, sensor="pesa-2")
    await wait(stand, 6)
    assert told(stand) == [("pesa-1",)]


async def test_a_rule_to_which_nothing_happens_is_not_kept_again_and_again() -> None:
    stand = await gauges("pesa-1")
    await wait(stand, 1)
    stand.store.things.clear()
    await wait(stand, 1)
    assert stand.store.things == {}
