"""How one part of the core tells another that there is work, without polling."""

import asyncio
from collections import defaultdict

from alertd.ports.clock import Clock


class Bell:
    """Rung after a change; whoever waits wakes. A ring while nobody waits is not lost."""

    def __init__(self) -> None:
        self._rung = False
        self._nudged = False
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        self._rung = True
        self.nudge()

    def nudge(self) -> None:
        """Wake whoever waits, for something other than a change in the store."""
        self._nudged = True
        for waiting in self._waiting:
            _wake(waiting)

    def hush(self) -> bool:
        """Forget earlier rings; whether there were any, nudges aside.

        Call before looking for work, so that a ring while looking counts.
        """
        rung = self._rung
        self._rung = self._nudged = False
        return rung

    async def wait(self, clock: Clock, seconds: float | None = None) -> None:
        """Return when rung or nudged, or after that many seconds."""
        if self._nudged or (seconds is not None and seconds <= 0):
            await asyncio.sleep(0)
            return
        waiting = asyncio.get_running_loop().create_future()
        self._waiting.add(waiting)
        timer = None if seconds is None else asyncio.ensure_future(clock.sleep(seconds))
        if timer is not None:
            timer.add_done_callback(lambda _: _wake(waiting))
        try:
            await waiting
        finally:
            self._waiting.discard(waiting)
            if timer is not None:
                timer.cancel()


class Bells:
    """One bell per listener: the planner, the sweeper, the pager, each lane; and one per alert that somebody watches.

    `edition` grows whenever the public may read something it could not read before, or no longer: whoever keeps
    a list of alerts in memory compares it.
    """

    def __init__(self) -> None:
        self.plan = Bell()
        self.sweep = Bell()
        self.drafts = Bell()
        self.edition = 0
        self._lanes: dict[tuple[str, int], Bell] = {}
        self._watchers: defaultdict[str, set[Bell]] = defaultdict(set)

    def lane(self, channel: str, priority: int) -> Bell:
        return self._lanes.setdefault((channel, priority), Bell())

    def ring_lane(self, channel: str, priority: int) -> None:
        self.lane(channel, priority).ring()

    def ring_channel(self, channel: str) -> None:
        for (name, _), bell in self._lanes.items():
            if name == channel:
                bell.ring()

    def ring_all(self) -> None:
        self.plan.ring()
        self.sweep.ring()
        for bell in self._lanes.values():
            bell.ring()

    def watch(self, alert_id: str) -> Bell:
        bell = Bell()
        self._watchers[alert_id].add(bell)
        return bell

    def unwatch(self, alert_id: str, bell: Bell) -> None:
        self._watchers[alert_id].discard(bell)
        if not self._watchers[alert_id]:
            del self._watchers[alert_id]

    def published(self) -> None:
        """An alert went out, and may have ended another."""
        self.edition += 1

    def changed(self, alert_id: str) -> None:
        """Something the receipts of this alert show has changed."""
        for bell in self._watchers.get(alert_id, ()):
            bell.ring()

    def all_changed(self) -> None:
        for alert_id in tuple(self._watchers):
            self.changed(alert_id)


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
