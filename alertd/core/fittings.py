"""What every verb of the core is fitted with."""

from dataclasses import dataclass, field

from structlog.typing import FilteringBoundLogger

from alertd.core.bells import Bells
from alertd.core.metrics import Metrics
from alertd.core.readiness import Readiness
from alertd.core.revoked import Revoked
from alertd.ports.clock import Clock
from alertd.ports.failpoint import Failpoint, nothing


@dataclass(frozen=True, slots=True)
class Fittings:
    """One set per daemon, shared by all verbs: how they tell the time, wake each other, count, log and stop."""

    clock: Clock
    log: FilteringBoundLogger
    bells: Bells = field(default_factory=Bells)
    revoked: Revoked = field(default_factory=Revoked)
    metrics: Metrics = field(default_factory=Metrics)
    readiness: Readiness = field(default_factory=Readiness)
    failpoint: Failpoint = nothing
