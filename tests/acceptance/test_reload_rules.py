"""SIGHUP to a real daemon: sources, rules and alert templates change without a restart; a faulty file changes nothing."""

import asyncio
from pathlib import Path
from typing import Any

from tests.acceptance.place import MAIL, channels_of, citizens, place
from tests.acceptance.town import Town

SOURCE = '[sources.{name}]\nreader = "number"\nsensor = "{name}-1"\nunit = "m"\n'
RULE = """
[templates.piena]
category = ["Met"]
[templates.piena.text.it-IT]
event = "Piena"
headline = "{headline}"
[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {{source = "{source}"}}
reading = {{above = {above}}}
"""
FAULTY = "the configuration on disk is faulty: the one before it goes on"
FAULT = 'hourly_cap = 3\nactoin = "send"\n'


def written(*sources: str, source: str, above: float, headline: str) -> str:
    rule = RULE.format(source=source, above=above, headline=headline)
    return "".join(SOURCE.format(name=name) for name in sources) + rule


async def hangup(town: Town, channels: str, words: str) -> None:
    """Write the file, send SIGHUP, and wait for what the daemon says of it."""
    before = town.log().count(words)
    town.configure(channels)
    town.hangup()
    async with asyncio.timeout(180):
        while town.log().count(words) == before:
            await asyncio.sleep(0.05)


async def reads(town: Town, source: str, value: str) -> int:
    status, _ = await town.call("POST", f"/v1/ingest/{source}", data=value.encode())
    return status


async def drafts(town: Town) -> list[str]:
    """Headlines, the oldest first."""
    listed: list[dict[str, Any]] = (await town.api("GET", "/v1/alerts?limit=100"))["items"]
    return [a["info"][0]["headline"] for a in reversed(listed) if a["created_by"] == "rule:piena"]


async def test_sources_rules_and_words_change_in_a_running_daemon(tmp_path: Path) -> None:
    async with place(tmp_path, only=(MAIL,)) as (town, sandbox):
        channels = channels_of(sandbox, (MAIL,), None)
        town.configure(channels + written("pesa", "arno", source="pesa", above=2.5, headline="Prima {value}"))
        await town.start()
        await town.enrol(citizens(sandbox, 1, only=(MAIL,)))
        process = town.process
        assert await reads(town, "pesa", "2.6") == 202
        assert await drafts(town) == ["Prima 2.6"]
        changed = channels + written("pesa", "elsa", source="*", above=3.5, headline="Dopo {value}")
        await hangup(town, changed, "reloaded")
        assert await reads(town, "pesa", "2.7") == 202  # what stands goes on: no second draft
        assert await reads(town, "elsa", "2.7") == 202  # under the new threshold
        assert await reads(town, "arno", "9.0") == 404  # configured no more
        assert await drafts(town) == ["Prima 2.6"]
        assert await reads(town, "elsa", "3.6") == 202
        assert await drafts(town) == ["Prima 2.6", "Dopo 3.6"]
        assert town.process is process


async def test_a_faulty_file_is_refused_by_name_and_the_running_configuration_stays(tmp_path: Path) -> None:
    async with place(tmp_path, only=(MAIL,)) as (town, sandbox):
        channels = channels_of(sandbox, (MAIL,), None)
        good = channels + written("pesa", source="pesa", above=2.5, headline="Prima {value}")
        town.configure(good)
        await town.start()
        await town.enrol(citizens(sandbox, 1, only=(MAIL,)))
        faulty = written("pesa", "elsa", source="pesa", above=1.0, headline="Dopo {value}") + FAULT
        await hangup(town, channels + faulty, "reload refused")
        assert "rules.piena.actoin" in town.log()
        assert FAULTY in (await town.api("GET", "/readyz"))["concerns"]
        assert await reads(town, "elsa", "9.0") == 404
        assert await reads(town, "pesa", "1.5") == 202  # the old threshold
        assert await drafts(town) == []
        await hangup(town, channels + 'this is = "no TOML', "reload refused")
        assert await reads(town, "pesa", "2.6") == 202
        assert await drafts(town) == ["Prima 2.6"]
        await hangup(town, good, "reloaded")
        assert FAULTY not in (await town.api("GET", "/readyz"))["concerns"]
