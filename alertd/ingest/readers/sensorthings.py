"""An Observation of the OGC SensorThings API (OGC 18-088, 8.2.5), from MQTT or posted."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import Field

from alertd.domain.signal import Heard
from alertd.ingest.readers.json_in import load, mapping
from alertd.ingest.readers.measured import MAX_READING, Unit, measured, taken_at
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import moment, word

_TOPIC: Final = re.compile(r"(?:^|/)Datastreams\(([^()/]{1,200})\)/Observations$")


class Config(Options):
    """`sensors` names datastreams by their id; one it does not list is called `Datastreams(id)`."""

    unit: Unit = ""
    sensors: Mapping[str, str] = Field(default_factory=dict)


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal per Observation. Its datastream is the topic's (`v1.1/Datastreams(42)/Observations`), else its own."""
    notes = Notes()
    observation = mapping(load(payload, limit=MAX_READING), "payload")
    stream = _datastream(observation, received.topic)
    at = _time(observation, received, notes)
    try:
        signal = measured(
            received,
            sensor=config.sensors.get(stream) or f"Datastreams({stream})",
            value=observation.get("result"),
            unit=config.unit,
            at=at,
            identity=_identity(observation),
        )
    except ValueError as error:
        raise Fault("result", str(error)) from None
    return notes.heard([signal])


def _datastream(observation: dict[str, Any], topic: str) -> str:
    """The id as a text, without the quotes that ids of text have in a path."""
    linked = observation.get("Datastream")
    given = linked.get("@iot.id") if isinstance(linked, dict) else None
    if match := _TOPIC.search(topic):
        given = match[1].strip("'")
    try:
        return word(given)
    except ValueError:
        raise Fault("Datastream", "neither the topic nor the Observation names its datastream") from None


def _identity(observation: dict[str, Any]) -> str:
    try:
        return word(observation.get("@iot.id"))
    except ValueError:
        return ""


def _time(observation: dict[str, Any], received: Received, notes: Notes) -> datetime:
    given = observation.get("phenomenonTime")
    where = "phenomenonTime"
    if given is None:
        given, where = observation.get("resultTime"), "resultTime"
    return taken_at(given, _end, received, notes, where)


def _end(value: Any) -> datetime:
    """Of an interval `start/end` (ISO 8601) the end: then the result was known."""
    return moment(value.rpartition("/")[2] if isinstance(value, str) else value)
