"""An uplink of The Things Stack v3, from MQTT (`v3/APP@TENANT/devices/ID/up`) or a webhook.

The Things Stack leaves out what is zero, false or empty. So a reading that is absent may be 0, and may be absent.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal

from alertd.domain.geo import Point
from alertd.domain.signal import Heard, Signal
from alertd.ingest.readers.json_in import load, mapping
from alertd.ingest.readers.measured import MAX_READING, Units, measured, taken_at
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import moment, number, word

_EVENT: Final = re.compile(r"/devices/[^/]+/(.+)", re.DOTALL)
"""To the end, line breaks and all: a pattern that may fail there is tried anew from every place of a long topic."""


class Config(Options):
    """`fields` of the decoded payload to read, with their units. `missing` says what an absent one is: `"ignore"` (no
    reading) or `"zero"`, for codecs known to give the field every time. `devices` are the ids heard; empty: all."""

    fields: Units
    missing: Literal["zero", "ignore"] = "ignore"
    devices: frozenset[str] = frozenset()


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal for each configured field: the sensor is `device_id/field`. `simulated` uplinks are marked so. A
    payload the codec did not decode gives nothing: then an absent field is not a zero."""
    event = _EVENT.search(received.topic)
    if event and event[1] != "up":
        return Heard(())
    notes = Notes()
    message = mapping(load(payload, limit=MAX_READING), "payload")
    device = _device(message)
    if config.devices and device not in config.devices:
        return Heard(())
    uplink = mapping(message.get("uplink_message"), "uplink_message")
    return notes.heard(_signals(message, uplink, device, config, received, notes))


def _device(message: dict[str, Any]) -> str:
    ids = mapping(message.get("end_device_ids"), "end_device_ids")
    try:
        return word(ids.get("device_id"), 100)
    except ValueError as error:
        raise Fault("end_device_ids.device_id", str(error)) from None


def _signals(
    message: dict[str, Any], uplink: dict[str, Any], device: str, config: Config, received: Received, notes: Notes
) -> Iterator[Signal]:
    decoded = uplink.get("decoded_payload")
    if not isinstance(decoded, dict):
        raise Fault("uplink_message.decoded_payload", "is missing: the device needs a payload formatter")
    at = _time(message, uplink, received, notes)
    identity = _identity(uplink)
    for name, unit in config.fields.items():
        where = f"uplink_message.decoded_payload.{name}"
        if name not in decoded and config.missing == "ignore":
            notes.lost(where, "is missing, which may mean 0; it is not read")
            continue
        if name not in decoded:
            notes.odd(where, "is missing and taken to be 0")
        try:
            yield measured(
                received,
                sensor=f"{device}/{name}",
                value=decoded.get(name, 0),
                unit=unit,
                at=at,
                identity=identity and f"{identity}/{name}",
                simulated=message.get("simulated") not in (None, False),
                point=_place(uplink, notes),
            )
        except ValueError as error:
            notes.lost(where, str(error))


def _time(message: dict[str, Any], uplink: dict[str, Any], received: Received, notes: Notes) -> datetime:
    """The network server's time before the application server's."""
    given = uplink.get("received_at", message.get("received_at"))
    return taken_at(given, moment, received, notes, "uplink_message.received_at")


def _identity(uplink: dict[str, Any]) -> str:
    """The session's key and the frame counter; a counter of zero is left out like any other zero."""
    try:
        return f"{word(uplink.get('session_key_id'), 100)}/{number(uplink.get('f_cnt', 0)):.0f}"
    except ValueError:
        return ""


def _place(uplink: dict[str, Any], notes: Notes) -> Point | None:
    """Where the device was registered to be; a gateway's place is not the device's."""
    locations = uplink.get("locations")
    user = locations.get("user") if isinstance(locations, dict) else None
    if not isinstance(user, dict):
        return None
    try:
        return Point(number(user.get("latitude", 0)), number(user.get("longitude", 0)))
    except ValueError as error:
        notes.odd("uplink_message.locations.user", str(error))
        return None
