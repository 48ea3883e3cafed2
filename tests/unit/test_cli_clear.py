"""`alertd reject`: one by its id, or all of a rule that wait, and what is said where that does not go through."""

import asyncio
from typing import Any

import pytest

from alertd.cli import clear
from alertd.cli.client import Body, Unsure
from alertd.cli.decide import reject
from alertd.cli.drafts import severity_of, table_of, waiting
from alertd.cli.errors import Failure


class Answers:
    """A daemon with these drafts; `refuse` says what it answers for an id."""

    def __init__(self, count: int, **refuse: Exception) -> None:
        self.drafts = [a_draft(f"d{number}") for number in range(count)]
        self.refuse = refuse
        self.asked: list[str] = []

    async def get(self, path: str) -> Any:
        start = int(path.partition("&cursor=")[2] or 0)
        page = self.drafts[start : start + 200]
        return {"items": page, "next": str(start + 200) if start + 200 < len(self.drafts) else None}

    async def post(self, path: str, _: Body) -> Any:
        draft = path.split("/")[3]
        self.asked.append(draft)
        if draft in self.refuse:
            raise self.refuse[draft]
        return {"id": draft}


def a_draft(name: str, *severities: str, by: str = "rule:piena", status: str = "Actual") -> dict[str, Any]:
    info = [{"severity": severity, "headline": f"[/red] {name}", "area": []} for severity in severities or ("Severe",)]
    return {"id": name, "created_by": by, "status": status, "info": info, "note": "[bold]"}


async def rejecting(daemon: Any) -> list[str]:
    return await clear._reject_each(daemon, daemon.drafts, "falso")


async def test_every_draft_is_asked_for_and_the_gravest_comes_first() -> None:
    daemon: Any = Answers(450)
    daemon.drafts[3] = a_draft("other", by="rule:vento")
    daemon.drafts[7] = a_draft("drill", "Extreme", status="Exercise")
    daemon.drafts[440] = a_draft("worst", "Minor", "Extreme")
    found = await waiting(daemon, "piena")
    assert len(found) == 449
    assert [one["id"] for one in (found[0], found[1], found[-1])] == ["worst", "d0", "drill"]
    assert len(await waiting(daemon)) == 450
    assert severity_of({"info": []}) == "Unknown"


async def test_what_expired_undecided_waits_no_more_and_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    daemon: Any = Answers(4)
    past, to_come = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00+01:00"
    for draft, ends in zip(daemon.drafts, [(past, past), (past, to_come), (past, None), (None, None)], strict=True):
        draft["info"] = [{"severity": "Severe", "expires": end} for end in ends]
    assert [one["id"] for one in await waiting(daemon)] == ["d1", "d2", "d3"]
    assert "1 more expired undecided" in capsys.readouterr().err


def test_what_a_sensor_sent_is_shown_as_it_is() -> None:
    table = table_of([a_draft("a")])
    assert [str(cell) for cell in table.columns[4].cells] == ["[/red] a"]


async def test_whoever_is_refused_is_named_and_the_others_are_rejected(capsys: pytest.CaptureFixture[str]) -> None:
    daemon = Answers(20, d3=Failure("Conflict (409): alert d3 is pending, no longer a draft"))
    refused = await rejecting(daemon)
    assert refused == ["d3: Conflict (409): alert d3 is pending, no longer a draft"]
    assert len(daemon.asked) == 20
    assert sorted(capsys.readouterr().out.split()) == sorted(f"d{n}" for n in range(20) if n != 3)


async def test_where_the_first_are_all_refused_the_others_are_not_asked() -> None:
    daemon = Answers(20, **{f"d{n}": Failure("Forbidden (403)") for n in range(20)})
    with pytest.raises(Failure, match="Nothing was rejected"):
        await rejecting(daemon)
    assert len(daemon.asked) == 8


async def test_where_the_daemon_is_gone_it_ends() -> None:
    daemon = Answers(40, d12=Unsure("The daemon cannot be reached"))
    with pytest.raises(Failure, match="cannot be reached"):
        await rejecting(daemon)
    assert len(daemon.asked) <= 16


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ({"alert_id": "a", "rule": "r", "reason": "x"}, "one draft by its ID, or all"),
        ({"reason": "x"}, "one draft by its ID, or all"),
        ({"alert_id": "a", "reason": " "}, "--reason WHY is missing"),
        ({"rule": "r"}, "--reason WHY is missing"),
    ],
)
async def test_wrong_usage(call: dict[str, str], says: str) -> None:
    with pytest.raises(Failure, match=says) as failed:
        await asyncio.to_thread(reject, **call)  # type: ignore[arg-type]
    assert failed.value.code == 2
