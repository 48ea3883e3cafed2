"""What the relay's answers mean (RFC 5321 section 4.2, RFC 3463, RFC 7504). Pure tables.

The stage matters as much as the code. Postfix reports what it thinks of *us* as late as RCPT, and a relay that
does not take our envelope sender will take nobody's mail, so refusing the one parcel would lose them all.
"""

import re
import ssl
from enum import StrEnum
from typing import Final

from alertd.domain.delivery import Gone, Halt, Reason, Refused, Retry, Verdict


class Stage(StrEnum):
    """How far the dialogue had come. Only at BODY, once all is written, may the relay have taken the message."""

    GREETING = "greeting"
    HELLO = "hello"
    STARTTLS = "starttls"
    LOGIN = "login"
    RSET = "rset"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"


_ENHANCED: Final = re.compile(r"5\.(\d{1,3}\.\d{1,3})(?!\S)")
_LOGIN_CODES: Final = frozenset({530, 534, 535, 538})
_NO_SUCH_MAILBOX: Final = frozenset({"1.1", "1.6", "1.10"})
"""No such mailbox; moved, no forwarding; the domain takes no mail (RFC 7505). 1.2, an unknown domain, is not among
them: a relay whose resolver is broken would retire every citizen."""
_BAD_ADDRESS: Final = frozenset({"1.2", "1.3"})
_BAD_SENDER: Final = frozenset({"1.7", "1.8"})
_TOO_LARGE: Final = frozenset({"2.3", "3.4"})
_DOMAIN_TAKES_NO_MAIL: Final = 556
_TOO_MUCH: Final = 552
GO_ON: Final = 354
CLOSING: Final = 421
"""The relay closes the connection (RFC 5321 section 3.8), whatever was asked."""


def enhanced(text: str) -> str:
    """The subject and detail of a permanent enhanced status at the head of a reply, e.g. "1.1", or ""."""
    match = _ENHANCED.match(text)
    return match[1] if match else ""


def of_reply(stage: Stage, code: int, text: str) -> Verdict:
    """The verdict on a reply that is not the one hoped for.

    One that makes no sense after the whole message was sent leaves its outcome unknown.
    """
    if not 500 <= code <= 599:  # noqa: PLR2004
        return Retry(_why_not_now(stage, code))
    status = enhanced(text)
    if stage is Stage.LOGIN or code in _LOGIN_CODES:
        return Halt(Reason.CREDENTIALS)
    if (code == _TOO_MUCH and not status) or status in _TOO_LARGE:
        return Refused(Reason.TOO_LARGE)
    if stage not in (Stage.RCPT, Stage.DATA, Stage.BODY) or status.startswith("7.") or status in _BAD_SENDER:
        return Halt(Reason.POLICY)
    if status in _NO_SUCH_MAILBOX or code == _DOMAIN_TAKES_NO_MAIL:
        return Gone(Reason.UNSUBSCRIBED)
    return Refused(Reason.BAD_ADDRESS if status in _BAD_ADDRESS else Reason.BAD_REQUEST)


def _why_not_now(stage: Stage, code: int) -> Reason:
    """Of 4xx, and of answers that make no sense.

    Greylisting, a full mailbox: what is put off at RCPT is this recipient, not all mail to the relay.
    """
    temporary = 400 <= code <= 499  # noqa: PLR2004
    if stage is Stage.BODY and not temporary:
        return Reason.BROKEN
    return Reason.DEFERRED if stage is Stage.RCPT and temporary and code != CLOSING else Reason.UNAVAILABLE


def of_fault(stage: Stage, fault: Exception) -> Verdict:
    """The verdict where the dialogue broke off: connection lost, time over, or an answer that is no SMTP.

    Before BODY nothing can have been taken. A certificate that does not verify is not a matter of waiting: an
    operator must look, and nothing is said to a relay that is not proven.
    """
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(fault)):
        return Halt(Reason.CREDENTIALS)
    if stage is not Stage.BODY:
        return Retry(Reason.CONNECT)
    return Retry(Reason.TIMEOUT if isinstance(fault, TimeoutError) else Reason.BROKEN)


def _chain(fault: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while fault is not None and fault not in causes:
        causes.append(fault)
        fault = fault.__cause__
    return causes
