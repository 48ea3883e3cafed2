"""The demo's citizens and its verdict."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from alertd.cli.demo.citizens import Citizen, census, import_lines
from alertd.cli.demo.compare import compared
from alertd.cli.demo.drill import Drill
from alertd.cli.demo.exercise import exercise
from alertd.cli.receipts import AlertReceipts
from tests.unit.cli_daemon import receipts_of


def test_a_hundred_citizens_are_split_as_said() -> None:
    assert census(100) == {"push": 78, "mail": 31, "bot": 5}
    assert census(10_000) == {"push": 7_800, "mail": 3_100, "bot": 500}


def test_even_ten_citizens_have_every_channel() -> None:
    assert all(census(10).values())
    assert all(Citizen(number).channels for number in range(1_000))


async def test_every_line_is_of_the_cohort_that_drills_reach() -> None:
    async def subscriptions() -> AsyncIterator[bytes]:
        for number in range(100):
            yield json.dumps({"endpoint": f"https://push/{number}", "keys": {}}).encode()

    lines = [json.loads(line) async for line in import_lines(100, subscriptions(), ["048001", "048028"])]
    assert len(lines) == 100
    assert {line["cohort"] for line in lines} == {"exercise"}
    assert {line["language"] for line in lines} == {"it", "en"}
    endpoints = [json.dumps(e, sort_keys=True) for line in lines for e in line["endpoints"]]
    assert len(set(endpoints)) == len(endpoints) == sum(census(100).values())


def test_the_exercise_is_one() -> None:
    alert = exercise(datetime(2026, 11, 21, 10, tzinfo=UTC))
    assert alert["status"] == "Exercise"
    assert {info["language"] for info in alert["info"]} == {"it-IT", "en-GB"}


@pytest.mark.parametrize(
    ("counts", "stats", "agrees"),
    [
        ({"accepted": 78}, {"messages": 78, "recipients": 78, "duplicates": 0}, True),
        ({"accepted": 78}, {"messages": 79, "recipients": 78, "duplicates": 1}, False),
        ({"accepted": 77, "failed": 1}, {"messages": 77, "recipients": 77, "duplicates": 0}, False),
        ({"accepted": 77, "queued": 1}, {"messages": 78, "recipients": 78, "duplicates": 0}, False),
        ({"accepted": 78}, {"messages": 77, "recipients": 77, "duplicates": 0}, False),
    ],
)
def test_the_counts_agree_only_if_all_do(counts: dict[str, int], stats: dict[str, int], *, agrees: bool) -> None:
    drill = Drill({"push": 78}, 1.0, AlertReceipts.read(receipts_of("complete", **counts)))
    (row,) = compared(drill, {"push": stats})
    assert row.agrees is agrees
