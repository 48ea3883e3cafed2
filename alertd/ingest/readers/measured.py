"""What the readers of sensors share: a reading as a Signal, and the time it was taken."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from alertd.domain.geo import Point
from alertd.domain.signal import Signal
from alertd.domain.times import micros
from alertd.ingest.readers.received import Notes, Received
from alertd.ingest.readers.values import number

MAX_READING: Final = 256 * 1024
"""Bytes. An uplink heard by fifty gateways has about 30 kB."""

Unit = Annotated[str, StringConstraints(max_length=40)]
Units = Annotated[dict[str, Unit], Field(min_length=1, max_length=100)]
"""The fields to read, each with its unit: `{level = "m", battery = "V"}`."""


def measured(
    received: Received,
    *,
    sensor: str,
    value: Any,
    unit: str,
    at: datetime,
    identity: str = "",
    simulated: bool = False,
    point: Point | None = None,
) -> Signal:
    """One reading. The matter is the sensor; a repeat is told by the `identity` the network gave the message, and
    where it gave none by time and value. Raises ValueError where `value` is no number."""
    amount = number(value)
    revision = identity or f"{micros(at)}={amount!r}"
    return Signal(
        received.source,
        key=sensor,
        revision=revision,
        at=at,
        sensor=sensor,
        value=amount,
        unit=unit,
        simulated=simulated,
        point=point,
    )


def taken_at(value: Any, read: Callable[[Any], datetime], received: Received, notes: Notes, where: str) -> datetime:
    """When it was measured; where that is not said properly, when it arrived, and that is noted."""
    if value is None:
        notes.odd(where, "is missing: the time of arrival stands in its place")
        return received.at
    try:
        return read(value)
    except ValueError as error:
        notes.odd(where, f"{error}: the time of arrival stands in its place")
        return received.at
