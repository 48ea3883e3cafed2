"""A body ready to be sent, plain and compressed, with its validators; and what a conditional request gets of it."""

import gzip
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final, Self

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

LEVEL: Final = 6
_ONE_SECOND: Final = timedelta(seconds=1)
_LONGEST: Final = 4_000
PIECE: Final = 256 << 10
"""Octets handed to the connection at a time: a slow reader of a large feed makes nobody keep a copy of it for him."""
_CODINGS: Final = frozenset({"gzip", "x-gzip"})  # RFC 9110, section 8.4.1.3


@dataclass(frozen=True, slots=True)
class Representation:
    """`digest` is of the plain body; each coding has a strong validator of its own (RFC 9110, section 8.8.3.3).

    `modified` is when these bytes came to be, or None.
    """

    media_type: str
    body: bytes
    gzipped: bytes
    digest: str
    modified: datetime | None = None

    @classmethod
    def of(cls, body: bytes, media_type: str, modified: datetime | None = None) -> Self:
        return cls(media_type, body, gzip.compress(body, LEVEL, mtime=0), digest_of(body), modified)


class Pieces(Response):
    """A body sent piece by piece, each when the connection has room for it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for start in range(0, len(self.body), PIECE):
            piece = self.body[start : start + PIECE]
            await send({"type": "http.response.body", "body": bytes(piece), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def digest_of(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:32]


def respond(request: Request, shown: Representation, *, cache_control: str, now: datetime) -> Response:
    """200 with the body in the coding the reader takes, or 304 where he has exactly that already.

    If-None-Match comes before If-Modified-Since (RFC 9110, section 13.2.2), which must name the very second: an
    older copy may be dated later where a clock was set back.
    """
    compressed = takes_gzip(request.headers.get("accept-encoding", ""))
    etag = f'"{shown.digest}-gzip"' if compressed else f'"{shown.digest}"'
    headers = {"ETag": etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    modified = _last_modified(shown, now)
    if modified:
        headers["Last-Modified"] = modified
    if _has_it(request, etag, modified):
        return Response(status_code=304, headers=headers)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    body = shown.gzipped if compressed else shown.body
    kind = Pieces if len(body) > PIECE else Response
    return kind(body, media_type=shown.media_type, headers=headers)


def takes_gzip(header: str) -> bool:
    """Whether Accept-Encoding (RFC 9110, section 12.5.3) allows gzip; who says nothing gets plain."""
    allowed: dict[str, bool] = {}
    for part in header[:_LONGEST].lower().split(","):
        coding, _, parameter = part.partition(";")
        allowed[coding.strip()] = _weight(parameter) > 0
    named = [allowed[coding] for coding in _CODINGS & allowed.keys()]
    return any(named) if named else allowed.get("*", False)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0


def _last_modified(shown: Representation, now: datetime) -> str | None:
    """Not while the second lasts in which it was made: another one could still be made in it (8.8.2.2)."""
    if shown.modified is None or now - shown.modified.replace(microsecond=0) < _ONE_SECOND:
        return None
    return format_datetime(shown.modified.astimezone(UTC), usegmt=True)


def _has_it(request: Request, etag: str, modified: str | None) -> bool:
    known = request.headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or etag in [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return modified is not None and request.headers.get("if-modified-since") == modified
