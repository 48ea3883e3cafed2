"""When the officers are told that a source is silent: once, never oftener than once an hour, and again once heard."""

from dataclasses import replace
from typing import cast

import pytest
import structlog

from alertd.core.metrics import Metrics
from alertd.core.notices import Notices
from alertd.core.words.notices import SourceHeard, SourceSilent
from alertd.domain.problems import Unavailable
from alertd.ingest.gauges import Gauges
from alertd.ingest.pulse import Pulse
from alertd.ingest.silence import NOBODY, Silences
from alertd.ingest.source import SourceSpec
from tests.support.clock import START, ManualClock
from tests.support.desk_stand import Kept, Officers, spec

STALE = 600.0


class Watch:
    """One source that is heard or not, and whoever looks at it."""

    def __init__(self, source: SourceSpec | None = None) -> None:
        self.spec = source or spec(sensor="pesa-1", stale_after=STALE)
        self.clock = ManualClock()
        self.store = Kept()
        self.officers = Officers()
        self.reborn()

    def reborn(self) -> None:
        """The daemon died."""
        log = structlog.get_logger()
        self.pulse = Pulse(self.spec, self.clock, Gauges(Metrics().registry), log)
        officers = cast("Notices", self.officers)
        self.silences = Silences(lambda: [self.pulse], self.store, officers, self.clock, log)

    async def silent(self, seconds: float) -> None:
        await self.clock.jump(seconds)
        await self.silences.look()

    async def heard(self) -> None:
        self.pulse.good()
        await self.silences.look()

    @property
    def told(self) -> list[str]:
        return [type(notice).__name__ for notice in self.officers.told.values()]


async def test_once_when_silent_and_once_when_heard() -> None:
    watch = Watch()
    await watch.heard()
    await watch.silent(STALE)
    assert watch.told == []
    for _ in range(20):
        await watch.silent(60)
    why = "silent for 660 s, longer than its stale_after of 600 s"
    assert list(watch.officers.told.values()) == [SourceSilent("pesa", START, why)]
    for _ in range(3):
        await watch.heard()
    assert list(watch.officers.told.values())[1:] == [SourceHeard("pesa")]


async def test_one_that_comes_and_goes_is_told_of_once_an_hour_at_most() -> None:
    watch = Watch(spec(sensor="pesa-1", stale_after=60))
    for _ in range(30):  # two minutes of silence, then heard: an hour of it
        await watch.silent(119)
        await watch.heard()
        await watch.clock.jump(1)
    assert watch.told == ["SourceSilent", "SourceHeard"]
    await watch.silent(119)
    assert watch.told == ["SourceSilent", "SourceHeard", "SourceSilent"]


async def test_what_lasts_beyond_the_hour_is_told_then() -> None:
    watch = Watch()
    await watch.silent(700)
    await watch.heard()
    await watch.silent(700)
    assert watch.told == ["SourceSilent", "SourceHeard"]
    await watch.silent(3_000)
    assert watch.told == ["SourceSilent", "SourceHeard", "SourceSilent"]


async def test_a_restart_repeats_nothing_and_forgets_nothing() -> None:
    watch = Watch()
    await watch.silent(700)
    watch.reborn()
    await watch.silent(0)
    await watch.silent(7_200)
    assert watch.told == ["SourceSilent"]
    watch.reborn()
    await watch.heard()
    assert watch.told == ["SourceSilent", "SourceHeard"]


async def test_a_crash_between_the_notice_and_what_is_kept_of_it_makes_no_second() -> None:
    watch = Watch()
    watch.store.broken = True
    await watch.clock.jump(700)
    with pytest.raises(Unavailable):
        await watch.silences.look()
    watch.store.broken = False
    watch.reborn()
    await watch.silent(700)
    assert list(watch.officers.told) == ["source-pesa-1"]


async def test_with_no_officer_it_is_tried_again_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Watch()
    asked = 0

    async def nobody(*_: object, **__: object) -> None:
        nonlocal asked
        asked += 1

    with monkeypatch.context() as patched:
        patched.setattr(watch.officers, "tell", nobody)
        await watch.silent(700)
        await watch.silent(15)
        assert asked == 1
    await watch.silent(NOBODY)
    assert watch.told == ["SourceSilent"]


@pytest.mark.parametrize("changes", [{"tell_officers": False}, {"stale_after": None}])
async def test_one_of_which_nobody_is_to_be_told(changes: dict[str, object]) -> None:
    watch = Watch(replace(spec(sensor="pesa-1", stale_after=STALE), **changes))  # type: ignore[arg-type]
    await watch.silent(7_200)
    assert watch.told == []


async def test_what_was_told_and_cannot_be_read_begins_anew() -> None:
    watch = Watch()
    watch.store.things["silence/pesa"] = b"\x00"
    await watch.silent(700)
    assert watch.told == ["SourceSilent"]


async def test_what_was_told_and_cannot_be_read_keeps_no_later_silence_from_the_officers() -> None:
    watch = Watch()
    await watch.heard()
    await watch.silent(STALE + 1)
    watch.store.things["silence/pesa"] = b"{not what was written"
    watch.reborn()
    await watch.silent(STALE + 1)
    await watch.heard()
    assert watch.told == ["SourceSilent", "SourceSilent", "SourceHeard"]
