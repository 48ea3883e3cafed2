"""A Notice as the bytes that every recipient of a page shares. Pure; about 3 ms, once a page.

Multipart/alternative in seven-bit form (quoted-printable or base64, chosen once), CRLF line ends: what is left per
recipient is putting a few header lines in front (see envelope.py).
"""

import hashlib
import html
import re
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from adapters.email.identity import Identity
from alertd.domain.alert import Purpose
from alertd.ports.adapter import Notice

MAX_SUBJECT: Final = 250

_POLICY: Final = SMTP.clone(cte_type="7bit")
_LEADING_DOT: Final = re.compile(rb"(?m)^\.")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Letter:
    """`plain` is header lines, an empty line and the body, as BDAT carries them; `shared` the same for DATA, its dots
    doubled (RFC 5321 section 4.5.2) and the closing dot included.
    """

    plain: bytes
    shared: bytes
    identifier: str
    root: str


def compose(notice: Notice, identity: Identity) -> Letter:
    message = EmailMessage(policy=_POLICY)
    message["From"] = identity.author
    message["Subject"] = subject(notice)
    message["List-Id"] = f"<{identity.list_id}>"
    message["Auto-Submitted"] = "auto-generated"
    if notice.alert.purpose is Purpose.EMERGENCY:
        message["X-Priority"] = "1"
        message["Importance"] = "high"
    text, page = plain(notice), _html(notice)
    message.set_content(text)
    message.add_alternative(page, subtype="html")
    message["Content-Language"] = _one_line(
        notice.language
    )  # last: what makes it multipart moves Content-* into the parts
    message.set_boundary(f"=_{hashlib.sha256((text + page).encode()).hexdigest()[:32]}")
    whole = message.as_bytes()
    return Letter(
        plain=whole,
        shared=_LEADING_DOT.sub(b"..", whole) + b".\r\n",
        identifier=notice.alert.identifier,
        root=notice.root,
    )


def subject(notice: Notice) -> str:
    """The title on one line, shortened where it is longer than any reader shows."""
    title = _one_line(notice.title)
    return title if len(title) <= MAX_SUBJECT else title[: MAX_SUBJECT - 1].rstrip() + "…"


def plain(notice: Notice) -> str:
    """What a reader without HTML sees: title, text, and the link where the text has none."""
    text = _clean(notice.text).strip()
    parts = [_one_line(notice.title), text, "" if notice.url in text else _one_line(notice.url)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(notice: Notice) -> str:
    fragment = _clean(notice.html).strip()
    title, url = html.escape(_one_line(notice.title)), html.escape(_one_line(notice.url))
    link = "" if not url or url in fragment else f'\n<p><a href="{url}">{url}</a></p>'
    return (
        f'<!DOCTYPE html>\n<html lang="{html.escape(_one_line(notice.language))}">\n<head>\n'
        f'<meta charset="utf-8">\n<title>{title}</title>\n</head>\n<body>\n'
        f"<h1>{title}</h1>\n{fragment}{link}\n</body>\n</html>\n"
    )


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    """Without what no mail may carry: control characters and halves of surrogate pairs; lines end with LF."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
