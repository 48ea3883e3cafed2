"""What a source said about the world, in the words rules match and templates speak."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from alertd.domain.alert import Alert, Pair, Severity
from alertd.domain.geo import Point


class Colour(StrEnum):
    """The national alert levels of Italy's civil protection. A municipality's operational phase is another thing and
    is never derived from it."""

    GREEN = "verde"
    YELLOW = "gialla"
    ORANGE = "arancione"
    RED = "rossa"

    @property
    def rank(self) -> int:
        """Higher is worse."""
        return _COLOUR_RANK[self]


_COLOUR_RANK = {Colour.GREEN: 0, Colour.YELLOW: 1, Colour.ORANGE: 2, Colour.RED: 3}


class Signal(NamedTuple):
    """One thing said by one source. What the source did not say is None or empty; nothing is filled in.

    `key` is the same for everything said about one matter, so that a revision or an end is known for what it is;
    `revision` is the same only for what says the same of it, so that a repeat is known too. `at` is when it was said
    or measured, aware. `zones` are the source's own codes. `ended`: the matter is over. `simulated`: must never alarm.
    `stands`: the source says it again and again for as long as it holds, so that a repeat is word of the present; of a
    source that merely lists what it once said, a repeat is no news. `facts` are whatever else a rule may match or a
    template may name. `alert` where the source speaks CAP. `doubtful`: a part of what was said could not be read (a
    polygon, an end), so a person must look before anybody is told. `signature`, of a signed message, is what was found
    of its signature, for people. `unproven`: it lacks the signature that would prove whose word it is. So it does
    nothing by itself, and its matters are apart from those of others: it neither changes nor ends what they said.
    """

    source: str
    key: str
    revision: str
    at: datetime
    event: str = ""
    zones: tuple[str, ...] = ()
    severity: Severity | None = None
    colour: Colour | None = None
    phase: str | None = None
    sensor: str = ""
    value: float | None = None
    unit: str = ""
    point: Point | None = None
    onset: datetime | None = None
    expires: datetime | None = None
    ended: bool = False
    simulated: bool = False
    headline: str = ""
    facts: tuple[Pair, ...] = ()
    alert: Alert | None = None
    stands: bool = False
    doubtful: bool = False
    signature: str = ""
    unproven: bool = False

    def apart(self, name: str) -> str:
        """The name of a matter, where what is unproven has its own."""
        return f"unproven {name}" if self.unproven else name


@dataclass(frozen=True, slots=True)
class Violation:
    """Something a payload should not have said so. `where` is a line, a path or a column; `fatal`: that part of it
    was not read."""

    where: str
    message: str
    fatal: bool = False


class Heard(NamedTuple):
    """What one payload was read as: signals, and what was wrong with it. A payload with violations may still be read
    in part."""

    signals: tuple[Signal, ...]
    violations: tuple[Violation, ...] = ()
