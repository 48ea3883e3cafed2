"""The hourly cap: how much a rule may send with nobody watching. Over it, what would be sent waits for an officer."""

from typing import Final, NamedTuple

from alertd.domain.alert import Severity
from alertd.ingest.rules.config import Action, Rule
from alertd.ingest.rules.finding import Moment
from alertd.ingest.rules.memory import Memory, Sending

HOUR: Final = 3600.0


class Decided(NamedTuple):
    """What the rule may do now, the memory that knows it did, and why it is less than was configured."""

    action: Action
    memory: Memory
    why: tuple[str, ...] = ()


def decide(
    rule: Rule,
    memory: Memory,
    severity: Severity | None,
    now: Moment,
    *,
    doubtful: bool = False,
    unproven: bool = False,
) -> Decided:
    if rule.action is Action.DRAFT or rule.hourly_cap is None:
        return Decided(Action.DRAFT, memory)
    if unproven:
        why = "a draft, not sent: no valid signature proves whose word it is, so an officer decides"
        return Decided(Action.DRAFT, memory, (why,))
    if doubtful:
        why = "a draft, not sent: a part of the message could not be read, so an officer decides"
        return Decided(Action.DRAFT, memory, (why,))
    if rule.match.min_severity is not None and severity is Severity.UNKNOWN:
        why = "a draft, not sent: the source does not know the severity, so an officer decides"
        return Decided(Action.DRAFT, memory, (why,))
    recent = tuple(sending for sending in memory.sendings if _within_the_hour(sending, now))
    if len(recent) >= rule.hourly_cap:
        why = f"a draft, not sent: the rule sent {len(recent)} within the hour, and its hourly cap is {rule.hourly_cap}"
        return Decided(Action.DRAFT, memory, (why,))
    sending = Sending(now.at.timestamp(), now.steady)
    return Decided(Action.SEND, memory._replace(sendings=(*recent, sending)))


def _within_the_hour(sending: Sending, now: Moment) -> bool:
    """By either clock, so that no jump of the wall clock makes room. A steady clock behind the one of the sending
    was started anew since: then the wall clock alone says it."""
    by_wall = now.at.timestamp() - sending.at
    by_steady = now.steady - sending.steady
    if by_steady < 0:
        return by_wall < HOUR
    return by_steady < HOUR or 0 <= by_wall < HOUR
