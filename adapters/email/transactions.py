"""The two ways to pipeline mail transactions: DATA (RFC 5321, in the groups of RFC 2920) and BDAT (RFC 3030)."""

from collections.abc import Sequence
from typing import ClassVar, Final

from aiosmtplib import SMTPException

from adapters.email.burst import Burst
from adapters.email.shipment import Item
from adapters.email.verdicts import GO_ON, Stage
from alertd.domain.delivery import Accepted

_BODY, _MAIL = Stage.BODY, Stage.MAIL
_A_ROUND: Final = 4
"""Replies of one round trip: to the content of one message, and to MAIL, RCPT and DATA of the next."""
_DOT: Final = b".\r\n"
WINDOW: Final = 16
"""Messages in flight on one connection with BDAT: their outcome is unknown together when it breaks."""
_AT_ONCE: Final = 262_144
"""Bytes written in one go; what is larger waits until the transport wants more."""


class DataBurst(Burst):
    """One round trip a message: a group is the content of one message, then MAIL, RCPT and DATA of the next.

    DATA must be the last of its group (RFC 2920 section 3.1), for the relay's 354 decides what is written next.
    """

    after_rcpt: ClassVar[Stage] = Stage.DATA

    def _fill(self, now: float) -> None:
        flight = self._flight
        if self._paused or (flight and (len(flight) > 1 or flight[0].stage is not _BODY)):
            return
        item = self._fleet.next(now)
        if item is None:
            return
        envelope = item.envelope
        words = b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (envelope.sender, envelope.recipient)
        if self._unclean or (flight and flight[0].refusal is not None):
            words = b"RSET\r\n" + words
            item.stage = Stage.RSET
            self._unclean = False
        self._out.append(words)
        self._written += len(words)
        flight.append(item)

    def _listen(self, replies: Sequence[tuple[int, bytes]]) -> None:
        """Nearly always the same four: the message is taken, and the content of the next may come."""
        flight = self._flight
        if len(replies) != _A_ROUND or len(flight) != 2:  # noqa: PLR2004  the one that ends and the next
            super()._listen(replies)
            return
        (ended, _), (mail, _), (rcpt, _), (data, _) = replies
        sent, item = flight
        smooth = data == GO_ON and min(ended, mail, rcpt) >= 200 and max(ended, mail, rcpt) <= 299  # noqa: PLR2004
        if not smooth or sent.stage is not _BODY or sent.refusal is not None or item.stage is not _MAIL:
            super()._listen(replies)
            return
        self._settle_first(Accepted(sent.envelope.ref))
        item.received = True
        self._write_content(item)

    def _about_content(self, item: Item, code: int, line: bytes) -> None:
        """Where every recipient was refused and DATA is not, a dot alone ends it (RFC 2920 section 3.1).

        That would be an empty mail to a recipient who was taken after MAIL had been refused: then the line is cut.
        """
        if code != GO_ON:
            self._unclean = True
            self._settle_first(self._refuse(item, Stage.DATA, code, line))
            return
        if item.refusal is None:
            self._write_content(item)
        elif item.received:
            self._break(SMTPException("an answer out of step"))
        else:
            item.stage = _BODY
            self._out.append(_DOT)
            self._written += len(_DOT)

    def _write_content(self, item: Item) -> None:
        item.stage = _BODY
        head, shared = item.envelope.head, item.shipment.letter.shared
        self._out += head, shared
        item.end = self._written = self._written + len(head) + len(shared)


class BdatBurst(Burst):
    """Whole messages back to back, none waiting for a reply: MAIL, RCPT and BDAT with all the content.

    RSET stands between two, for what a refused message leaves behind is not the same with all relays, and the next
    is written before that is known.
    """

    after_rcpt: ClassVar[Stage] = Stage.BODY

    def _fill(self, now: float) -> None:
        flight = self._flight
        until = self._written + _AT_ONCE
        room = min(WINDOW - len(flight), self._fleet.share)
        while room > 0 and not self._paused and self._written < until:
            item = self._fleet.next(now)
            if item is None:
                return
            self._write(item)
            flight.append(item)
            room -= 1

    def _write(self, item: Item) -> None:
        reset = b""
        if self._unclean:
            reset = b"RSET\r\n"
            item.stage = Stage.RSET
        self._unclean = True
        (sender, recipient, head, _), content = item.envelope, item.shipment.letter.plain
        size = len(head) + len(content)
        words = b"%bMAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nBDAT %d LAST\r\n%b%b" % (
            reset, sender, recipient, size, head, content
        )  # fmt: skip
        self._out.append(words)
        item.end = self._written = self._written + len(words)
