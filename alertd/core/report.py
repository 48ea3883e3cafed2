"""Report: what became of an alert, as evidence and live."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from alertd.core.bells import Bells
from alertd.domain.alert import AlertState
from alertd.domain.delivery import PENDING
from alertd.ports.clock import Clock
from alertd.ports.stores.reports import ReportStore, Tally

INTERVAL = 0.2
"""At most five progress reports a second."""

_LOOK_AGAIN = 15.0
_OPEN = frozenset({AlertState.DRAFT, AlertState.PENDING, AlertState.ACTIVE})


@dataclass(frozen=True, slots=True)
class Receipts:
    """The sums of one alert, channel by channel."""

    alert_id: str
    state: AlertState
    accepted_at: datetime
    first_attempt_at: datetime | None
    settled_at: datetime | None
    channels: tuple[Tally, ...]

    @property
    def ended(self) -> bool:
        """Nothing more will be sent (late news may still come)."""
        if self.state in _OPEN:
            return False
        return not any(tally.states[state] for tally in self.channels for state in PENDING)


class Reports:
    def __init__(self, store: ReportStore, clock: Clock, bells: Bells) -> None:
        self.store = store
        self._clock = clock
        self._bells = bells

    @property
    def edition(self) -> int:
        """See `Bells.edition`."""
        return self._bells.edition

    async def receipts(self, alert_id: str) -> Receipts:
        """Raises NotFound."""
        stored = await self.store.get_alert(alert_id)
        tallies = tuple(await self.store.tallies(alert_id))
        firsts = [t.first_attempt_at for t in tallies if t.first_attempt_at is not None]
        return Receipts(
            alert_id, stored.state, stored.accepted_at, min(firsts, default=None), stored.settled_at, tallies
        )

    async def watch(self, alert_id: str) -> AsyncIterator[Receipts]:
        """The receipts now, then after every change but at most each INTERVAL seconds; ends with the last ones."""
        bell = self._bells.watch(alert_id)
        try:
            last: Receipts | None = None
            while True:
                bell.hush()
                receipts = await self.receipts(alert_id)
                if receipts != last:
                    yield receipts
                    last = receipts
                if receipts.ended:
                    return
                await self._clock.sleep(INTERVAL)
                await bell.wait(self._clock, _LOOK_AGAIN)
        finally:
            self._bells.unwatch(alert_id, bell)
