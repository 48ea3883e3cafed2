"""What is to be done about a finding, written down before it is done, so that a crash in between loses nothing and does
nothing twice."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from alertd.core.submission import Submission


class Step(StrEnum):
    RAISE = "raise"
    CHANGE = "change"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Order:
    """`key` is the same however often it is tried. `unattended`: it goes out by itself, else it waits for an officer.

    `source` and `said_as` are the source and the key of the signal it is about. `until` is when what it says ends by
    itself. `matter` is the rule's name for it.
    """

    step: Step
    key: str
    rule: str
    matter: str
    source: str
    said_as: str
    submission: Submission
    unattended: bool
    evidence: tuple[str, ...]
    until: datetime | None = None
