"""What rules found and could not have done: said loudly, counted, and shown to the operators while it lasts."""

from collections.abc import Sequence
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.readiness import Readiness
from alertd.ingest.gauges import Gauges
from alertd.ingest.order import Order
from alertd.ports.clock import Clock

SHOWN: Final = 3600.0
"""Seconds for which a trouble that is not met again stays on the readiness board."""
_CONCERN: Final = "rules"
UNCLEARED: Final = 86_400.0
"""Seconds for which an all-clear that was refused stays there."""


class Trouble:
    """Of every rule. On the board, where anybody reads it, stands how much there is and no name."""

    def __init__(self, clock: Clock, log: FilteringBoundLogger, gauges: Gauges, readiness: Readiness) -> None:
        self._clock = clock
        self._log = log
        self._gauges = gauges
        self._readiness = readiness
        self._met: dict[tuple[str, str], float] = {}
        self._uncleared: dict[tuple[str, str], float] = {}

    def refused(self, rule: str, matter: str, evidence: Sequence[str], error: Exception) -> None:
        """The core will not have it, or no words can be made of it."""
        self._log.error(
            "no alert can be made of what a rule found",
            rule=rule,
            matter=matter,
            error=str(error),
            evidence=list(evidence),
        )
        self._note(rule, matter)

    def uncleared(self, rule: str, matter: str) -> None:
        """The matter is over, and those who were told of it were not told that."""
        self._uncleared[rule, matter] = self._clock.monotonic()
        self._tell()

    def faulted(self, rule: str, order: Order | None = None) -> None:
        """A fault of ours, while its exception is handled. What was to be done is kept and tried again."""
        about = {} if order is None else {"matter": order.matter, "evidence": list(order.evidence)}
        self._log.exception("a rule failed", rule=rule, **about)
        self._note(rule, "" if order is None else order.matter)

    def unknown(self, error: Exception | None) -> None:
        """What rules remember cannot be read; None once it was."""
        if error is not None:
            self._log.error("what rules remember cannot be read: no rule works", error=repr(error))
        self._readiness.concern("rules memory", "no rule works: what they remember cannot be read" if error else None)

    def forgetful(self, rule: str) -> None:
        """A rule watches more matters than it can remember. Said once; true until its memory is begun anew."""
        self._log.error("a rule has more matters than it can remember: it forgets the oldest", rule=rule)
        self._readiness.concern("rules forget", "a rule forgets matters, for it has too many: divide it")

    def over(self, rule: str, matter: str) -> None:
        met, unended = self._met.pop((rule, matter), None), self._uncleared.pop((rule, matter), None)
        if met is not None or unended is not None:
            self._tell()

    def look(self) -> None:
        """Time went by."""
        now = self._clock.monotonic()
        self._met = {about: at for about, at in self._met.items() if now - at < SHOWN}
        self._uncleared = {about: at for about, at in self._uncleared.items() if now - at < UNCLEARED}
        self._tell()

    def _note(self, rule: str, matter: str) -> None:
        self._gauges.refused.labels(rule).inc()
        self._met[rule, matter] = self._clock.monotonic()
        self._tell()

    def _tell(self) -> None:
        count = len(self._met)
        self._readiness.concern(_CONCERN, f"{count} findings of rules could not be made alerts" if count else None)
        uncleared = len(self._uncleared)
        concern = f"{uncleared} all-clears of rules were refused: send them by hand"
        self._readiness.concern("all-clears", concern if uncleared else None)
