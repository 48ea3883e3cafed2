"""The Department's bulletin through the whole house, over two days: each zone's colour, one alert for each change.

There is one real bulletin; the issue after it and its corrections are made here from the real one's rows.
"""

import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from alertd.domain.alert import AlertState, MsgType, ResponseType
from alertd.ports.stores.intake import StoredAlert
from tests.integration.replay_stand import Houses, Replay, replay, told
from tests.support.dpc import GREEN, ORANGE, RED, SAMPLES, YELLOW, Row, bulletin_zip, overall, sample_bulletin
from tests.support.dpc import sample_rows as rows

pytestmark = pytest.mark.skipif(not SAMPLES.exists(), reason="no ../shared/samples/dpc beside this clone")

ROME = ZoneInfo("Europe/Rome")
DAYS = ("2026-01-18", "2026-01-19", "2026-01-20")
SENT = ("Tosc-A1", "Sard-F")
"""The zones of the rule that sends by itself."""
PEOPLE = {"anna": "Tosc-A1", "efisio": "Sard-F", "bastiana": "Sard-A", "rocco": "Cala-1"}
EVERY = 60.0

CONFIGURATION = """
[officers]
remind = "1d"
reminders = 0
[sources.dpc]
reader = "dpc"
url = "{url}/latest_all.zip"
allow_http = true
every = "1m"
stale_after = "3h"
each = "overall"
zones = {zones}
[templates.criticita]
category = ["Met"]
[templates.criticita.text.it-IT]
event = "Criticità"
headline = "{{colour}} {{zones}} {{fact.day}}"
[templates.criticita.clear.it-IT]
headline = "verde {{zones}} {{fact.day}}"
[[rules]]
name = "bozze"
template = "criticita"
match = {{source = "dpc", min_colour = "gialla"}}
zones_by_code = {drafted}
[[rules]]
name = "invia"
template = "criticita"
match = {{source = "dpc", min_colour = "gialla"}}
zones_by_code = {sent}
action = "send"
unattended = true
hourly_cap = 20
"""


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ROME)


def changed(table: Iterable[Row], **colours: str) -> list[Row]:
    """The rows, those of some zones all of one colour."""
    wanted = {zone.replace("_", "-"): colour for zone, colour in colours.items()}
    return [(row[0], row[1], *[wanted[row[0]]] * 4) if row[0] in wanted else row for row in table]


NEXT = {"Tosc_A1": ORANGE, "Sard_A": ORANGE, "Cala_1": GREEN}
FIXED = {"Tosc_A1": YELLOW, "Sard_A": RED, "Cala_1": GREEN}
GREENER = {**FIXED, "Tosc_A1": GREEN, "Sard_F": YELLOW}


def issue(stamp: str, **colours: str) -> bytes:
    """The day after: what the real one calls tomorrow is today, some zones aside."""
    return bulletin_zip(stamp, changed(rows("tomorrow"), **colours), rows("today"))


def territory(folder: Path) -> Path:
    """Every zone of the bulletin, a small square each."""
    features = []
    for number, (code, *_) in enumerate(rows("today")):
        west, south = 8 + number % 20 / 5, 36 + number // 20 / 5
        ring = [[west, south], [west + 0.1, south], [west + 0.1, south + 0.1], [west, south + 0.1], [west, south]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"code": code, "name": code}, "geometry": geometry})
    file = folder / "zones.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return file


def configured(url: str) -> str:
    codes = [row[0] for row in rows("today")]
    return CONFIGURATION.format(url=url, zones=json.dumps(codes), drafted=_own([*codes], SENT), sent=_own(SENT, ()))


def _own(codes: Iterable[str], without: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{code}" = ["{code}"]' for code in codes if code not in without) + "}"


@asynccontextmanager
async def houses(folder: Path) -> AsyncIterator[Houses]:
    """On the afternoon of the real bulletin, read once."""
    async with replay(folder, configured, at=at("2026-01-18T15:20"), zones=territory(folder)) as houses:
        for name, zone in PEOPLE.items():
            await houses.it.town.enrol(name, zones=(zone,))
        await houses.it.town.enrol("officer", cohort="officers", zones=("Tosc-A1",))
        publish(houses.it, sample_bulletin(), "1")
        await houses.it.polled(EVERY)
        yield houses


def publish(it: Replay, bulletin: bytes, etag: str) -> None:
    it.server.document("/latest_all.zip", bulletin, kind="application/zip", etag=f'"{etag}"')


def standing(alerts: Iterable[StoredAlert], now: datetime) -> Mapping[tuple[str, str], str]:
    """The colour that stands of each zone and day: sent, or drafted for an officer. Never two."""
    found: dict[tuple[str, str], str] = {}
    for stored in alerts:
        info = stored.alert.info[0]
        over = ResponseType.ALL_CLEAR in info.response_type
        stands = stored.state in (AlertState.COMPLETE, AlertState.DRAFT) and stored.followed_by is None
        if not stands or over or stored.deadline <= now:
            continue
        colour, zone, day = (info.headline or "").split()
        assert (zone, day) not in found, (zone, day)
        found[zone, day] = colour
    return found


def expected(days: Mapping[str, Iterable[Row]]) -> Mapping[tuple[str, str], str]:
    return {
        (zone, day): colour
        for day, table in days.items()
        for zone, colour in overall(table).items()
        if colour != "verde"
    }


async def raised(it: Replay) -> list[StoredAlert]:
    return [stored for stored in await it.alerts() if stored.created_by.startswith("rule:")]


