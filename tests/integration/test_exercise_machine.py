"""Exercise and Test never reach a public endpoint or a channel not marked for exercises, whatever is done.

A Hypothesis state machine drives the real daemon (in this process, on the shipped fake adapter) through alerts of
every status, cohorts, drafts, updates and cancels; then looks at every parcel that left.
"""

import asyncio
import itertools
import os
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from alertd.app import build
from alertd.daemon import living
from alertd.notify import Notifier
from alertd.sandbox.fake import FakeAdapter, FakeProvider
from alertd.settings import load
from tests.integration.api_stand import ROOT, _free_port

RUNS = int(os.environ.get("ALERTD_MACHINE_RUNS", "1000"))
ZONES = ["048028", "048014"]
STATUSES = ["Actual", "Exercise", "Test", "System"]
CONFIG = """
[service]
name = "Comune di Prova"
sender = "prova@comune.example.it"
zones = ["{zones}"]
state = "{state}"
[api]
listen = "127.0.0.1:{port}"
[channels.people]
adapter = "fake"
[channels.square]
adapter = "fake"
addressed = false
[channels.drillground]
adapter = "fake"
addressed = false
exercise = true
"""


class _House:
    """One daemon for all runs: what must hold, must hold of a store with a history too."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.providers: dict[str, FakeProvider] = {}
        self.runner.run(self._open())

    async def _open(self) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "alertd.toml"
        zones = ROOT / "config" / "zones" / "*.geojson"
        file.write_text(CONFIG.format(zones=zones, state=folder / "state", port=_free_port()))
        loaded = load(file, environ={}, adapters={"fake": lambda: FakeAdapter})
        self.providers = {name: channel.config.provider for name, channel in loaded.channels.items()}  # type: ignore[attr-defined]
        house = await self.stack.enter_async_context(build(loaded))
        await self.stack.enter_async_context(living(house, Notifier(None)))
        token = (folder / "state" / "bootstrap-token").read_text().strip()
        drill = await house.access.create(
            "drill", frozenset({"alerts:send", "alerts:read"}), frozenset({"Exercise", "Test"}), actor="test"
        )
        writer = await house.access.create("writer", frozenset({"alerts:draft"}), None, actor="test")
        self.tokens = {"admin": token, "drill": drill, "writer": writer}
        self.client = await self.stack.enter_async_context(
            httpx.AsyncClient(transport=httpx.ASGITransport(house.web), base_url="http://127.0.0.1")
        )

    def call(self, method: str, path: str, body: object = None, *, who: str = "admin") -> tuple[int, Any]:
        return self.runner.run(self._call(method, path, body, who))

    async def _call(self, method: str, path: str, body: object, who: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        answer = await self.client.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.json() if answer.content else None

    def settled(self, alert_id: str) -> None:
        self.runner.run(self._settled(alert_id))

    async def _settled(self, alert_id: str) -> None:
        async with asyncio.timeout(20):
            while True:
                _, receipts = await self._call("GET", f"/v1/alerts/{alert_id}/receipts", None, "admin")
                if receipts["state"] in {"draft", "rejected"} or not (
                    receipts["state"] in {"pending", "active"}
                    or any(c["queued"] + c["sending"] + c["retrying"] for c in receipts["channels"])
                ):
                    return
                await asyncio.sleep(0.002)

    def close(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


def _alert(status: str, zones: list[str], channels: list[str] | None) -> dict[str, Any]:
    info = {
        "language": "it-IT",
        "category": ["Met"],
        "event": "Prova",
        "urgency": "Immediate",
        "severity": "Severe",
        "certainty": "Likely",
        "area": [{"zone": zone} for zone in zones],
    }
    return {"purpose": "emergency", "status": status, "channels": channels, "info": [info]}


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
        for alert_id in self.statuses:
            self.it.settled(alert_id)
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


def test_drills_never_reach_the_public() -> None:
    try:
        Drills.TestCase.settings = settings(
            max_examples=RUNS, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
        )
        Drills.TestCase("runTest").runTest()
    finally:
        if Drills.house is not None:
            Drills.house.close()
            Drills.house = None
