"""What is published while we are away, or while the broker is: the session is kept, and what it holds arrives."""

from pathlib import Path

import aiomqtt
import pytest

from tests.integration.fake_house import CHANNELS, FakeHouse, fake_house
from tests.integration.test_ingest_mqtt import RULES, drafts, says, source, until
from tests.integration.test_ingest_mqtt_trust import hears
from tests.support.broker import mosquitto, mosquitto_program

pytestmark = pytest.mark.skipif(mosquitto_program() is None, reason="mosquitto is not installed")


async def test_what_was_published_while_we_were_away_is_judged_when_we_are_back(tmp_path: Path) -> None:
    async with mosquitto(tmp_path) as broker:
        told = CHANNELS + RULES.format(port=broker.port)
        async with fake_house(tmp_path, told) as town, aiomqtt.Client("127.0.0.1", broker.port) as gauge:
            await hears(town, gauge)
        async with aiomqtt.Client("127.0.0.1", broker.port) as gauge:
            for number, level in enumerate((2.2, 2.7), 1):
                await says(gauge, 1_000_000 + number, level)
        async with fake_house(tmp_path, told) as town:
            (draft,) = await until(lambda: drafts(town))
            assert draft["info"][0]["headline"] == "Piena: pesa-1 a 2.7 m"


async def test_a_broker_that_is_killed_and_comes_back_has_kept_the_session(tmp_path: Path) -> None:
    async with mosquitto(tmp_path, keep=True) as broker:
        async with fake_house(tmp_path, CHANNELS + RULES.format(port=broker.port)) as town:
            async with aiomqtt.Client("127.0.0.1", broker.port) as gauge:
                await hears(town, gauge)

            await broker.stop()
            await broker.start()  # it writes down what it keeps when it is told to end
            await broker.stop(kill=True)

            async def lost() -> bool:
                return "the broker" in (await source(town))["detail"]

            await until(lost)
            await broker.start()
            async with aiomqtt.Client("127.0.0.1", broker.port) as gauge:
                await says(gauge, 1_000_001, 2.7)
            (draft,) = await until(lambda: drafts(town))
            assert "pesa-1 (pesa) read 2.7 m" in draft["note"]
            await until(lambda: _well(town))


async def _well(town: FakeHouse) -> bool:
    return bool((await source(town))["ready"])
