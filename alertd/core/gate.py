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
        self._holds: dict[str, datetime] = {}
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
        """False while nothing is held and no circuit has failures: then nobody need ask for origins."""
        return bool(self._holds or self._circuits)

    def closed_until(self, origin: str) -> datetime | None:
        """When the origin may be tried again, None for now. A half-open circuit lets its one probe through here."""
        now = self._clock.now()
        held = self._holds.get(origin)
        if held is not None:
            if held > now:
                return held
            del self._holds[origin]
        circuit = self._circuits.get(origin, CLOSED)
        permitted = circuit.permits(now)
        if permitted == 0:
            return circuit.until if circuit.until and circuit.until > now else now + timedelta(seconds=_GLANCE)
        if permitted == 1:
            self._circuits[origin] = circuit.probe()
        return None

    def channel_closed_until(self) -> datetime | None:
        """As `closed_until` for the whole channel, without spending its probe."""
        now = self._clock.now()
        held = self._holds.get(CHANNEL)
        circuit = self._circuits.get(CHANNEL, CLOSED)
        probing = now + timedelta(seconds=_GLANCE) if circuit.probing else None
        moments = [m for m in (held, circuit.until, probing) if m is not None and m > now]
        return max(moments, default=None)

    def succeeded(self, origin: str) -> None:
        if origin != CHANNEL:
            self._circuits.pop(origin, None)
        if self._circuits.pop(CHANNEL, None) is not None:
            self.halted = None
            self._move()

    def failed(self, origin: str, verdict: Retry) -> None:
        """Count it, and obey the provider's word."""
        now = self._clock.now()
        if verdict.after is not None and verdict.hold is not Hold.PARCEL:
            held = CHANNEL if verdict.hold is Hold.CHANNEL else origin
            until = now + timedelta(seconds=verdict.after)
            self._holds[held] = max(until, self._holds.get(held, until))
        if verdict.reason in _TRANSPORT:
            self._circuits[origin] = self._circuits.get(origin, CLOSED).failed(now, self._origins)

    def halt(self, reason: Reason) -> bool:
        """The provider says the channel is broken; True where that opened its circuit (tell the operators)."""
        before = self._circuits.get(CHANNEL, CLOSED)
        after = before.failed(self._clock.now(), self._channel)
        self._circuits[CHANNEL] = after
        opened = after.openings > before.openings
        if opened:
            self.halted = reason
        return opened

    def settle_probe(self, origin: str) -> None:
        """The probe ended without telling anything of the origin (refused, cancelled): let another one probe."""
        circuit = self._circuits.get(origin)
        if circuit is not None and circuit.probing:
            self._circuits[origin] = Circuit(circuit.failures, circuit.openings, circuit.until)

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
