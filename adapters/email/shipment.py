"""What is on its way: one `send` in progress, and each of its messages."""

import asyncio
from typing import Final

from adapters.email.compose import Letter
from adapters.email.envelope import Envelope
from adapters.email.verdicts import Stage
from alertd.domain.delivery import Accepted, Verdict
from alertd.ports.adapter import Settle

_NOBODY_WAITS: Final = -1
_GATHER: Final = 64
_SHARE: Final = 8
_GATHER_SECONDS: Final = 0.005
"""What was accepted is handed on by so many at once, or an eighth of those that may be out, or after so long: each
handing on is accounted for and written by itself, which costs more than the mail."""


class Shipment:
    """Counts the parcels of one page that are out, `most` of them at once, and hands on each verdict exactly once.

    What is accepted is handed on together, anything else at once, for circuits want to hear of it. `fault` is a bug
    on the way, which must come out of `send`. A shipment that is closed settles no more.
    """

    def __init__(self, letter: Letter, settle: Settle, most: int) -> None:
        self.letter = letter
        self.outstanding = 0
        self.fault: Exception | None = None
        self.closed = False
        self._settle = settle
        self._call_later = asyncio.get_running_loop().call_later
        self._gather = max(1, min(_GATHER, most // _SHARE))
        self._told: list[tuple[int, Verdict]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._waiters: list[asyncio.Future[None]] = []
        self._wake_at = _NOBODY_WAITS

    def settled(self, delivery_id: int, verdict: Verdict) -> None:
        if self.closed:
            return
        self.outstanding -= 1
        told = self._told
        told.append((delivery_id, verdict))
        if len(told) >= self._gather or type(verdict) is not Accepted or not self.outstanding:
            self._hand_on()
        elif self._timer is None:
            self._timer = self._call_later(_GATHER_SECONDS, self._hand_on)
        if self.outstanding <= self._wake_at:
            self._wake()

    def close(self) -> None:
        """Nothing is settled any more but what was told before."""
        self._hand_on()
        self.closed = True

    def fail(self, bug: Exception) -> None:
        """Let `send` end with this exception."""
        self.fault = self.fault or bug
        self._wake()

    async def at_most(self, count: int) -> None:
        """Wait until no more than `count` parcels are out. Raises the fault, if there is one."""
        while self.outstanding > count and self.fault is None:
            self._wake_at = max(self._wake_at, count)
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self.fault is not None:
            raise self.fault

    def _hand_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        told, self._told = self._told, []
        for delivery_id, verdict in told:
            try:
                self._settle(delivery_id, verdict)
            except Exception as bug:  # noqa: BLE001  this runs inside a transport's callback, which would swallow it
                self.fail(bug)

    def _wake(self) -> None:
        self._wake_at = _NOBODY_WAITS
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Item:
    """One message on its way. A plain slotted class that lines write to, because a hundred thousand go by.

    `since` is when it was taken, `expires` when it may no longer start (seconds of the loop's clock). `stage` is the
    reply that is waited for; `refusal` what the relay's first refusal means; `received` whether it took the recipient;
    `end` where in the connection's stream its content ends, 0 while it has not been written.
    """

    __slots__ = ("delivery_id", "end", "envelope", "expires", "received", "refusal", "shipment", "since", "stage")

    def __init__(self, shipment: Shipment, delivery_id: int, envelope: Envelope, since: float, expires: float) -> None:
        self.shipment = shipment
        self.delivery_id = delivery_id
        self.envelope = envelope
        self.since = since
        self.expires = expires
        self.stage = Stage.MAIL
        self.refusal: Verdict | None = None
        self.received = False
        self.end = 0

    def settle(self, verdict: Verdict) -> None:
        self.shipment.settled(self.delivery_id, verdict)

    def anew(self) -> "Item":
        """As it was before a line took it up."""
        self.stage, self.refusal, self.received, self.end = Stage.MAIL, None, False, 0
        return self
