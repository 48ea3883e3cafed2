"""What every reader is given, and what it hands back what was wrong with."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import wraps
from types import MappingProxyType
from typing import Final, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict

from alertd.domain.geo import Point
from alertd.domain.signal import Heard, Signal, Violation

C = TypeVar("C", bound="Options")

MAX_VIOLATIONS: Final = 100
"""Of one payload. What is wrong a thousand times is known after a hundred."""


class Received(NamedTuple):
    """How a payload came: the configured name of its `source`, when it arrived (`at`, aware), the MQTT `topic` or
    the path it came by, and the `places` of the configured zones, code to centre, for readers that measure distance."""

    source: str
    at: datetime
    topic: str = ""
    places: Mapping[str, Point] = MappingProxyType({})


class Options(BaseModel):
    """A reader's own keys in the configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Fault(ValueError):
    """A part of a payload that cannot be read. `where` is a line, a path or a column."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message


class Notes:
    """The violations of one payload as they are found, at most MAX_VIOLATIONS of them."""

    __slots__ = ("_more", "_violations")

    def __init__(self) -> None:
        self._violations: list[Violation] = []
        self._more = 0

    def odd(self, where: str, message: str) -> None:
        """Said wrongly, but read."""
        self._add(Violation(where, message))

    def lost(self, where: str, message: str) -> None:
        """Not read."""
        self._add(Violation(where, message, fatal=True))

    def fault(self, fault: Fault) -> None:
        self.lost(fault.where, fault.message)

    def _add(self, violation: Violation) -> None:
        if len(self._violations) < MAX_VIOLATIONS:
            self._violations.append(violation)
        else:
            self._more += 1

    @property
    def violations(self) -> tuple[Violation, ...]:
        if not self._violations:
            return ()
        if not self._more:
            return tuple(self._violations)
        return (*self._violations, Violation("payload", f"{self._more} more violations are not listed", fatal=True))

    def heard(self, signals: Iterable[Signal] = ()) -> Heard:
        return Heard(tuple(signals), self.violations)


def refused(fault: Fault) -> Heard:
    """Nothing was read."""
    return Heard((), (Violation(fault.where, fault.message, fatal=True),))


def answers(read: Callable[[bytes, C, Received], Heard]) -> Callable[[bytes, C, Received], Heard]:
    """A Fault that a reader lets out is its answer: nothing was read."""

    @wraps(read)
    def answered(payload: bytes, config: C, received: Received) -> Heard:
        try:
            return read(payload, config, received)
        except Fault as fault:
            return refused(fault)

    return answered


def bounded(payload: bytes, limit: int, where: str = "payload") -> bytes:
    """The payload, if it has no more than `limit` bytes. Raises Fault."""
    if len(payload) > limit:
        raise Fault(where, f"{len(payload)} bytes; at most {limit} are read")
    return payload
