"""How much a push service may have in flight from us: it halves when the service is strained, and grows again."""

import math
from typing import Final

GROWTH: Final = 8.0
"""By how many requests the limit grows while a whole limit's worth is answered well."""
RESPITE: Final = 0.25
"""Seconds within which strain halves the limit only once: what comes then was sent before."""


class Pace:
    """Additive increase, multiplicative decrease (RFC 5681's idea). Without strain there is no limit."""

    def __init__(self) -> None:
        self.limit = math.inf
        self._strained_at = -math.inf

    def room(self, in_flight: int) -> float:
        """How many more may start; at least one may always be in flight."""
        return max(int(self.limit), 1) - in_flight if self.limit < math.inf else math.inf

    def strain(self, now: float, in_flight: int) -> None:
        """429, 5xx or a refused stream, with so many in flight."""
        if now - self._strained_at >= RESPITE:
            self._strained_at = now
            self.limit = max(min(self.limit, in_flight) / 2, 1.0)

    def relax(self, answered: int, ceiling: float) -> None:
        """So many were answered well; past what its connections can carry the limit falls away."""
        if self.limit < math.inf:
            self.limit += GROWTH * answered / self.limit
            if self.limit >= ceiling:
                self.limit = math.inf
