"""DKIM signatures (RFC 6376; Ed25519 by RFC 8463), relaxed/relaxed.

The body is hashed once a page. The headers are signed for each recipient, for RFC 8058 wants List-Unsubscribe covered:
0.7 ms with a 2048-bit RSA key and 0.05 ms with Ed25519, so it is done in threads (signing releases the GIL).
"""

import base64
import hashlib
import re
from typing import Final

from adapters.email.compose import Letter
from adapters.email.dkim_key import SigningKey
from adapters.email.envelope import Envelope

_SIGNED: Final = (
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "auto-submitted",
    "content-language",
    "mime-version",
    "content-type",
)
"""Each named whether it is there or not, so that none can be added; then From once more, against a second one
(RFC 6376 section 8.15)."""
_NAMES: Final = (*_SIGNED, "from", "to", "subject", "date", "message-id")
_FOLD: Final = re.compile(rb"\r\n(?=[ \t])")
_BLANKS: Final = re.compile(rb"[ \t]+")
_LAST_BLANKS: Final = re.compile(rb"[ \t]+(?=\r\n)")
_LINE: Final = 72


class Signer:
    """Signs the envelopes of one page. Safe to use from several threads."""

    def __init__(self, key: SigningKey, *, domain: str, selector: str, letter: Letter) -> None:
        head, _, body = letter.plain.partition(b"\r\n\r\n")
        body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
        self._key = key
        self._shared = relaxed_headers(head + b"\r\n")
        self._before = f"DKIM-Signature: v=1; a={key.algorithm}; c=relaxed/relaxed; d={domain};\r\n s={selector}; t="
        names = ":\r\n ".join(":".join(_NAMES[i : i + 5]) for i in range(0, len(_NAMES), 5))
        self._after = f";\r\n h={names};\r\n bh={body_hash};\r\n b="

    def sign(self, envelope: Envelope, at: int) -> Envelope:
        """The envelope with the signature above its headers. `at`: seconds since 1970."""
        unsigned = f"{self._before}{at}{self._after}".encode("ascii")
        headers = self._shared | relaxed_headers(envelope.head)
        own = relaxed_headers(unsigned + b"\r\n")[b"dkim-signature"]
        said = b"".join(headers.get(name.encode(), b"") for name in _SIGNED) + own.removesuffix(b"\r\n")
        signature = base64.b64encode(self._key.sign(said)).decode()
        folded = "\r\n ".join(signature[i : i + _LINE] for i in range(0, len(signature), _LINE))
        return envelope._replace(head=unsigned + folded.encode("ascii") + b"\r\n" + envelope.head)


def relaxed_headers(lines: bytes) -> dict[bytes, bytes]:
    """Name → canonical line with its CRLF (RFC 6376 section 3.4.2), of headers of which there is one each."""
    found: dict[bytes, bytes] = {}
    for line in _FOLD.sub(b"", lines).split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            name = name.rstrip().lower()
            found[name] = name + b":" + _BLANKS.sub(b" ", value).strip() + b"\r\n"
    return found


def relaxed_body(body: bytes) -> bytes:
    """RFC 6376 section 3.4.4."""
    text = _BLANKS.sub(b" ", _LAST_BLANKS.sub(b"", body)).rstrip(b"\r\n")
    return text + b"\r\n" if text else b""
