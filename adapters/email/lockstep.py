"""Mail transactions one reply at a time, through aiosmtplib, for a relay that does not offer PIPELINING."""

import asyncio

from aiosmtplib import SMTPException

from adapters.email.fleet import Fleet
from adapters.email.session import Session
from adapters.email.shipment import Item, Shipment
from adapters.email.verdicts import Stage, of_fault


class Lockstep:
    """A `fleet.Line` with a task of its own while there is work. `timeout`: seconds for one message."""

    def __init__(self, session: Session, fleet: Fleet, timeout: float) -> None:
        self._session = session
        self._fleet = fleet
        self._timeout = timeout
        self._clock = asyncio.get_running_loop().time
        self._item: Item | None = None
        self._over = False
        self.idle_since = self._clock()

    def feed(self) -> None:
        self._item = self._fleet.next(self._clock())
        if self._item is None:
            self.idle_since = self._clock()
            self._fleet.hungry(self)
        else:
            self._fleet.spawn(self._work(), "send mail in lockstep")

    def rest(self) -> None:
        self._over = True
        self._fleet.pool.rest(self._session, idle_for=self._clock() - self.idle_since)

    def drop(self, shipment: Shipment) -> None:
        if self._item is not None and self._item.shipment is shipment:
            self.abort()

    def abort(self) -> None:
        """The task ends by itself: whatever it waits for on this session fails now."""
        self._session.abort()
        self._end()

    async def _work(self) -> None:
        while self._item is not None and await self._send(self._item):
            self._item = None if self._over else self._fleet.next(self._clock())
        if not self._over:
            self.feed()

    async def _send(self, item: Item) -> bool:
        """Send one and settle it; whether the session is still good."""
        session = self._session
        try:
            async with asyncio.timeout(self._timeout):
                verdict = await session.deliver(item.envelope, item.shipment.letter.shared)
        except (SMTPException, OSError) as fault:
            verdict = of_fault(session.stage, fault)
            session.abort()
            unheard = not isinstance(fault, TimeoutError)
        except Exception as bug:  # noqa: BLE001  nobody awaits this task: the bug must come out of `send`
            session.abort()
            item.shipment.fail(bug)
            self._end()
            return False
        else:
            unheard = True
        again = session.used and unheard and session.stage is Stage.MAIL and not session.alive
        session.used = True
        if not again:
            item.settle(verdict)
        if not session.alive:
            self._end(*([item] if again else []))
        return session.alive and not self._over

    def _end(self, *back: Item) -> None:
        if not self._over:
            self._over = True
            self._fleet.ended(self, back)
