"""A gauge over a real MQTT broker, from its readings to a draft, to what goes out once an officer approved."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import pytest

from tests.acceptance.town import free_port
from tests.integration.fake_house import CHANNELS, FakeHouse, fake_house
from tests.support.broker import amqtt_broker, mosquitto_broker, mosquitto_program

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
reading = {{above = 2.5, clear = 2.0}}
"""


@asynccontextmanager
async def _broker(kind: str, folder: Path) -> AsyncIterator[int]:
    async with AsyncExitStack() as stack:
        if kind == "amqtt":
            yield await stack.enter_async_context(amqtt_broker())
        else:
            yield await stack.enter_async_context(mosquitto_broker(folder))


async def _until(answer: Any, within: float = 10.0) -> Any:
    """What `answer` gives once it is true."""
    async with asyncio.timeout(within):
        while not (found := await answer()):
            await asyncio.sleep(0.02)
        return found


async def _drafts(town: FakeHouse) -> list[dict[str, Any]]:
    _, answer = await town.call("GET", "/v1/alerts")
    return [alert for alert in answer["items"] if alert["created_by"] == "rule:piena"]


async def _ready(town: FakeHouse) -> bool:
    _, answer = await town.call("GET", "/v1/sources")
    return bool(answer["items"][0]["ready"]) and answer["items"][0]["last_good"] is not None


async def _reads(client: aiomqtt.Client, number: int, level: float) -> None:
    said = orjson.dumps({"station": "pesa-1", "level": level, "id": f"r{number}"})
    await client.publish("stations/pesa-1/level", said, qos=1)


@pytest.mark.parametrize("kind", ["amqtt", "mosquitto"])
async def test_a_climbing_gauge_is_drafted_and_once_approved_goes_out(kind: str, tmp_path: Path) -> None:
    if kind == "mosquitto" and mosquitto_program() is None:
        pytest.skip("mosquitto is not installed")
    async with _broker(kind, tmp_path) as port, fake_house(tmp_path, CHANNELS + RULES.format(port=port)) as town:
        await town.enrol("anna@example.org")
        async with aiomqtt.Client("127.0.0.1", port) as gauge:
            number = 0
            async with asyncio.timeout(10):  # what is published before somebody subscribed is nobody's
                while not await _ready(town):
                    number += 1
                    await _reads(gauge, number, 1.0)
                    await asyncio.sleep(0.05)
            for later, level in enumerate((2.1, 2.4, 2.61, 2.7), 1):
                await _reads(gauge, number + later, level)
        draft, *others = await _until(lambda: _drafts(town))
        assert others == []
        assert draft["state"] == "draft"
        assert draft["info"][0]["headline"] == "Piena: pesa-1 a 2.61 m"
        assert "pesa-1 (pesa) read 2.61 m" in draft["note"]
        assert town.providers["people"].parcels == []
        code, answer = await town.call("POST", f"/v1/alerts/{draft['id']}/approve")
        assert code < 300, answer
        await town.settled(draft["id"])
        assert [parcel.address for parcel in town.providers["people"].parcels] == ["anna@example.org"]
        _, log = await town.call("GET", "/v1/audit")
        raised = [entry for entry in log["items"] if entry["actor"] == "rule:piena"]
        assert "2.61" in str(raised[0]["details"])


async def test_a_broker_that_comes_back_is_heard_again(tmp_path: Path) -> None:
    port = free_port()
    async with fake_house(tmp_path, CHANNELS + RULES.format(port=port)) as town:

        async def detail() -> str:
            _, answer = await town.call("GET", "/v1/sources")
            return str(answer["items"][0]["detail"])

        async def refused() -> bool:
            return "broker" in await detail()

        await _until(refused)
        async with amqtt_broker(port), aiomqtt.Client("127.0.0.1", port) as gauge:
            number = 0
            async with asyncio.timeout(12):
                while not await _ready(town):
                    number += 1
                    await _reads(gauge, number, 1.0)
                    await asyncio.sleep(0.1)
        assert (await town.call("GET", "/readyz"))[0] == 200
