"""Which servers may be tried now: Retry-After and repeated failures, per origin and for a whole channel."""

from datetime import datetime, timedelta

from alertd.domain.circuit import CLOSED, Circuit, CircuitPolicy
from alertd.domain.delivery import Hold, Reason, Retry
from alertd.ports.clock import Clock

CHANNEL = ""
"""The origin that stands for the whole channel."""

_GLANCE = 0.2  # while one probes, the others ask again this soon
_LONGEST_HOLD = 86_400.0
_TRANSPORT = frozenset({Reason.CONNECT, Reason.TIMEOUT, Reason.BROKEN, Reason.UNAVAILABLE})


class Circuits:
    """The circuits of one channel. They outlive a reload of it: a Retry-After is obeyed all the same.

    `halts` is how many endpoints must say in a row that the channel is broken before it is believed.
    """

    def __init__(self, clock: Clock, *, halts: int, policy: CircuitPolicy) -> None:
        self._clock = clock
        self._start = clock.now() - timedelta(seconds=clock.monotonic())
        self._halts = halts
        self._origins = policy
        self._channel = CircuitPolicy(threshold=1, base=policy.base * 5, cap=policy.cap)
        self._circuits: dict[str, Circuit] = {}
        self._accused: set[int] = set()
        self.halted: Reason | None = None

    @property
    def watching(self) -> bool:
        """False while no circuit has failures and nobody is accused: then nobody need ask for origins."""
        return bool(self._circuits or self._accused)

    def admit(self, origin: str) -> datetime | None:
        """None where a parcel to this origin may start now (and must), else when to ask again (wall clock).

        Of a half-open circuit it is the one probe: its verdict must be told.
        """
        now = self._now()
        keys = {CHANNEL, origin}
        waits = [until for key in keys if (until := self._closed_until(key, now)) is not None]
        if waits:
            return self._wall(max(waits), now)
        for key in keys & self._circuits.keys():
            if self._circuits[key].until is not None:
                self._circuits[key] = self._circuits[key].probe()
        return None

    def channel_closed_until(self) -> datetime | None:
        """When the whole channel may be tried again (wall clock), None for now."""
        if CHANNEL not in self._circuits:
            return None
        now = self._now()
        until = self._closed_until(CHANNEL, now)
        return self._wall(until, now) if until is not None else None

    def succeeded(self, origin: str) -> None:
        now = self._now()
        self._accused.clear()
        for key in {CHANNEL, origin} & self._circuits.keys():
            self._circuits[key] = self._circuits[key].succeeded(now)
            if self._circuits[key] is CLOSED:
                del self._circuits[key]
        if CHANNEL not in self._circuits:
            self.halted = None

    def failed(self, origin: str, verdict: Retry) -> None:
        """Count it, and obey the provider's word (at most a day of it)."""
        now = self._now()
        before = self._circuits.get(origin, CLOSED)
        self.told_nothing(origin)
        if verdict.after is not None and verdict.after > 0 and verdict.hold is not Hold.PARCEL:
            held = CHANNEL if verdict.hold is Hold.CHANNEL else origin
            until = now + timedelta(seconds=min(verdict.after, _LONGEST_HOLD))
            self._circuits[held] = self._circuits.get(held, CLOSED).held(until)
        elif verdict.reason in _TRANSPORT:
            self._circuits[origin] = before.failed(now, self._origins)

    def halt(self, origin: str, endpoint_id: int, reason: Reason) -> bool:
        """The provider says the channel is broken; True where that opened its circuit (tell the operators).

        One endpoint made with a foreign key says so too: it takes as many different ones as the gate was built with,
        and no success between them.
        """
        before = self._circuits.get(CHANNEL, CLOSED)
        self.told_nothing(origin)
        self._accused.add(endpoint_id)
        if len(self._accused) < self._halts:
            return False
        after = before.failed(self._now(), self._channel)
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
        return circuit.until if circuit.until is not None and circuit.until > now else now + timedelta(seconds=_GLANCE)

    def _now(self) -> datetime:
        """A clock that no step of the wall clock moves."""
        return self._start + timedelta(seconds=self._clock.monotonic())

    def _wall(self, moment: datetime, now: datetime) -> datetime:
        return self._clock.now() + (moment - now)
