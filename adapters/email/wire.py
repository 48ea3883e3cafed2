"""One connection lent to pipelined mail transactions: what it hears, what it writes, when it is given up.

No coroutine, timer or task per message; the time of one message is kept by one timer for the line.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final

from aiosmtplib import SMTPServerDisconnected

from adapters.email.fleet import Fleet
from adapters.email.replies import Replies
from adapters.email.session import Session
from adapters.email.shipment import Item, Shipment

LOW_WATER: Final = 16_384


class Wire(asyncio.Protocol):
    """A `fleet.Line`. `timeout`: seconds for one message, from when the relay may begin with it."""

    def __init__(self, session: Session, fleet: Fleet, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        self._call_at = loop.call_at
        self._clock = loop.time
        self._session = session
        self._fleet = fleet
        self._timeout = timeout
        self._flight: deque[Item] = deque()
        self._replies = Replies()
        self._out: list[bytes] = []
        self._written = 0
        self._unclean = session.must_reset
        self._paused = False
        self._over = False
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.idle_since = self._clock()
        self._transport = session.lend(self)
        self._transport.set_write_buffer_limits(low=LOW_WATER)

    # --- fleet.Line ------------------------------------------------------------------------------------------------

    def feed(self) -> None:
        if self._transport.is_closing():
            self._break(SMTPServerDisconnected("lost while it rested"))
            return
        now = self._clock()
        if not self._flight:
            self._since = now
        self._fill(now)
        self._flush()
        if not self._flight:
            self.idle_since = now
            self._fleet.hungry(self)
        elif self._timer is None:
            self._timer = self._call_at(self._since + self._timeout, self._tick)

    def rest(self) -> None:
        self._end()
        self._session.must_reset = self._unclean
        self._session.take_back()
        self._fleet.pool.rest(self._session, idle_for=self._clock() - self.idle_since)

    def drop(self, shipment: Shipment) -> None:
        if any(item.shipment is shipment for item in self._flight):
            self._break(SMTPServerDisconnected("no longer wanted"))

    def abort(self) -> None:
        self._break(SMTPServerDisconnected("no longer wanted"))

    # --- asyncio.Protocol ------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._over:
            return
        before = len(self._flight)
        self._listen(self._replies.feed(data))
        if self._ended():
            return
        now = self._clock()
        if len(self._flight) != before:
            self._since = now
        self._fill(now)
        self._flush()
        if before and not self._flight:
            self.idle_since = now
            self._fleet.hungry(self)

    def eof_received(self) -> bool:
        self._break(SMTPServerDisconnected("the relay hung up"))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        fault = SMTPServerDisconnected("connection lost")
        fault.__cause__ = exc
        self._break(fault)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if not self._over and self._flight:
            self._fill(self._clock())
            self._flush()

    # --- what a dialogue adds --------------------------------------------------------------------------------------

    @abstractmethod
    def _fill(self, now: float) -> None:
        """Draw messages from the fleet and put into `_out` what may be written of them; `_written` counts it."""

    @abstractmethod
    def _listen(self, replies: Sequence[tuple[int, bytes]]) -> None:
        """These came, code and line; they belong to the messages in flight, in order."""

    @abstractmethod
    def _break(self, fault: Exception) -> None:
        """End in the middle."""

    # --- the end of the line, and writing --------------------------------------------------------------------------

    def _close(self) -> deque[Item]:
        self._end()
        self._session.abort()
        flight, self._flight = self._flight, deque()
        return flight

    def _ended(self) -> bool:
        """Asked where what was just called may have ended the line."""
        return self._over

    def _end(self) -> None:
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        """One timer for the line: it looks at the first in flight, and sets itself anew."""
        self._timer = None
        if not self._flight:
            return
        due = self._since + self._timeout
        if self._clock() >= due:
            self._break(TimeoutError())
        else:
            self._timer = self._call_at(due, self._tick)

    def _flush(self) -> None:
        if self._out:
            words = b"".join(self._out)
            self._out.clear()
            self._transport.write(words)
