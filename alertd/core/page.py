"""The page an adapter takes its parcels from: every single start passes here."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cached_property

from alertd.core.gate import Gate
from alertd.core.revoked import Revoked
from alertd.domain.times import micros
from alertd.ports.adapter import Message, Parcel
from alertd.ports.clock import Clock

REVOKED = timedelta(seconds=0.2)


class GatedPage:
    """Implements `alertd.ports.adapter.Page` over one group of claimed deliveries.

    `taken` maps what was started and is not yet settled to when it started, in microseconds since 1970; whoever
    settles takes it out. `left` is what was never started, with when it may be tried again (None: at once).
    """

    def __init__(
        self,
        message: Message,
        parcels: Sequence[Parcel],
        *,
        priority: int,
        gate: Gate,
        clock: Clock,
        revoked: Revoked,
        origin: Callable[[str], str],
        on_start: Callable[[datetime], None],
    ) -> None:
        self._message = message
        self._parcels = parcels
        self._next = 0
        self._priority = priority
        self._gate = gate
        self._clock = clock
        self._revoked = revoked
        self._origin = origin
        self._on_start = on_start
        self._deferred: list[tuple[int, datetime | None]] = []
        self.taken: dict[int, int] = {}
        self._progress = clock.monotonic()

    @property
    def message(self) -> Message:
        return self._message

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        while (waiting := len(self._parcels) - self._next) > 0 and not self._closed():
            granted = await self._gate.turn(self._priority, min(up_to, waiting))
            if not granted:
                continue
            batch: Sequence[Parcel] = ()
            try:
                if not self._closed():
                    batch = self._pick(granted)
            finally:
                if len(batch) < granted:
                    self._gate.give_back(self._priority, granted - len(batch))
            if batch:
                self._start(batch)
                return batch
        return ()

    def parcel(self, delivery_id: int) -> Parcel:
        return self._by_id[delivery_id]

    def progressed(self) -> None:
        """Some were settled."""
        self._progress = self._clock.monotonic()

    @property
    def idle_for(self) -> float:
        """Seconds since a parcel was last taken or settled."""
        return self._clock.monotonic() - self._progress

    @property
    def untaken(self) -> frozenset[int]:
        return frozenset(delivery_id for delivery_id, _ in self.left)

    @property
    def open(self) -> bool:
        """Whether it would still have handed out parcels: then its adapter left them lying."""
        return self._next < len(self._parcels) and not self._closed()

    @property
    def left(self) -> list[tuple[int, datetime | None]]:
        again = self._gate.circuits.channel_closed_until()
        if again is None and self._message.notice.alert.id in self._revoked:
            again = self._clock.now() + REVOKED  # its end is being committed; if that fails it goes on
        return [*self._deferred, *((parcel.delivery_id, again) for parcel in self._parcels[self._next :])]

    @cached_property
    def _by_id(self) -> dict[int, Parcel]:
        return {parcel.delivery_id: parcel for parcel in self._parcels}

    def _closed(self) -> bool:
        """For good: revoked, expired, stopping, or the whole channel held."""
        notice = self._message.notice
        return (
            self._gate.stopping
            or notice.alert.id in self._revoked
            or self._clock.now() >= notice.deadline
            or self._gate.circuits.channel_closed_until() is not None
        )

    def _pick(self, count: int) -> Sequence[Parcel]:
        """The next `count`, or fewer: those a circuit holds back are put aside."""
        circuits = self._gate.circuits
        if not circuits.watching:
            first = self._next
            self._next = min(first + count, len(self._parcels))  # others may have taken the last ones meanwhile
            return self._parcels[first : self._next]
        batch: list[Parcel] = []
        while self._next < len(self._parcels) and len(batch) < count:
            parcel = self._parcels[self._next]
            until = circuits.admit(self._origin(parcel.address))
            self._next += 1
            if until is None:
                batch.append(parcel)
            else:
                self._deferred.append((parcel.delivery_id, until))
        return batch

    def _start(self, batch: Sequence[Parcel]) -> None:
        now = self._clock.now()
        self._progress = self._clock.monotonic()
        if not self.taken:
            self._on_start(now)
        self.taken.update(dict.fromkeys([parcel.delivery_id for parcel in batch], micros(now)))
