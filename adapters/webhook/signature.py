"""Signing as Standard Webhooks 1.0 says: HMAC-SHA256 over id, time and body."""

import base64
from datetime import datetime
from hashlib import sha256

from pydantic import SecretStr

_PREFIX = "whsec_"
_BLOCK = 64  # bytes SHA-256 works on
_INNER, _OUTER = bytes(n ^ 0x36 for n in range(256)), bytes(n ^ 0x5C for n in range(256))


def secret_bytes(secret: SecretStr) -> bytes:
    """The key. ValueError where it is empty or, after `whsec_`, not base64; the text does not repeat it."""
    text = secret.get_secret_value().strip()  # a file ends in a newline
    if not text.startswith(_PREFIX):
        key = text.encode()
    else:
        try:
            key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
        except ValueError:
            raise ValueError("what follows whsec_ must be base64") from None
    if not key:
        raise ValueError("must not be empty")
    return key


class Signer:
    """HMAC-SHA256 (RFC 2104) with the key's two blocks hashed once: OpenSSL's own call looks its digest up anew for
    every message, which takes longer than to hash a body."""

    def __init__(self, key: bytes) -> None:
        padded = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        self._inner = sha256(padded.translate(_INNER))
        self._outer = sha256(padded.translate(_OUTER))

    def sign(self, *parts: bytes) -> str:
        """The signature of these parts in a row, in base64."""
        inner, outer = self._inner.copy(), self._outer.copy()
        for part in parts:
            inner.update(part)
        outer.update(inner.digest())
        return base64.b64encode(outer.digest()).decode()


def signed_headers(signer: Signer, *, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The three headers. `message_id` is the same for every attempt; the time is that of the attempt."""
    timestamp = str(int(now.timestamp()))
    signature = signer.sign(f"{message_id}.{timestamp}.".encode(), body)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
