"""The keys of DKIM: RSA (RFC 6376) and Ed25519 (RFC 8463)."""

import hashlib
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

MIN_RSA_BITS: Final = 1024
"""Verifiers need not accept less (RFC 8301 section 3.2)."""


class SigningKey(Protocol):
    """`algorithm` is the `a` tag. `sign` takes the canonical headers."""

    @property
    def algorithm(self) -> str: ...

    def sign(self, headers: bytes) -> bytes: ...


class Rsa:
    algorithm: Final = "rsa-sha256"

    def __init__(self, key: RSAPrivateKey) -> None:
        self._key = key

    def sign(self, headers: bytes) -> bytes:
        return self._key.sign(headers, PKCS1v15(), SHA256())


class Ed25519:
    """Signs the hash, not the headers (RFC 8463 section 3)."""

    algorithm: Final = "ed25519-sha256"

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    def sign(self, headers: bytes) -> bytes:
        return self._key.sign(hashlib.sha256(headers).digest())


def read_key(pem: str) -> SigningKey:
    """ValueError says what is wrong, and nothing of the key."""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ValueError("is not a private key in PEM form, without a passphrase") from error
    if isinstance(key, Ed25519PrivateKey):
        return Ed25519(key)
    if isinstance(key, RSAPrivateKey) and key.key_size >= MIN_RSA_BITS:
        return Rsa(key)
    raise ValueError(f"must be an Ed25519 key, or an RSA key of {MIN_RSA_BITS} bits, better 2048")
