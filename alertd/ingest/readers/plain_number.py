"""A payload that is one number and nothing else, as simple gauges publish it. The topic names the sensor."""

from collections.abc import Mapping
from typing import Final

from pydantic import Field

from alertd.domain.signal import Heard
from alertd.ingest.readers.measured import Unit, measured
from alertd.ingest.readers.received import Fault, Options, Received, answers, bounded
from alertd.ingest.readers.values import word

MAX_NUMBER: Final = 64


class Config(Options):
    """`sensors` names topics; a topic it does not list names its sensor itself. `sensor` where there is no topic."""

    unit: Unit = ""
    sensor: str = ""
    sensors: Mapping[str, str] = Field(default_factory=dict)


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal: `sensor`, `value`, `unit`, measured when it arrived. A number has no identity: each one is new."""
    text = bounded(payload, MAX_NUMBER).decode("ascii", errors="replace")
    try:
        sensor = word(config.sensors.get(received.topic) or received.topic or config.sensor)
        return Heard((measured(received, sensor=sensor, value=text, unit=config.unit, at=received.at),))
    except ValueError as error:
        raise Fault("payload", str(error)) from None
