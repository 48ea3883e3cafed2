"""A source that falls silent, in the whole house: the officers are told once, and once that it is heard again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.integration.replay_stand import Houses, Replay, replay
from tests.support.clock import START
from tests.unit.test_ingest_desk import document

CONFIGURATION = """
[sources.regione]
reader = "cap"
url = "{url}/regione"
allow_http = true
every = "1m"
stale_after = "10m"
{more}
[sources.altra]
reader = "cap"
url = "{url}/altra"
allow_http = true
every = "1m"
"""


@asynccontextmanager
async def watched(folder: Path, more: str = "") -> AsyncIterator[Houses]:
    """Two sources, both heard; an officer and a citizen."""
    async with replay(folder, lambda url: CONFIGURATION.format(url=url, more=more), at=START) as houses:
        it = houses.it
        await it.town.enrol("olga", cohort="officers")
        await it.town.enrol("anna")
        for name in ("regione", "altra"):
            it.server.document(f"/{name}", document("a", 0))
        await it.polled(60)
        yield houses


async def minutes(it: Replay, count: int) -> None:
    """Each of them with its polls, and a look at who is silent."""
    for _ in range(count):
        await it.sources_asleep()
        asked = len(it.server.asked)
        await it.clock.jump(60)
        await it.until(lambda asked=asked: len(it.server.asked) >= asked + 2)  # type: ignore[misc]
        await it.town.house.silences.look()
        await it.quiet()


def told(it: Replay) -> list[str]:
    return [parcel.address for parcel in it.town.providers["people"].parcels]


def read(it: Replay) -> str:
    return it.town.providers["people"].ledger.bodies["olga"].decode()


async def test_the_officers_are_told_once_and_once_that_it_is_heard_again(tmp_path: Path) -> None:
    async with watched(tmp_path) as houses:
        it = houses.it
        it.server.document("/regione", b"", status=500)
        await minutes(it, 9)
        assert told(it) == []
        await minutes(it, 20)
        assert told(it) == ["olga"]
        for words in ("SORGENTE MUTA: regione", "it answers 500", "PER GLI ADDETTI"):
            assert words in read(it)
        assert "altra" not in read(it)
        assert "1 of 2 sources are not heard" in (await it.town.client.get("/readyz")).json()["concerns"]
        await houses.crash()
        it = houses.it
        await minutes(it, 20)
        assert told(it) == []
        it.server.document("/regione", document("a", 0))
        await minutes(it, 5)
        assert told(it) == ["olga"]
        assert "SORGENTE DI NUOVO ATTIVA: regione" in read(it)
        silent, heard = [stored for stored in await it.alerts() if stored.created_by == "pager"]
        assert (silent.followed_by, heard.alert.references[0].identifier) == (heard.alert.id, silent.alert.identifier)
        for path in ("/", "/feed.atom", "/feed-exercise.atom"):
            assert "SORGENTE" not in (await it.town.client.get(path)).text
        assert (await it.town.client.get(f"/cap/{heard.alert.id}.xml")).status_code == 404


async def test_of_a_source_that_says_so_nobody_is_told(tmp_path: Path) -> None:
    async with watched(tmp_path, "tell_officers = false") as houses:
        houses.it.server.document("/regione", b"", status=500)
        await minutes(houses.it, 15)
        assert told(houses.it) == []
        assert "1 of 2 sources are not heard" in (await houses.it.town.client.get("/readyz")).json()["concerns"]
