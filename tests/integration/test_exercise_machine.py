"""Exercise and Test never reach a public endpoint or a channel not marked for exercises, whatever is done.

A Hypothesis state machine drives the real daemon (in this process, on the shipped fake adapter) through alerts of
every status, cohorts, drafts, updates and cancels; then looks at every parcel that left.
"""

import asyncio
import itertools
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from tests.integration.fake_house import FakeHouse, alert, fake_house

ZONES = ["048028", "048014"]
STATUSES = ["Actual", "Exercise", "Test", "System"]


class _House:
    """One daemon for all runs: what must hold, must hold of a store with a history too."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.it = self.runner.run(self._open())
        self.providers = self.it.providers

    async def _open(self) -> FakeHouse:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        it = await self.stack.enter_async_context(fake_house(folder))
        access = it.house.access
        drill = frozenset({"Exercise", "Test"})
        it.tokens["drill"] = await access.create("drill", frozenset({"alerts:send"}), drill, actor="test")
        it.tokens["writer"] = await access.create("writer", frozenset({"alerts:draft"}), None, actor="test")
        return it

    def call(self, method: str, path: str, body: object = None, *, who: str = "admin") -> tuple[int, Any]:
        return self.runner.run(self.it.call(method, path, body, who=who))

    def settled(self, *alert_ids: str) -> None:
        self.runner.run(self.it.settled(*alert_ids))

    def close(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


def _alert(status: str, zones: list[str], channels: list[str] | None) -> dict[str, Any]:
    return alert(status, zones=tuple(zones), channels=channels)


class Drills(RuleBasedStateMachine):
    house: ClassVar[_House | None] = None
    numbers: ClassVar[Any] = itertools.count(1)
    alerts = Bundle("alerts")
    drafts = Bundle("drafts")

    @initialize()
    def open(self) -> None:
        if Drills.house is None:
            Drills.house = _House()
        self.it = Drills.house
        self.statuses: dict[str, str] = {}
        self.people: list[str] = []
        for provider in self.it.providers.values():
            provider.parcels.clear()
        self.enrol("public", ZONES)
        self.enrol("exercise", ZONES)

    @rule(
        cohort=st.sampled_from(["public", "exercise"]), zones=st.lists(st.sampled_from(ZONES), min_size=1, unique=True)
    )
    def enrol(self, cohort: str, zones: list[str]) -> None:
        endpoint = {"channel": "people", "address": f"{cohort}-{next(self.numbers)}"}
        body = {"language": "it", "zones": zones, "purposes": ["emergency"], "cohort": cohort, "endpoints": [endpoint]}
        status, answer = self.it.call("POST", "/v1/subscribers", body)
        assert status == 201, answer
        self.people.append(answer["id"])

    @rule(
        target=alerts,
        status=st.sampled_from(STATUSES),
        zones=st.lists(st.sampled_from([*ZONES, "*"]), min_size=1, unique=True),
        channels=st.none() | st.lists(st.sampled_from(["people", "square", "drillground"]), min_size=1, unique=True),
        who=st.sampled_from(["admin", "drill"]),
    )
    def send(self, status: str, zones: list[str], channels: list[str] | None, who: str) -> str:
        code, answer = self.it.call("POST", "/v1/alerts", _alert(status, zones, channels), who=who)
        if who == "drill" and status not in {"Exercise", "Test"}:
            assert code == 403, answer
            return ""
        if status != "Actual" and channels and "square" in channels:
            assert code == 422, answer
            return ""
        assert code == 202, answer
        self.statuses[answer["id"]] = status
        return str(answer["id"])

    @rule(target=drafts, status=st.sampled_from(STATUSES))
    def draft(self, status: str) -> str:
        code, answer = self.it.call("POST", "/v1/alerts", _alert(status, ["*"], None), who="writer")
        assert (code, answer["state"]) == (202, "draft"), answer
        self.statuses[answer["id"]] = status
        return str(answer["id"])

    @rule(target=alerts, draft=consumes(drafts))
    def approve(self, draft: str) -> str:
        code, answer = self.it.call("POST", f"/v1/alerts/{draft}/approve")
        assert code < 300, answer
        return draft

    @rule(
        target=alerts,
        original=alerts,
        zones=st.lists(st.sampled_from([*ZONES, "*"]), min_size=1, unique=True),
        lies=st.booleans(),
    )
    def update(self, original: str, zones: list[str], lies: bool) -> str:
        if not original:
            return ""
        status = self.statuses[original]
        if lies:
            other = "Actual" if status != "Actual" else "Exercise"
            code, answer = self.it.call("POST", f"/v1/alerts/{original}/update", _alert(other, zones, None))
            assert code in {409, 422}, answer
            return ""
        code, answer = self.it.call("POST", f"/v1/alerts/{original}/update", _alert(status, zones, None))
        assert code in {202, 409}, answer
        if code != 202:
            return ""
        self.statuses[answer["id"]] = status
        return str(answer["id"])

    @rule(original=alerts)
    def cancel(self, original: str) -> None:
        if not original:
            return
        code, answer = self.it.call("POST", f"/v1/alerts/{original}/cancel", {})
        assert code in {202, 409}, answer
        if code == 202:
            self.statuses[answer["id"]] = self.statuses[original]

    def teardown(self) -> None:
        self.it.settled(*self.statuses)
        for channel, provider in self.it.providers.items():
            for parcel in provider.parcels:
                status = self.statuses[parcel.key.partition("-")[0]]
                real = status == "Actual"
                if channel == "people":
                    assert parcel.address.startswith("public-" if real else "exercise-"), (status, parcel.address)
                elif channel == "square":
                    assert real, f"{status} reached a channel that is not marked for exercises"
        for person in self.people:
            self.it.call("DELETE", f"/v1/subscribers/{person}")


def _run(runs: int) -> None:
    try:
        Drills.TestCase.settings = settings(
            max_examples=runs, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        )
        Drills.TestCase("runTest").runTest()
    finally:
        if Drills.house is not None:
            Drills.house.close()
            Drills.house = None


def test_drills_never_reach_the_public() -> None:
    _run(150)


@pytest.mark.campaign
def test_drills_never_reach_the_public_in_a_thousand_runs() -> None:
    _run(1_000)
