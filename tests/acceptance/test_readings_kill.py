"""The daemon is killed among readings over MQTT: every gauge that crossed its threshold ends as one draft, none as two.

What was judged and not acknowledged comes again from the broker; what was found and not acted on is acted on after the
start; neither is done twice.
"""

import asyncio
from pathlib import Path

import aiomqtt
import pytest

from tests.acceptance.town import Town, town
from tests.support.broker import Mosquitto, mosquitto, mosquitto_program

pytestmark = pytest.mark.skipif(mosquitto_program() is None, reason="mosquitto is not installed")

PATIENCE = 90.0
GAUGES = 100
_TOWN = """
[channels.hook]
adapter = "webhook"
url = "http://127.0.0.1:9/"
secret = {{ file = "{secret}" }}
allow_private = ["127.0.0.0/8"]

[sources.gauges]
reader = "json_path"
url = "mqtt://127.0.0.1:{port}"
topics = ["stations/+/level"]
value = "$.level"
id = "$.id"
device = "$.station"

[templates.flood]
category = ["Met"]
[templates.flood.text.it-IT]
event = "Piena"

[[rules]]
name = "flood"
template = "flood"
zones = ["048028"]
match = {{source = "gauges"}}
reading = {{above = 2.5}}
"""


async def test_every_gauge_that_crossed_is_drafted_once_whenever_the_daemon_dies(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of the test")
    secret.chmod(0o600)
    (tmp_path / "broker").mkdir()
    async with mosquitto(tmp_path / "broker") as broker:
        async with town(tmp_path / "town", _TOWN.format(secret=secret, port=broker.port)) as here:
            await here.start()
            await _heard(here, broker)
            async with aiomqtt.Client("127.0.0.1", broker.port) as gauges:
                for number in range(GAUGES):
                    await _says(gauges, f"g{number}", 3.0)
                await _drafts(here, 5)  # each takes its time: the others are judged, or wait here or at the broker
                await here.kill()
                for number in range(GAUGES, 2 * GAUGES):
                    await _says(gauges, f"g{number}", 3.0)
            await here.start()
            await _drafts(here, 2 * GAUGES)
            async with aiomqtt.Client("127.0.0.1", broker.port) as gauges:
                await _says(gauges, "the-last", 3.0)  # behind whatever came twice
            await _drafts(here, 2 * GAUGES + 1)
            assert _count(here) == 2 * GAUGES + 1


async def _heard(here: Town, broker: Mosquitto) -> None:
    """What is published before somebody subscribed is nobody's."""
    async with asyncio.timeout(PATIENCE), aiomqtt.Client("127.0.0.1", broker.port) as gauge:
        while (await here.api("GET", "/v1/sources"))["items"][0]["last_good"] is None:
            await _says(gauge, "g0", 1.0)
            await asyncio.sleep(0.05)


async def _says(gauge: aiomqtt.Client, station: str, level: float) -> None:
    said = f'{{"station":"{station}","level":{level},"id":"{station}-{level}"}}'
    await gauge.publish(f"stations/{station}/level", said, qos=1)


def _count(here: Town) -> int:
    return int(here.sql("SELECT count(*) FROM alert WHERE created_by = 'rule:flood'")[0][0])


async def _drafts(here: Town, least: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while await asyncio.to_thread(_count, here) < least:
            await asyncio.sleep(0.01)
