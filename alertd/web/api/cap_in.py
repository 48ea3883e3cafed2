"""A posted CAP document: bytes → the one message in them, or every reason why not, with its line."""

import asyncio
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from email.message import EmailMessage
from hashlib import sha256

from lxml import etree
from starlette.exceptions import HTTPException

from alertd.cap.check import checked
from alertd.cap.proving import read_proven
from alertd.cap.reader import Found, Reading
from alertd.cap.signature import Seal
from alertd.cap.trust import Trust
from alertd.core.overtaken import Message
from alertd.domain.alert import MsgType, Reference
from alertd.domain.problems import Invalid, Problem
from alertd.domain.signal import Violation
from alertd.ports.stores.intake import Origin

MAX_TOLD = 50
"""Violations that are kept and told; a broken generator breaks every line alike."""

_LONGEST_TYPE = 200
_CHARSET = re.compile(r"utf-?8|utf-?16(le|be)?|(us-)?ascii|iso-8859-\d{1,2}|latin-?1|(windows-|cp)125\d", re.IGNORECASE)
_DECLARATION = re.compile(r"\A\ufeff?<\?xml[^>]*\?>")
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
_WHOLE_OR_NOTHING = frozenset({MsgType.ALERT, MsgType.UPDATE})


async def message_of(raw: bytes, content_type: str, trust: Trust, at: datetime) -> Message:
    """In a thread, for a large document takes long to read, and a signature to verify. Raises Invalid, also where the
    signature is not what `trust` asks for, HTTPException 415."""
    charset = _charset_of(content_type)
    return await asyncio.to_thread(_message, raw, charset, trust, at)


def loc_of(violation: Violation) -> tuple[str, str]:
    """Where in the body, e.g. ("body", "line 12")."""
    return "body", violation.where


def _message(raw: bytes, charset: str | None, trust: Trust, at: datetime) -> Message:
    proven = read_proven(_decoded(raw, charset), trust, at)
    found = _only(proven.reading)
    if proven.doubt:
        raise Invalid(Problem(("body", "signature"), proven.doubt))
    violations = checked(found)
    fatal = [violation for violation in violations if violation.fatal]
    alert = found.alert
    if alert is None or (fatal and alert.msg_type in _WHOLE_OR_NOTHING):
        raise Invalid(*_problems(fatal))
    origin = Origin(
        name=Reference(alert.sender, alert.identifier, alert.sent),
        msg_type=alert.msg_type,
        fingerprint=_fingerprint(found.element),
        status=alert.status,
        document=raw,
        signed=proven.verified.seal is not Seal.NONE,
        signature=proven.verified.seal,
        signature_detail=proven.verified.reason,
        violations=_bounded(violations),
    )
    return Message(alert, origin, whole=not fatal)


def _only(reading: Reading) -> Found:
    """Raises Invalid unless there is exactly one."""
    if fatal := [violation for violation in reading.violations if violation.fatal]:
        raise Invalid(*_problems(fatal))
    if len(reading.found) != 1:
        several = f"this document holds {len(reading.found)} alerts: post exactly one at a time"
        raise Invalid(Problem(("body",), several))
    return reading.found[0]


def _problems(violations: Iterable[Violation]) -> list[Problem]:
    return [Problem(loc_of(violation), violation.message) for violation in violations]


def _bounded(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    if len(violations) <= MAX_TOLD:
        return tuple(violations)
    more = Violation("document", f"and {len(violations) - MAX_TOLD} more")
    return (*violations[:MAX_TOLD], more)


def _fingerprint(element: etree._Element) -> str:
    """Of the tree, blanks at the ends of texts aside: indentation, quotes, prefixes and encoding do not make another
    message of it. (Canonical XML would do; it takes three times as long.)"""
    digest = sha256()
    for node in element.iter():
        tail = "" if node is element else (node.tail or "").strip()
        said = (node.tag, sorted(node.attrib.items()), len(node), (node.text or "").strip(), tail)
        digest.update(repr(said).encode())
    return digest.hexdigest()


def _charset_of(content_type: str) -> str | None:
    if len(content_type) > _LONGEST_TYPE:  # the parser of mail headers is recursive, and slower than linear
        raise HTTPException(415, f"the Content-Type has more than {_LONGEST_TYPE} characters")
    header = EmailMessage()
    header["Content-Type"] = content_type
    charset: str | None = header["Content-Type"].params.get("charset")
    if charset is not None and not _CHARSET.fullmatch(charset):
        raise HTTPException(415, f"the charset {charset[:40]!r} is not read; send UTF-8", {"Accept-Charset": "utf-8"})
    return charset


def _decoded(raw: bytes, charset: str | None) -> bytes:
    """A byte order mark rules, then the charset of the header, then what the document declares (RFC 7303, 3)."""
    if charset is None or raw.startswith(_BOMS):
        return raw
    try:
        text = raw.decode(charset)
    except (UnicodeError, LookupError) as error:
        raise Invalid(Problem(("body",), f"this is not {charset}, as the Content-Type says: {error}"[:300])) from None
    return _DECLARATION.sub("", text, count=1).encode()