async def stands(it: Replay) -> Mapping[tuple[str, str], str]:
    return standing(await raised(it), it.clock.now())


def received(it: Replay) -> Counter[str]:
    return Counter(parcel.address for parcel in it.town.providers["people"].parcels if parcel.address != "officer")


async def polled_in_vain(it: Replay, times: int, *, every: float) -> None:
    """However often it is asked, nothing follows from it."""
    before = [stored.alert.id for stored in await raised(it)], received(it)
    asked = len(it.server.asked)
    for _ in range(times):
        await it.polled(every)
    assert len(it.server.asked) == asked + times
    assert ([stored.alert.id for stored in await raised(it)], received(it)) == before


async def test_each_zone_has_its_colour_at_ten_before_four_after_four_and_corrected(tmp_path: Path) -> None:
    async with houses(tmp_path) as house:
        it = house.it
        both = expected({DAYS[0]: rows("today"), DAYS[1]: rows("tomorrow")})
        assert await stands(it) == both
        assert len(await raised(it)) == len(both) == 14 + 29
        await polled_in_vain(it, 20, every=1_800)
        for moment, times in (("2026-01-19T10:00", 10), ("2026-01-19T15:59", 1)):
            await it.at(at(moment))
            assert await stands(it) == expected({DAYS[1]: rows("tomorrow")}), moment
            await polled_in_vain(it, times, every=EVERY)
        assert len(await raised(it)) == 14 + 29
        for moment, stamp, colours, news in (
            ("2026-01-19T16:01", "20260119_1600", NEXT, 14 + 2),  # tomorrow's, Tosc-A1 begins, Sard-A changes
            ("2026-01-19T18:31", "20260119_1830", FIXED, 2),
        ):
            before = len(await raised(it))
            publish(it, issue(stamp, **colours), stamp)
            await it.at(at(moment))
            days = {DAYS[1]: changed(rows("tomorrow"), **colours), DAYS[2]: rows("today")}
            assert await stands(it) == expected(days), moment
            assert len(await raised(it)) == before + news
            await polled_in_vain(it, 5, every=EVERY)
        publish(it, sample_bulletin(), "late")  # yesterday's, from a cache on the way
        await polled_in_vain(it, 2, every=EVERY)
        assert received(it) == {"efisio": 1, "anna": 2}


async def test_updates_are_chained_and_green_is_an_all_clear_to_those_who_were_told(tmp_path: Path) -> None:
    async with houses(tmp_path) as house:
        it = house.it
        await it.approve(*[s.alert.id for s in await of(it, "Sard-A", DAYS[1])])
        await it.approve(*[s.alert.id for s in await of(it, "Cala-1", DAYS[1])])
        for stamp, colours in (("20260119_1600", NEXT), ("20260119_1830", FIXED), ("20260119_2000", GREENER)):
            publish(it, issue(stamp, **colours), stamp)
            await it.at(datetime.strptime(stamp, "%Y%m%d_%H%M").replace(tzinfo=ROME) + timedelta(minutes=1))
            drafts = [s for s in await raised(it) if s.state is AlertState.DRAFT and s.alert.msg_type is MsgType.UPDATE]
            await it.approve(*[s.alert.id for s in drafts])
            await it.polled(EVERY)
        assert {zone: await chain(it, zone) for zone in ("Tosc-A1", "Sard-F", "Sard-A", "Cala-1")} == {
            "Tosc-A1": ["Alert: arancione", "Update: gialla", "over: verde"],
            "Sard-F": ["Alert: rossa", "Update: gialla"],
            "Sard-A": ["Alert: rossa", "Update: arancione", "Update: rossa"],
            "Cala-1": ["Alert: gialla", "over: verde"],
        }
        assert received(it) == {"anna": 3, "efisio": 2, "bastiana": 3, "rocco": 2}


async def test_a_crash_between_repeats_nothing_and_loses_nothing(tmp_path: Path) -> None:
    async with houses(tmp_path) as house:
        it = house.it
        await it.at(at("2026-01-19T15:59"))
        before = await raised(it)
        for stamp, colours, news in (("20260119_1600", NEXT, 16), ("20260119_1830", FIXED, 2)):
            await house.crash()
            it = house.it
            publish(it, sample_bulletin() if stamp.endswith("1600") else issue("20260119_1600", **NEXT), "again")
            await polled_in_vain(it, 3, every=EVERY)
            assert [s.alert.id for s in await raised(it)] == [s.alert.id for s in before]
            assert not received(it)
            publish(it, issue(stamp, **colours), stamp)
            await it.polled(EVERY)
            assert len(await raised(it)) == len(before) + news
            assert received(it) == {"anna": 1}
            before = await raised(it)
        assert await chain(it, "Tosc-A1") == ["Alert: arancione", "Update: gialla"]


async def of(it: Replay, zone: str, day: str) -> list[StoredAlert]:
    return [s for s in await raised(it) if (s.alert.info[0].headline or "").split()[1:] == [zone, day]]


async def chain(it: Replay, zone: str) -> list[str]:
    """What was said of the zone on the second day; each must reference the one before it."""
    said = [s for s in await of(it, zone, DAYS[1]) if s.state is not AlertState.REJECTED]
    for earlier, later in itertools.pairwise(said):
        named = [reference.identifier for reference in later.alert.references]
        assert earlier.alert.identifier in named
        assert earlier.followed_by == later.alert.id
    return [line.rsplit(" ", 2)[0] for line in told(said)]
