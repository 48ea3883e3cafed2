"""Recorded feeds through the whole house: one alert for what began, an Update for what changed, and none for a poll.

What is changed, revised or taken back is made here from the recorded messages.
"""

import copy
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.integration.replay_stand import SAMPLES, Replay, replay, told

METEOALARM = SAMPLES / "meteoalarm" / "feed_italy_sample.json"
INGV = SAMPLES / "ingv" / "ingv_emilia_2012-05-29.txt"
AMBER = SAMPLES / "feeds" / "amber.atom"
EVERY = 60.0
POLLS = 10


def needs(sample: Path) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        not sample.exists(), reason=f"no ../shared/samples/{sample.parent.name} beside this clone"
    )


CONFIGURATION = """
[sources.feed]
reader = "{reader}"
url = "{url}/feed"
allow_http = true
every = "1m"
{options}
[templates.avviso]
category = ["Met"]
[templates.avviso.text.it-IT]
event = "Avviso"
headline = "{headline}"
[templates.avviso.clear.it-IT]
headline = "finito {headline}"
[[rules]]
name = "avvisi"
template = "avviso"
match = {{source = "feed"}}
action = "send"
unattended = true
hourly_cap = 50
{rule}
"""


def configured(reader: str, headline: str, options: str, rule: str) -> Callable[[str], str]:
    return lambda url: CONFIGURATION.format(reader=reader, url=url, headline=headline, options=options, rule=rule)


def territory(folder: Path, places: Mapping[str, tuple[float, float]]) -> Path:
    """A small square around each place (lat, lon)."""
    features = []
    for code, (lat, lon) in places.items():
        west, east, south, north = lon - 0.02, lon + 0.02, lat - 0.02, lat + 0.02
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        geometry = {"type": "Polygon", "coordinates": [ring]}
        features.append({"type": "Feature", "properties": {"code": code, "name": code}, "geometry": geometry})
    file = folder / "zones.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return file


async def said(it: Replay) -> list[str]:
    return told(await it.of("avvisi"))


async def polled_in_vain(it: Replay) -> None:
    before, asked, received = await said(it), len(it.server.asked), len(it.town.providers["people"].parcels)
    for _ in range(POLLS):
        await it.polled(EVERY)
    assert len(it.server.asked) == asked + POLLS
    assert (await said(it), len(it.town.providers["people"].parcels)) == (before, received)


async def chained(it: Replay, *, since: int) -> None:
    """Each of those follows one that was said before."""
    alerts = await it.of("avvisi")
    earlier = {stored.alert.identifier for stored in alerts[:since]}
    for stored in alerts[since:]:
        assert {reference.identifier for reference in stored.alert.references} & earlier
        earlier.add(stored.alert.identifier)


# --- MeteoAlarm ---


def _warning(feed: Mapping[str, Any], region: str, minute: int, **infos: str) -> dict[str, Any]:
    """An Update of the region's latest warning, of that minute past 13 o'clock; `infos` replace words of each info."""
    warning = copy.deepcopy(next(one for one in feed["warnings"] if region in json.dumps(one)))
    alert = warning["alert"]
    alert["references"] = f"{alert['sender']},{alert['identifier']},{alert['sent']}"
    alert["identifier"] += f".{minute}"
    alert["sent"] = f"2026-07-31T13:{minute:02}:00+02:00"
    alert["msgType"] = "Update"
    for info in alert["info"]:
        for parameter in info["parameter"]:
            if parameter["valueName"] == "awareness_level":
                parameter["value"] = infos["level"]
        info["severity"] = infos["severity"]
    warning["uuid"] = f"made-{minute}"
    return warning


def _served(it: Replay, warnings: Iterable[object]) -> None:
    it.server.document("/feed", json.dumps({"warnings": list(warnings)}).encode(), kind="application/json")


