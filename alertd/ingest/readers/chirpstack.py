"""An uplink of ChirpStack v4, from MQTT (`application/ID/device/EUI/event/up`) or its HTTP integration."""

import re
from typing import Any, Final

from alertd.domain.signal import Heard, Signal
from alertd.ingest.readers.json_in import load, mapping
from alertd.ingest.readers.measured import MAX_READING, Units, measured, taken_at
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import moment, word

_EVENT: Final = re.compile(r"(?:/event/|[?&]event=)(\w+)")


class Config(Options):
    """`fields` of the decoded object to read, with their units. `devices` are the EUIs heard; empty: all."""

    fields: Units
    devices: frozenset[str] = frozenset()


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal for each configured field: the sensor is `devEui/field`, the identity the deduplicationId, which all
    gateways that heard the uplink share. What the topic says is no uplink is passed over."""
    event = _EVENT.search(received.topic)
    if event and event[1] != "up":
        return Heard(())
    notes = Notes()
    uplink = mapping(load(payload, limit=MAX_READING), "payload")
    device = _device(uplink)
    if config.devices and device not in {eui.lower() for eui in config.devices}:
        return Heard(())
    decoded = uplink.get("object")
    if not isinstance(decoded, dict):
        raise Fault("object", "is missing: the device profile in ChirpStack needs a codec")
    return notes.heard(_signals(uplink, device, decoded, config, received, notes))


def _device(uplink: dict[str, Any]) -> str:
    info = mapping(uplink.get("deviceInfo"), "deviceInfo")
    try:
        return word(info.get("devEui"), 64).lower()
    except ValueError as error:
        raise Fault("deviceInfo.devEui", str(error)) from None


def _signals(
    uplink: dict[str, Any], device: str, decoded: dict[str, Any], config: Config, received: Received, notes: Notes
) -> list[Signal]:
    at = taken_at(uplink.get("time"), moment, received, notes, "time")
    identity = _identity(uplink, notes)
    signals = []
    for name, unit in config.fields.items():
        if name not in decoded:
            notes.lost(f"object.{name}", "is missing")
            continue
        try:
            signals.append(
                measured(
                    received,
                    sensor=f"{device}/{name}",
                    value=decoded[name],
                    unit=unit,
                    at=at,
                    identity=identity and f"{identity}/{name}",
                )
            )
        except ValueError as error:
            notes.lost(f"object.{name}", str(error))
    return signals


def _identity(uplink: dict[str, Any], notes: Notes) -> str:
    try:
        return word(uplink.get("deduplicationId"), 100)
    except ValueError:
        notes.odd("deduplicationId", "is missing: a repeat is told by time and value")
        return ""
