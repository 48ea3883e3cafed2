"""A gauge over a real MQTT broker: from its readings to a page to the officers, and once they approved to pushes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import pytest

from tests.acceptance.town import free_port
from tests.integration.api_stand import Stand, citizen, standing
from tests.integration.fake_house import CHANNELS, FakeHouse, fake_house
from tests.support.broker import amqtt_broker, mosquitto, mosquitto_program

PATIENCE = 180.0
RULES = """
[sources.pesa]
reader = "json_path"
url = "mqtt://127.0.0.1:{port}"
topics = ["stations/+/level"]
value = "$.level"
id = "$.id"
device = "$.station"
unit = "m"

[templates.piena]
category = ["Met"]
urgency = "Immediate"
severity = "Severe"
certainty = "Observed"
[templates.piena.text.it-IT]
event = "Piena della Pesa"
headline = "Piena: {{sensor}} a {{value}} {{unit}}"

[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {{source = "pesa"}}
reading = {{above = 2.5, clear = 2.0, range = [0, 12]}}
"""
EVIDENCE = "pesa-1 (pesa) read 2.61 m"


@asynccontextmanager
async def broker_of(kind: str, folder: Path) -> AsyncIterator[int]:
    """Its port; a test that needs mosquitto is skipped where it is not installed."""
    if kind == "amqtt":
        async with amqtt_broker() as port:
            yield port
        return
    if mosquitto_program() is None:
        pytest.skip("mosquitto is not installed")
    async with mosquitto(folder) as broker:
        yield broker.port


async def until(answer: Callable[[], Awaitable[Any]]) -> Any:
    """What `answer` gives once it is true."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await answer()):
            await asyncio.sleep(0.02)
        return found


async def drafts(town: FakeHouse) -> list[dict[str, Any]]:
    _, answer = await town.call("GET", "/v1/alerts")
    return [alert for alert in answer["items"] if alert["created_by"] == "rule:piena"]


async def source(town: FakeHouse) -> dict[str, Any]:
    _, answer = await town.call("GET", "/v1/sources")
    return dict(answer["items"][0])


async def heard(town: FakeHouse) -> bool:
    status = await source(town)
    return bool(status["ready"]) and status["last_good"] is not None


async def says(client: aiomqtt.Client, number: int, level: float) -> None:
    said = orjson.dumps({"station": "pesa-1", "level": level, "id": f"r{number}"})
    await client.publish("stations/pesa-1/level", said, qos=1)


@pytest.mark.parametrize("kind", ["amqtt", "mosquitto"])
async def test_a_climbing_gauge_pages_the_officer_and_once_approved_is_pushed(kind: str, tmp_path: Path) -> None:
    async with broker_of(kind, tmp_path) as port:
        extra = RULES.format(port=port)
        async with standing(tmp_path, extra) as stand, stand.client("admin") as api:
            pushed = stand.sandbox.push.ledger
            for subscription, cohort in zip(stand.sandbox.push.subscriptions(2), ("officers", "public"), strict=True):
                endpoint = {"channel": "push", "subscription": json.loads(subscription)}
                answer = await api.post("/v1/subscribers", json=citizen(0, cohort=cohort, endpoints=[endpoint]))
                assert answer.status_code == 201, answer.text

            await _climb(port, api)
            (draft,) = await until(lambda: _raised(api))
            assert draft["state"] == "draft"
            assert draft["info"][0]["headline"] == "Piena: pesa-1 a 2.61 m"
            assert EVIDENCE in draft["note"]
            assert "at or above the threshold of 2.5 m" in draft["note"]

            await _pushes(stand, 1)  # the officer alone is paged, and told what for
            (officer,) = pushed.counts
            page = str(stand.sandbox.push.read(officer))
            assert "BOZZA IN ATTESA DI DECISIONE: Piena: pesa-1 a 2.61 m" in page
            assert f"alertd approve {draft['id']}" in page

            answer = await api.post(f"/v1/alerts/{draft['id']}/approve")
            assert answer.status_code == 200, answer.text
            await _pushes(stand, 3)  # the alert to the public, and to the officer who decided
            (anna,) = set(pushed.counts) - {officer}
            assert pushed.counts == {officer: 2, anna: 1}
            told = str(stand.sandbox.push.read(anna))
            assert "Piena: pesa-1 a 2.61 m" in told
            assert "BOZZA" not in told
            assert "BOZZA APPROVATA da anna" in str(stand.sandbox.push.read(officer))

            log = (await api.get("/v1/audit")).json()["items"]
            raised = [entry for entry in log if entry["actor"] == "rule:piena"]
            assert EVIDENCE in str(raised[0]["details"])
            approved = (await api.get(f"/v1/alerts/{draft['id']}")).json()
            assert EVIDENCE in approved["note"]


async def _climb(port: int, api: Any) -> None:
    """One gauge from 1 m to 2.7 m; what is published before somebody subscribed is nobody's."""
    async with aiomqtt.Client("127.0.0.1", port) as gauge:
        number = 0

        async def listened() -> bool:
            nonlocal number
            number += 1
            await says(gauge, number, 1.0)
            return (await api.get("/v1/sources")).json()["items"][0]["last_good"] is not None

        await until(listened)
        for later, level in enumerate((2.1, 2.4, 2.61, 2.7), 1):
            await says(gauge, number + later, level)


async def _raised(api: Any) -> list[dict[str, Any]]:
    items = (await api.get("/v1/alerts")).json()["items"]
    return [alert for alert in items if alert["created_by"] == "rule:piena"]


async def _pushes(stand: Stand, count: int) -> None:
    async def arrived() -> bool:
        return sum(stand.sandbox.push.ledger.counts.values()) >= count

    await until(arrived)


async def test_a_broker_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    port = free_port()
    async with fake_house(tmp_path, CHANNELS + RULES.format(port=port)) as town:

        async def refused() -> bool:
            return "broker" in (await source(town))["detail"]

        await until(refused)
        async with amqtt_broker(port), aiomqtt.Client("127.0.0.1", port) as gauge:
            number = 0

            async def again() -> bool:
                nonlocal number
                number += 1
                await says(gauge, number, 1.0)
                return await heard(town)

            await until(again)
        assert (await town.call("GET", "/readyz"))[0] == 200
