"""The page an adapter takes its parcels from: every single start passes here."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from alertd.core.gate import Gate
from alertd.core.revoked import Revoked
from alertd.ports.adapter import Message, Parcel
from alertd.ports.clock import Clock

REVOKED = timedelta(seconds=0.2)


class GatedPage:
    """Implements `alertd.ports.adapter.Page` over one group of claimed deliveries.

    `taken` maps what was started and is not yet settled to the moment it started; `left` is what was never
    started, with when it may be tried again (None: at once).
    """

    def __init__(
        self,
        message: Message,
        parcels: Iterable[Parcel],
        *,
        priority: int,
        gate: Gate,
        clock: Clock,
        revoked: Revoked,
        origin: Callable[[str], str],
        on_start: Callable[[datetime], None],
    ) -> None:
        self._message = message
        self._queue = deque(parcels)
        self._priority = priority
        self._gate = gate
        self._clock = clock
        self._revoked = revoked
        self._origin = origin
        self._on_start = on_start
        self._deferred: list[tuple[int, datetime | None]] = []
        self.parcels = {parcel.delivery_id: parcel for parcel in self._queue}
        self.taken: dict[int, datetime] = {}
        self._progress = clock.monotonic()

    @property
    def message(self) -> Message:
        return self._message

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        while self._queue and not self._closed():
            granted = await self._gate.turn(self._priority, min(up_to, len(self._queue)))
            if not granted:
                continue
            batch: list[Parcel] = []
            try:
                if not self._closed():
                    self._pick(granted, batch)
            finally:
                self._gate.give_back(self._priority, granted - len(batch))
            if batch:
                self._start(batch)
                return batch
        return ()

    def settled(self, delivery_id: int) -> datetime | None:
        """When the parcel was started; None where it was not, or has been settled before."""
        self._progress = self._clock.monotonic()
        return self.taken.pop(delivery_id, None)

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
        return bool(self._queue) and not self._closed()

    @property
    def left(self) -> list[tuple[int, datetime | None]]:
        again = self._gate.circuits.channel_closed_until()
        if again is None and self._message.notice.alert.id in self._revoked:
            again = self._clock.now() + REVOKED  # its end is being committed; if that fails it goes on
        return [*self._deferred, *((parcel.delivery_id, again) for parcel in self._queue)]

    def _closed(self) -> bool:
        """For good: revoked, expired, stopping, or the whole channel held."""
        notice = self._message.notice
        return (
            self._gate.stopping
            or notice.alert.id in self._revoked
            or self._clock.now() >= notice.deadline
            or self._gate.circuits.channel_closed_until() is not None
        )

    def _pick(self, count: int, batch: list[Parcel]) -> None:
        while self._queue and len(batch) < count:
            parcel = self._queue[0]
            until = self._gate.circuits.admit(self._origin(parcel.address)) if self._gate.circuits.watching else None
            self._queue.popleft()
            if until is None:
                batch.append(parcel)
            else:
                self._deferred.append((parcel.delivery_id, until))

    def _start(self, batch: Sequence[Parcel]) -> None:
        now = self._clock.now()
        self._progress = self._clock.monotonic()
        if not self.taken:
            self._on_start(now)
        self.taken.update((parcel.delivery_id, now) for parcel in batch)
