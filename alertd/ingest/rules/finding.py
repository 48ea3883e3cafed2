"""What a rule found: a closed union. `evidence` and `why` are plain sentences, for the audit log and the alert's note.

A `matter` is what one alert is about: everything said under one key, one sensor, or the sensors a rule counts together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from alertd.domain.signal import Signal
from alertd.ingest.rules import words
from alertd.ingest.rules.config import Action
from alertd.ports.clock import Clock


class Moment(NamedTuple):
    """Now, on both hands. `at` may jump; `steady` (seconds) never does, and durations are measured by it too."""

    at: datetime
    steady: float

    @classmethod
    def of(cls, clock: Clock) -> Self:
        return cls(clock.now(), clock.monotonic())


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by and nothing was said. A tick can find silence, and nothing else."""


class Fault(StrEnum):
    """Why a reading is not believed. Also a label of metrics."""

    NOT_FINITE = "not_finite"
    AHEAD = "ahead"
    OLD = "old"
    REPLAYED = "replayed"
    OUT_OF_RANGE = "out_of_range"
    STUCK = "stuck"
    SPIKE = "spike"


@dataclass(frozen=True, slots=True)
class Fire:
    """Something began: a new alert. `action` is DRAFT where the hourly cap took the sending away."""

    rule: str
    matter: str
    action: Action
    zones: tuple[str, ...]
    signals: tuple[Signal, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """The same matter, worse or other: an Update. `left` are zones it was about and is no longer."""

    rule: str
    matter: str
    action: Action
    zones: tuple[str, ...]
    left: tuple[str, ...]
    signals: tuple[Signal, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Clear:
    """It is over: an all-clear Update to `zones`, those last told. Never held back by a cap."""

    rule: str
    matter: str
    action: Action
    zones: tuple[str, ...]
    signals: tuple[Signal, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stale:
    """Sensors fell silent: a notice to the operators, never the rule's alert. Once for each silence."""

    rule: str
    sensors: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doubted:
    """A reading that is not believed. `first`: the one before it was not doubted for the same fault, so that the
    record need not repeat itself with every reading."""

    rule: str
    matter: str
    fault: Fault
    first: bool
    why: tuple[str, ...]


class Nothing(NamedTuple):
    """Nothing to do, and why. Readings come in thousands a second, so what is said of one is worded when asked for.
    `turned`: the sensor counts from now on, or no more, which a sensor may say but once."""

    rule: str
    says: tuple[str, ...] | Callable[[], tuple[str, ...]]
    reading: Signal | None = None
    turned: bool = False

    @property
    def why(self) -> tuple[str, ...]:
        says = self.says() if callable(self.says) else self.says
        if self.reading is None:
            return says
        return (f"{words.reading(self.reading)}: {says[0]}", *says[1:])

    def __eq__(self, other: object) -> bool:
        """By what it says, worded or not."""
        return isinstance(other, Nothing) and (self.rule, self.why) == (other.rule, other.why)

    def __hash__(self) -> int:
        return hash((self.rule, self.why))


Finding = Fire | Change | Clear | Stale | Doubted | Nothing
