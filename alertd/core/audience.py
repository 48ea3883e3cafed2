"""Who an alert is for: which cohort, which channels, which zones. Refuses; never widens."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alertd.domain.alert import Alert, Purpose, Status
from alertd.domain.blocks import blocks_of
from alertd.domain.delivery import State
from alertd.domain.problems import Invalid, Problem
from alertd.domain.subscriber import Cohort
from alertd.ports.stores.intake import ChannelPlan, Target


@dataclass(frozen=True, slots=True)
class Carrier:
    """A configured channel, as far as choosing goes. `exercise`: a broadcast channel that drills may use."""

    name: str
    adapter: str
    broadcast: bool
    exercise: bool
    purposes: frozenset[Purpose]
    provable: State
    idempotent: bool = True

    @property
    def plan(self) -> ChannelPlan:
        return ChannelPlan(self.name, self.adapter, self.broadcast, self.provable, self.idempotent)


def cohort_of(status: Status) -> Cohort:
    """Only Actual reaches the public; everything else reaches the exercise cohort alone."""
    return Cohort.PUBLIC if status.is_real else Cohort.EXERCISE


def may_carry(carrier: Carrier, status: Status) -> bool:
    """A broadcast channel has no cohorts, so for what is not real it must itself be marked for drills."""
    return status.is_real or not carrier.broadcast or carrier.exercise


def choose(
    carriers: Iterable[Carrier], *, purpose: Purpose, status: Status, wanted: Sequence[str] | None
) -> tuple[ChannelPlan, ...]:
    """The channels that carry this, broadcast first. `wanted` None means all that the purpose's plan allows."""
    chosen = [
        c for c in carriers if may_carry(c, status) and (purpose in c.purposes if wanted is None else c.name in wanted)
    ]
    chosen.sort(key=lambda c: (not c.broadcast, c.name))
    return tuple(c.plan for c in chosen)


def of_officers(carriers: Iterable[Carrier]) -> tuple[ChannelPlan, ...]:
    """The channels officers are paged on: every addressed one, whatever it carries else. A post is for all to read."""
    return tuple(c.plan for c in sorted(carriers, key=lambda c: c.name) if not c.broadcast)


def refuse_channels(carriers: Iterable[Carrier], wanted: Sequence[str] | None, status: Status) -> None:
    """Raises Invalid for a channel that does not exist, or that may not carry this status."""
    known = {c.name: c for c in carriers}
    problems = []
    for i, name in enumerate(wanted or ()):
        if name not in known:
            problems.append(Problem(("channels", i), f"no channel {name!r}; there are {', '.join(known) or 'none'}"))
        elif not may_carry(known[name], status):
            why = f"{name!r} is not marked for exercises: {status} may not use it"
            problems.append(Problem(("channels", i), why))
    if problems:
        raise Invalid(*problems)


def targets_of(alert: Alert) -> tuple[Target, ...]:
    """Zone by zone, which blocks are said there and how severe they are."""
    return tuple(Target(zone, block.bit, block.severity) for block in blocks_of(alert) for zone in sorted(block.zones))