@needs(METEOALARM)
async def test_meteoalarm_as_recorded_then_worse_then_green(tmp_path: Path) -> None:
    regions = [f"IT{number:03}" for number in range(1, 21)]
    zones = territory(tmp_path, {code: (40 + i / 5, 10.0) for i, code in enumerate(regions)})
    rule = "zones_by_code = {" + ", ".join(f'{code} = ["{code}"]' for code in regions) + "}"
    configuration = configured("meteoalarm", "{severity} {zones}", f"zones = {json.dumps(regions)}", rule)
    feed = json.loads(METEOALARM.read_bytes())
    at = datetime.fromisoformat("2026-07-31T12:05:00+02:00")
    async with replay(tmp_path, configuration, at=at, zones=zones) as houses:
        it = houses.it
        await it.town.enrol("abruzzese", zones=("IT017",))
        _served(it, feed["warnings"])
        await it.polled(EVERY)
        assert sorted(await said(it)) == [  # what still holds at noon of the 31st, and is not green
            *("Alert: Extreme IT017", "Alert: Moderate IT002", "Alert: Moderate IT004", "Alert: Moderate IT005"),
            *("Alert: Severe IT003", "Alert: Severe IT012"),
        ]
        await polled_in_vain(it)
        worse = _warning(feed, "IT012", 1, level="4; red; Extreme", severity="Extreme")
        _served(it, [*feed["warnings"], worse])
        await it.polled(3_600)
        assert (await said(it))[6:] == ["Update: Extreme IT012"]
        await chained(it, since=6)
        await polled_in_vain(it)
        await houses.crash()
        it = houses.it
        await polled_in_vain(it)
        green = _warning(feed, "IT017", 2, level="1; green; Minor", severity="Minor")
        _served(it, [*feed["warnings"], worse, green])
        await it.polled(EVERY)
        assert (await said(it))[7:] == ["over: finito Minor IT017"]
        await chained(it, since=6)
        assert [parcel.address for parcel in it.town.providers["people"].parcels] == ["abruzzese"]
        await polled_in_vain(it)


# --- a CAP feed ---


@needs(AMBER)
async def test_a_recorded_cap_feed_then_updated_then_cancelled(tmp_path: Path) -> None:
    configuration = configured("cap_feed", "{event} {severity}", 'language = "en-US"', 'zones = ["048028"]')
    amber = AMBER.read_bytes()
    made = (("Update", "19:40", b"Extreme"), ("Cancel", "20:00", b"Severe"))
    async with replay(tmp_path, configuration, at=datetime.fromisoformat("2010-06-03T19:20:00-05:00")) as houses:
        it = houses.it
        await it.town.enrol("anna")
        it.server.document("/feed", amber, kind="application/atom+xml")
        await it.polled(EVERY)
        assert await said(it) == ["Alert: Child Abduction Severe"]
        await polled_in_vain(it)
        for kind, time, severity in made:
            it.server.document("/feed", _followed(amber, kind, time, severity), kind="application/atom+xml")
            await it.polled(1_200)
            await polled_in_vain(it)
            await houses.crash()
            it = houses.it
            await polled_in_vain(it)
        assert await said(it) == [
            *("Alert: Child Abduction Severe", "Update: Child Abduction Extreme"),
            "over: finito Child Abduction Severe",
        ]
        await chained(it, since=1)


def _followed(amber: bytes, kind: str, time: str, severity: bytes) -> bytes:
    """The feed an hour later: its entry is another message, which references the recorded one."""
    reference = b"KARO@CLETS.DOJ.DC.GOV,http://doj.dc.gov/amber12345,2010-06-03T19:15:00-05:00"
    return (
        amber.replace(b"amber12345", f"amber12345-{kind}".encode())
        .replace(b"19:15:00", f"{time}:00".encode())
        .replace(b"<msgType>Alert", f"<msgType>{kind}".encode())
        .replace(b"<severity>Severe", b"<severity>" + severity)
        .replace(b"<scope>Public</scope>", b"<scope>Public</scope><references>" + reference + b"</references>")
    )


# --- INGV ---


@needs(INGV)
async def test_earthquakes_as_recorded_then_revised(tmp_path: Path) -> None:
    zones = territory(tmp_path, {"036026": (44.89, 10.90), "037006": (44.49, 11.34)})  # Novi di Modena, Bologna
    headline = "{value} {unit} {zones}"
    rule = 'zones_by_code = {036026 = ["036026"], 037006 = ["037006"]}\nchange_by = 0.2'
    recorded = INGV.read_text()
    at = datetime.fromisoformat("2012-05-30T00:05:00+00:00")
    async with replay(tmp_path, configured("ingv", headline, "", rule), at=at, zones=zones) as houses:
        it = houses.it
        await it.town.enrol("novi", zones=("036026",))
        await it.town.enrol("bologna", zones=("037006",))
        it.server.document("/feed", recorded.encode(), kind="text/plain")
        await it.polled(EVERY)
        assert await said(it) == ["Alert: 2.9 ML 036026"]  # of eight, the one that is felt in one of our two places
        await polled_in_vain(it)
        for magnitude, news in (
            ("ML|3.0", []),  # another revision, of which nobody need hear
            ("Mw|4.6", ["Update: 4.6 Mw 036026, 037006"]),
            ("ML|2.0", ["over: finito 2 ML —"]),
        ):
            before = len(await said(it))
            revised = recorded.replace("|ML|2.9|", f"|{magnitude}|")
            it.server.document("/feed", revised.encode(), kind="text/plain")
            await it.polled(EVERY)
            assert (await said(it))[before:] == news, magnitude
            await polled_in_vain(it)
            await houses.crash()
            it = houses.it
            await polled_in_vain(it)
        await chained(it, since=1)
