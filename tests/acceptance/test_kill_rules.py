"""kill -9 between what a source says and what follows from it: nothing is raised twice, nothing is forgotten."""

from pathlib import Path
from typing import Any

from tests.acceptance.place import MAIL, channels_of, citizens, place
from tests.acceptance.town import Town

RULES = """
[sources.pesa]
reader = "number"
sensor = "pesa-1"
unit = "m"
[templates.piena]
category = ["Met"]
[templates.piena.text.it-IT]
event = "Piena"
headline = "La Pesa segna {value} {unit}"
[templates.piena.clear.it-IT]
headline = "La Pesa scende a {value} {unit}"
[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {source = "pesa"}
reading = {above = 2.5, clear = 2.0}
action = "send"
unattended = true
hourly_cap = 9
"""


async def raised(town: Town) -> list[dict[str, Any]]:
    """The oldest first."""
    return list(reversed((await town.api("GET", "/v1/alerts?limit=100"))["items"]))


async def reads(town: Town, value: str) -> None:
    status, answer = await town.call("POST", "/v1/ingest/pesa", data=value.encode())
    assert status == 202, answer


async def test_what_was_answered_survives_and_is_never_raised_twice(tmp_path: Path) -> None:
    async with place(tmp_path, only=(MAIL,)) as (town, sandbox):
        town.configure(channels_of(sandbox, (MAIL,), None) + RULES)
        await town.start()
        await town.enrol(citizens(sandbox, 1, only=(MAIL,)))
        for value, said in (
            ("2.61", ["La Pesa segna 2.61 m"]),
            ("2.71", ["La Pesa segna 2.61 m"]),
            ("1.50", ["La Pesa segna 2.61 m", "La Pesa scende a 1.5 m"]),
            ("1.40", ["La Pesa segna 2.61 m", "La Pesa scende a 1.5 m"]),
        ):
            await reads(town, value)
            await town.kill()  # right after the answer
            await town.start()
            alerts = await raised(town)
            assert [alert["info"][0]["headline"] for alert in alerts] == said, value
            for alert in alerts:
                await town.settled(alert["id"])
        assert alerts[0]["followed_by"] == alerts[1]["id"]
