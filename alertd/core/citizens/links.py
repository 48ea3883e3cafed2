"""Links in citizens' hands: purpose-bound tokens that need no login, no session and no row in the store.

A token is base64url (RFC 4648 section 5, no padding) and good for one purpose only: its key is derived from
the house's key and the purpose. An unsubscribe link says, signed (HMAC-SHA-256), which endpoint to forget; it
never ends, since mails are kept for years. A confirm link carries, encrypted and signed (AES-256-GCM,
RFC 5116), all that its owner is asked to confirm: an address nobody proved is therefore never stored at all,
and no preference of a known address changes before its owner says so. It ends after 48 hours.
"""

import base64
import binascii
import hashlib
import hmac
import json
import os
from dataclasses import astuple, dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alertd.ports.clock import Clock

CONFIRM_SECONDS: Final = 48 * 3600
KEY_BYTES: Final = 32
_MAC_BYTES = 16
_NONCE_BYTES = 12
_LONGEST = 8_192
_IPAD: Final = bytes(octet ^ 0x36 for octet in range(256))
_OPAD: Final = bytes(octet ^ 0x5C for octet in range(256))
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asked for on the public page, in the words of the form; checked again when confirmed."""

    channel: str
    address: str
    language: str
    zones: tuple[str, ...]
    purposes: tuple[str, ...]
    min_severity: str


class Links:
    """`key`: 32 random bytes kept in the state folder; `public_url` has no trailing slash, may be empty."""

    def __init__(self, key: bytes, public_url: str, clock: Clock) -> None:
        if len(key) < KEY_BYTES:
            raise ValueError(f"the links' key has {len(key)} bytes: {KEY_BYTES} are needed")
        self._public_url = public_url
        self._clock = clock
        self._inner, self._outer = _halves(hmac.digest(key, b"alertd unsubscribe 1", hashlib.sha256))
        self._box = AESGCM(hmac.digest(key, b"alertd confirm 1", hashlib.sha256))

    def unsubscribe_url(self, endpoint_id: int) -> str:
        """The endpoint's own link; empty without a public URL, and for 0, which is no stored endpoint."""
        if not self._public_url or not endpoint_id:
            return ""
        return f"{self._public_url}/unsubscribe/{self.unsubscribe_token(endpoint_id)}"

    def unsubscribe_token(self, endpoint_id: int) -> str:
        body = endpoint_id.to_bytes((endpoint_id.bit_length() + 7) // 8 or 1, "big")
        return _encode(self._mac(body) + body)

    def unsubscribed(self, token: str) -> int | None:
        """The endpoint an unsubscribe token names, or None for a token that is not ours."""
        raw = _decode(token)
        if raw is None or len(raw) <= _MAC_BYTES:
            return None
        body = raw[_MAC_BYTES:]
        if not hmac.compare_digest(raw[:_MAC_BYTES], self._mac(body)):
            return None
        return int.from_bytes(body, "big")

    def confirm_url(self, wish: Wish) -> str:
        """The link that proves an address, good for 48 hours; empty without a public URL."""
        return f"{self._public_url}/confirm/{self.confirm_token(wish)}" if self._public_url else ""

    def confirm_token(self, wish: Wish) -> str:
        ends = int(self._clock.now().timestamp()) + CONFIRM_SECONDS
        asked = json.dumps([ends, *astuple(wish)], separators=(",", ":"))
        nonce = os.urandom(_NONCE_BYTES)
        return _encode(nonce + self._box.encrypt(nonce, asked.encode(), None))

    def confirmed(self, token: str) -> Wish | None:
        """What a confirm token asks for; None where it is not ours or its 48 hours are over."""
        raw = _decode(token)
        if raw is None or len(raw) <= _NONCE_BYTES:
            return None
        try:
            plain = self._box.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None)
        except InvalidTag:
            return None
        ends, channel, address, language, zones, purposes, min_severity = json.loads(plain)
        if self._clock.now().timestamp() >= ends:
            return None
        return Wish(channel, address, language, tuple(zones), tuple(purposes), min_severity)

    def _mac(self, body: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(body)
        outer.update(inner.digest())
        return outer.digest()[:_MAC_BYTES]


def _halves(key: bytes) -> tuple["hashlib._Hash", "hashlib._Hash"]:
    """The inner and outer hash of HMAC-SHA-256 (RFC 2104), each having heard the key: every letter carries a link,
    and to begin from here takes a quarter of the time of `hmac.digest`.
    """
    padded = key.ljust(hashlib.sha256().block_size, b"\0")
    return hashlib.sha256(padded.translate(_IPAD)), hashlib.sha256(padded.translate(_OPAD))


def _encode(raw: bytes) -> str:
    return binascii.b2a_base64(raw, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


def _decode(token: str) -> bytes | None:
    """The bytes of a token written exactly as we write it; one token, one spelling."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return raw if _encode(raw) == token else None
