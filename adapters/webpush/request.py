"""The headers of a push message (RFC 8030, section 5)."""

from dataclasses import dataclass
from datetime import datetime

from adapters.webpush.encryption import MAX_PLAINTEXT
from adapters.webpush.payload import payload_of
from alertd.domain.alert import Purpose
from alertd.ports.adapter import Message, Notice

MAX_TTL = 28 * 86_400
"""Seconds. The longest that the large services take."""

_URGENCY = {Purpose.EMERGENCY: "high", Purpose.SERVICE: "normal", Purpose.EVENT: "low"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What all messages of a page share: the text to encrypt and the headers that do not differ."""

    plaintext: bytes
    headers: dict[str, str]

    def headers_for(self, *, authorization: str, ttl: int) -> dict[str, str]:
        """All headers of one message; a new dictionary each time."""
        return {**self.headers, "TTL": str(ttl), "Authorization": authorization}


def prepare(notice: Notice) -> Message:
    """Put a notice into a push message. `Topic` makes it replace an undelivered one of the same thread."""
    plaintext, title, body = payload_of(notice, MAX_PLAINTEXT)
    headers = {
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
        "Urgency": _URGENCY[notice.alert.purpose],
        "Topic": notice.tag,
    }
    return Message(notice, preview=f"{title}\n{body}", payload=Prepared(plaintext, headers))


def time_to_live(deadline: datetime, now: datetime) -> int:
    """Whole seconds the service may keep trying, 0 (now or never) to four weeks."""
    return min(max(int((deadline - now).total_seconds()), 0), MAX_TTL)
