"""An address as a key: short, and of one length however long the address is."""

import base64
import hashlib
from typing import Final

_BYTES: Final = 18


def address_key(address: str) -> str:
    """The first 144 bits of the SHA-256 of the address, in base64url (24 characters)."""
    return base64.urlsafe_b64encode(hashlib.sha256(address.encode()).digest()[:_BYTES]).decode()
