"""From a decision to a finding: what may be done, to whom, on what evidence."""

from alertd.domain.signal import Signal
from alertd.ingest.rules.config import Action, Rule
from alertd.ingest.rules.finding import Change, Clear, Fire, Moment
from alertd.ingest.rules.memory import Memory, Told
from alertd.ingest.rules.quota import Decided, decide


def begin(
    rule: Rule, memory: Memory, matter: str, telling: Told, signal: Signal, evidence: tuple[str, ...], now: Moment
) -> tuple[Memory, Fire]:
    action, memory, why = _decided(rule, memory, telling, signal, now)
    said = (f"Rule {rule.name} began", *evidence, *why)
    return memory, Fire(rule.name, matter, action, telling.zones, (signal,), said)


def change(
    rule: Rule,
    memory: Memory,
    matter: str,
    told: Told,
    telling: Told,
    signal: Signal,
    evidence: tuple[str, ...],
    now: Moment,
) -> tuple[Memory, Change]:
    action, memory, why = _decided(rule, memory, telling, signal, now)
    left = tuple(zone for zone in told.zones if zone not in telling.zones)
    said = (f"Rule {rule.name} changed", *evidence, *why)
    return memory, Change(rule.name, matter, action, telling.zones, left, (signal,), said)


def end(rule: Rule, matter: str, told: Told, signal: Signal, evidence: tuple[str, ...]) -> Clear:
    """Told to those who were told. No cap holds back that it is over; what is unproven ends nothing unattended."""
    action = Action.DRAFT if signal.unproven else rule.action
    said = (f"Rule {rule.name} is over", *evidence)
    return Clear(rule.name, matter, action, told.zones, (signal,), said)


def _decided(rule: Rule, memory: Memory, telling: Told, signal: Signal, now: Moment) -> Decided:
    return decide(rule, memory, telling.severity, now, doubtful=signal.doubtful, unproven=signal.unproven)
