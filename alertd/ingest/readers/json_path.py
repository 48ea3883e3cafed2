"""A reading out of any JSON, found by JSONPath (RFC 9535)."""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Self

from pydantic import model_validator

from alertd.domain.signal import Heard
from alertd.ingest.readers.json_in import load
from alertd.ingest.readers.measured import MAX_READING, Unit, measured, taken_at
from alertd.ingest.readers.paths import Path, finder
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import utc_moment, word


class Config(Options):
    """`value` leads to the reading, `time` to when it was taken (without offset: UTC), `id` to the message's identity,
    `device` to the sensor's name. Without `device` the topic names it, or `sensor`."""

    value: Path
    time: Path | None = None
    id: Path | None = None
    device: Path | None = None
    sensor: str = ""
    unit: Unit = ""

    @cached_property
    def find(self) -> Mapping[str, Callable[[Any], Any]]:
        """Its paths by their names, made ready."""
        paths = {"value": self.value, "time": self.time, "id": self.id, "device": self.device}
        return {name: finder(path) for name, path in paths.items() if path is not None}

    @model_validator(mode="after")
    def _one_name(self) -> Self:
        if self.device is not None and self.sensor:
            raise ValueError("sensor: device already leads to its name; leave one of them out")
        return self


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal, or the violation that says which path led nowhere."""
    notes = Notes()
    document = load(payload, limit=MAX_READING)
    try:
        at = received.at
        if config.time is not None:
            at = taken_at(config.find["time"](document), utc_moment, received, notes, config.time)
        signal = measured(
            received,
            sensor=_name(config, document, received),
            value=_value(config, document),
            unit=config.unit,
            at=at,
            identity="" if config.id is None else word(config.find["id"](document)),
        )
    except Fault:
        raise
    except ValueError as error:
        raise Fault("payload", str(error)) from None
    return notes.heard([signal])


def _value(config: Config, document: Any) -> Any:
    value = config.find["value"](document)
    if value is None:
        raise Fault(config.value, "leads to nothing")
    return value


def _name(config: Config, document: Any, received: Received) -> str:
    if config.device is not None:
        return word(config.find["device"](document))
    return word(config.sensor or received.topic or received.source)
