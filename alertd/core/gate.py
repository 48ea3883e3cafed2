"""What stands between a page and its channel: pace, precedence of the emergency, holds and circuits.

One gate per open channel, shared by its lanes.
"""

import asyncio
from datetime import datetime, timedelta

from alertd.domain.circuit import CLOSED, Circuit, CircuitPolicy
from alertd.domain.delivery import Hold, Reason, Retry
from alertd.domain.priority import PRIORITIES, RESERVED
from alertd.ports.clock import Clock

CHANNEL = ""
"""The origin that stands for the whole channel."""

_BURST_SECONDS = 0.02
_GLANCE = 0.2  # a waiting page looks up this often whether its alert was revoked meanwhile
_ENOUGH = 50
_TICK = 0.001  # no clock is finer than this, and a shorter wait might not move it at all
_TRANSPORT = frozenset({Reason.CONNECT, Reason.TIMEOUT, Reason.BROKEN, Reason.UNAVAILABLE})


class Gate:
    """`rate` in parcels a second, None for any; `halts`: how many Halts in a row open the channel's circuit.

    `concurrency` parcels may be out at once for the emergency, and as many for everything else.
    """

    def __init__(
        self, clock: Clock, *, rate: float | None, concurrency: int, halts: int, policy: CircuitPolicy
    ) -> None:
        self._clock = clock
        self._rate = rate
        self._bucket = _Bucket(clock, rate) if rate else None
        self._origins = policy
        self._channel = CircuitPolicy(threshold=halts, base=policy.base * 5, cap=policy.cap)
        self._circuits: dict[str, Circuit] = {}
        self._in_flight = dict.fromkeys(PRIORITIES, 0)
        self._moved = asyncio.Event()
        self._waiting = 0
        self._free = {True: concurrency, False: concurrency}
        self._granted = 0
        self._busy = 0.0
        self._busy_since: float | None = None
        self.halted: Reason | None = None
        self.stopping = False

    # --- precedence and pace ---------------------------------------------------

    def enter(self, priority: int) -> None:
        """A page of this priority is on its way."""
        if not any(self._in_flight.values()):
            self._busy_since = self._clock.monotonic()
        self._in_flight[priority] += 1

    def leave(self, priority: int) -> None:
        self._in_flight[priority] -= 1
        if self._busy_since is not None and not any(self._in_flight.values()):
            self._busy += self._clock.monotonic() - self._busy_since
            self._busy_since = None
        self._move()

    @property
    def pace(self) -> float | None:
        """Parcels a second while busy, or the configured rate; None before enough was sent to tell."""
        if self._granted < _ENOUGH or self._busy <= 0:
            return self._rate
        return self._granted / self._busy

    async def turn(self, priority: int, up_to: int) -> int:
        """Wait for this priority's turn; how many may start now, 0 to look again (something may have changed)."""
        if self.stopping:
            return 0
        if self._overtaken(priority):
            await self._pause(_GLANCE)
            return 0
        granted, wait = min(up_to, self._free[priority in RESERVED]), _GLANCE
        if granted and self._bucket is not None:
            granted, wait = self._bucket.take(granted)
        if not granted:
            await self._pause(min(wait, _GLANCE))
        self._granted += granted
        self._free[priority in RESERVED] -= granted
        return granted

    def settled(self, priority: int) -> None:
        """One that was out has its verdict: another may start."""
        self._free[priority in RESERVED] += 1
        if self._waiting:
            self._move()

    def give_back(self, priority: int, count: int) -> None:
        """Granted, but not used."""
        self._granted -= count
        self._free[priority in RESERVED] += count
        if self._bucket is not None:
            self._bucket.give_back(count)

    def stop(self) -> None:
        """Nothing starts any more."""
        self.stopping = True
        self._move()

    # --- holds and circuits ----------------------------------------------------

    @property
    def watching(self) -> bool:
        """False while no circuit has failures: then nobody need ask for origins."""
        return bool(self._circuits)

    def admit(self, origin: str) -> datetime | None:
        """None where a parcel to this origin may start now (and must), else when to ask again.

        Of a half-open circuit it is the one probe: its verdict must be told.
        """
        now = self._clock.now()
        keys = {CHANNEL, origin}
        waits = [until for key in keys if (until := self._closed_until(key, now)) is not None]
        if waits:
            return max(waits)
        for key in keys & self._circuits.keys():
            if self._circuits[key].until is not None:
                self._circuits[key] = self._circuits[key].probe()
        return None

    def channel_closed_until(self) -> datetime | None:
        """When the whole channel may be tried again, None for now."""
        return self._closed_until(CHANNEL, self._clock.now())

    def succeeded(self, origin: str) -> None:
        now = self._clock.now()
        for key in {CHANNEL, origin} & self._circuits.keys():
            after = self._circuits[key].succeeded(now)
            if after is CLOSED:
                del self._circuits[key]
        if CHANNEL not in self._circuits:
            self.halted = None

    def failed(self, origin: str, verdict: Retry) -> None:
        """Count it, and obey the provider's word."""
        now = self._clock.now()
        before = self._circuits.get(origin, CLOSED)
        self.told_nothing(origin)
        if verdict.after is not None and verdict.hold is not Hold.PARCEL:
            held = CHANNEL if verdict.hold is Hold.CHANNEL else origin
            until = now + timedelta(seconds=verdict.after)
            self._circuits[held] = self._circuits.get(held, CLOSED).held(until)
        elif verdict.reason in _TRANSPORT:
            self._circuits[origin] = before.failed(now, self._origins)

    def halt(self, origin: str, reason: Reason) -> bool:
        """The provider says the channel is broken; True where that opened its circuit (tell the operators)."""
        before = self._circuits.get(CHANNEL, CLOSED)
        self.told_nothing(origin)
        after = before.failed(self._clock.now(), self._channel)
        self._circuits[CHANNEL] = after
        opened = after.openings > before.openings
        if opened:
            self.halted = reason
        return opened

    def told_nothing(self, origin: str) -> None:
        """A verdict that says nothing of the origin or the channel (refused, gone): if it was their probe, another
        one may probe."""
        for key in {CHANNEL, origin} & self._circuits.keys():
            self._circuits[key] = self._circuits[key].unprobed()

    def _closed_until(self, key: str, now: datetime) -> datetime | None:
        circuit = self._circuits.get(key, CLOSED)
        if circuit.permits(now) != 0:
            return None
        glance = now + timedelta(seconds=_GLANCE)
        return circuit.until if circuit.until is not None and circuit.until > now else glance

    # ---------------------------------------------------------------------------------------------------------------

    def _overtaken(self, priority: int) -> bool:
        return any(self._in_flight[sooner] for sooner in RESERVED if sooner < priority)

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _pause(self, seconds: float) -> None:
        self._waiting += 1
        moved = asyncio.ensure_future(self._moved.wait())
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait((moved, timer), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting -= 1
            moved.cancel()
            timer.cancel()


class _Bucket:
    """A token bucket whose burst is so small that no second sees more than the rate and one."""

    def __init__(self, clock: Clock, rate: float) -> None:
        self._clock = clock
        self._rate = rate
        self._size = max(1.0, rate * _BURST_SECONDS)
        self._tokens = 1.0
        self._at = clock.monotonic()

    def take(self, up_to: int) -> tuple[int, float]:
        """How many now (at least one, or none), and in how many seconds the next."""
        now = self._clock.monotonic()
        self._tokens = min(self._size, self._tokens + (now - self._at) * self._rate)
        self._at = now
        granted = min(up_to, int(self._tokens))
        self._tokens -= granted
        return granted, max(_TICK, (1.0 - self._tokens) / self._rate)

    def give_back(self, count: int) -> None:
        self._tokens = min(self._size, self._tokens + count)
