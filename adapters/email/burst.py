"""Many mail transactions over one connection with command pipelining (RFC 2920): a callback state machine.

No coroutine, timer or task per message: replies are matched in order against the messages in flight, and what may
follow is written at once, for as many replies as one read brings. The first in flight is the one the relay works on.
"""

import asyncio
from abc import abstractmethod
from collections import deque
from typing import ClassVar, Final

from aiosmtplib import SMTPException, SMTPServerDisconnected

from adapters.email.fleet import Fleet
from adapters.email.replies import GARBLED, Replies, text_of
from adapters.email.session import Session
from adapters.email.shipment import Item, Shipment
from adapters.email.verdicts import CLOSING, GO_ON, Stage, of_fault, of_reply
from alertd.domain.delivery import Accepted, Verdict

_LOW_WATER: Final = 16_384
_MAIL, _RCPT, _DATA, _BODY, _RSET = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY, Stage.RSET
"""Four looks a message at an Enum's members cost more than all the rest of reading its replies."""


class Burst(asyncio.Protocol):
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
        self._transport.set_write_buffer_limits(low=_LOW_WATER)

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
        for code, line in self._replies.feed(data):
            if not self._flight:
                self._break(SMTPException("an answer that nobody asked for"))
            else:
                self._hear(self._flight[0], code, line)
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

    # --- what differs between DATA and BDAT ------------------------------------------------------------------------

    after_rcpt: ClassVar[Stage]
    """What is answered next after RCPT."""

    @abstractmethod
    def _fill(self, now: float) -> None:
        """Draw messages from the fleet and put into `_out` what may be written of them; `_written` counts it."""

    def _about_content(self, item: Item, code: int, line: bytes) -> None:
        """The reply to DATA."""
        raise NotImplementedError

    # --- replies ---------------------------------------------------------------------------------------------------

    def _hear(self, item: Item, code: int, line: bytes) -> None:
        """One reply, to the first in flight."""
        stage = item.stage
        good = code == GO_ON if stage is _DATA else 200 <= code <= 299  # noqa: PLR2004
        if not good and not 400 <= code <= 599:  # noqa: PLR2004
            self._astray(item, code, line)
        elif code == CLOSING:
            self._dismissed(item, line)
        elif stage is _MAIL:
            item.stage = _RCPT
            if not good:
                self._refuse(item, _MAIL, code, line)
        elif stage is _RCPT:
            item.stage = self.after_rcpt
            item.received = good
            if not good:
                self._refuse(item, _RCPT, code, line)
        elif stage is _DATA:
            self._about_content(item, code, line)
        elif stage is _BODY:
            self._finished(item, code, line)
        elif good:
            item.stage = _MAIL
        else:
            self._break(SMTPException("RSET was refused"))

    def _refuse(self, item: Item, stage: Stage, code: int, line: bytes) -> Verdict:
        """Remember the first refusal: those after it only follow from it."""
        if item.refusal is None:
            item.refusal = self._session.refused(stage, code, text_of(line))
        return item.refusal

    def _settle_first(self, verdict: Verdict) -> None:
        item = self._flight.popleft()
        self._session.used = True
        item.settle(verdict)

    def _finished(self, item: Item, code: int, line: bytes) -> None:
        """The reply to the whole message. What the relay has taken is accepted, whatever it said before."""
        if 200 <= code <= 299 and (item.refusal is None or item.received):  # noqa: PLR2004
            self._settle_first(Accepted(item.envelope.ref))
        else:
            self._settle_first(self._refuse(item, _BODY, code, line))

    def _dismissed(self, item: Item, line: bytes) -> None:
        """421: the relay closes, and does not look at what follows (RFC 5321 section 3.8).

        Where it had done its work and stops before it heard of a message, as relays do that limit the messages of a
        connection, that message goes another way in the same attempt; so do all behind the first.
        """
        if self._session.used and item.stage in (_RSET, _MAIL):
            self._leave(None)
        else:
            self._leave(item.refusal or of_reply(item.stage, CLOSING, text_of(line)))

    def _astray(self, item: Item, code: int, line: bytes) -> None:
        """An answer that makes no sense here, or none at all: nothing more is said."""
        if code != GARBLED:
            self._settle_first(item.refusal or of_reply(item.stage, code, text_of(line)))
        self._break(SMTPException("an answer out of step"))

    # --- the end of the line ---------------------------------------------------------------------------------------

    def _leave(self, verdict: Verdict | None) -> None:
        """End where nothing in flight can have been taken; the first gets the verdict, the others go another way."""
        flight = self._close()
        if verdict is not None:
            flight.popleft().settle(verdict)
        self._fleet.ended(self, flight)

    def _break(self, fault: Exception) -> None:
        """End in the middle: what was written whole has an outcome nobody knows."""
        if self._over:
            return
        sent = self._written - self._unsent()
        flight = self._close()
        back = []
        for place, item in enumerate(flight):
            verdict = self._fate(item, fault, sent, first=place == 0)
            if verdict is None:
                back.append(item)
            else:
                item.settle(verdict)
        self._fleet.ended(self, back)

    def _fate(self, item: Item, fault: Exception, sent: int, *, first: bool) -> Verdict | None:
        """The verdict on what was in flight, None where another line may take it up: the relay had not begun."""
        if item.refusal is not None and not (item.received and item.end):
            return item.refusal
        if 0 < item.end <= sent:
            return of_fault(_BODY, fault)
        unheard = item.stage in (_RSET, _MAIL) and self._session.used and not isinstance(fault, TimeoutError)
        return None if unheard or not first else of_fault(_DATA, fault)

    def _unsent(self) -> int:
        """Bytes that certainly never left: a transport that is lost has thrown its buffer away."""
        if self._transport.is_closing():
            return _LOW_WATER if self._paused else 0
        return self._transport.get_write_buffer_size()

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

    # --- writing ---------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._out:
            words = b"".join(self._out)
            self._out.clear()
            self._transport.write(words)
