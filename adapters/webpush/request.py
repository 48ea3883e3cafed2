"""The headers of a push message (RFC 8030, section 5)."""

from dataclasses import dataclass

from adapters.webpush.envelope import MAX_PLAINTEXT
from adapters.webpush.payload import payload_of
from alertd.domain.alert import Purpose
from alertd.ports.adapter import Message, Notice

MAX_TTL = 28 * 86_400
"""Seconds. The longest that the large services take."""

_URGENCY = {Purpose.EMERGENCY: b"high", Purpose.SERVICE: b"normal", Purpose.EVENT: b"low"}


Headers = tuple[tuple[bytes, bytes], ...]
"""Lower-case names, as HTTP/2 wants them."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all messages of a page share: the text to encrypt and the headers that do not differ."""

    plaintext: bytes
    headers: Headers

    def headers_for(self, *, authorization: str, ttl: int) -> Headers:
        """All headers of one message."""
        return (*self.headers, (b"authorization", authorization.encode()), (b"ttl", b"%d" % ttl))


def prepare(notice: Notice) -> Message:
    """Put a notice into a push message. `Topic` makes it replace an undelivered one of the same thread."""
    plaintext, title, body = payload_of(notice, MAX_PLAINTEXT)
    headers = (
        (b"user-agent", b"alertd"),
        (b"content-encoding", b"aes128gcm"),
        (b"content-type", b"application/octet-stream"),
        (b"urgency", _URGENCY[notice.alert.purpose]),
        (b"topic", notice.tag.encode()),
    )
    return Message(notice, preview=f"{title}\n{body}", payload=Prepared(plaintext, headers))


def time_to_live(remaining: float) -> int:
    """Whole seconds the service may keep trying, 0 (now or never) to four weeks."""
    return min(max(int(remaining), 0), MAX_TTL)
