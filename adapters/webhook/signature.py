"""Signing as Standard Webhooks 1.0 says: HMAC-SHA256 over id, time and body."""

import base64
import hmac
from datetime import datetime

from pydantic import SecretStr

_PREFIX = "whsec_"


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


def signed_headers(key: bytes, *, message_id: str, now: datetime, body: bytes) -> dict[str, str]:
    """The three headers. `message_id` is the same for every attempt; the time is that of the attempt."""
    timestamp = str(int(now.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }
