"""Many mail transactions over one connection with command pipelining (RFC 2920): a callback state machine.

Replies are matched in order against the messages in flight, and what may follow is written at once, for as many
replies as one read brings. The first in flight is the one the relay works on.
"""

from collections.abc import Sequence
from typing import ClassVar

from aiosmtplib import SMTPException

from adapters.email.replies import GARBLED, text_of
from adapters.email.shipment import Item
from adapters.email.verdicts import CLOSING, GO_ON, Stage, of_fault, of_reply
from adapters.email.wire import LOW_WATER, Wire
from alertd.domain.delivery import Accepted, Verdict

_MAIL, _RCPT, _DATA, _BODY, _RSET = Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.BODY, Stage.RSET
"""Four looks a message at an Enum's members cost more than all the rest of reading its replies."""


class Burst(Wire):
    """The dialogue, but for how content is sent."""

    # --- what differs between DATA and BDAT ------------------------------------------------------------------------

    after_rcpt: ClassVar[Stage]
    """What is answered next after RCPT."""

    def _about_content(self, item: Item, code: int, line: bytes) -> None:
        """The reply to DATA."""
        raise NotImplementedError

    # --- replies ---------------------------------------------------------------------------------------------------

    def _listen(self, replies: Sequence[tuple[int, bytes]]) -> None:
        flight = self._flight
        for code, line in replies:
            if not flight:
                self._break(SMTPException("an answer that nobody asked for"))
            else:
                self._hear(flight[0], code, line)
            if self._over:
                return

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
            return LOW_WATER if self._paused else 0
        return self._transport.get_write_buffer_size()
