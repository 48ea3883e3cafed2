"""Single-use envelopes: all of a Web Push encryption (RFC 8291) that does not depend on the message.

Two messages under one envelope would give both away and let anyone forge a third (GCM with a repeated nonce), so
whoever keeps envelopes destroys each before its ciphertext leaves.
"""

import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ENVELOPE: Final = 109
"""Bytes: salt 16, server public point 65, content key 16, nonce 12."""
MAX_PLAINTEXT: Final = 3_993
"""Bytes. A push service need not take a body over 4096 (RFC 8030, section 7.2), of which 103 are not text."""

_SALT: Final = 16
_KEY: Final = 81
_NONCE: Final = 97
_RECORD: Final = b"\x00\x00\x10\x00\x41"  # rs 4096 and idlen 65 (RFC 8188, section 2.1)
_DELIMITER: Final = b"\x02"  # of the last record (RFC 8188, section 2)
_CURVE: Final = ec.SECP256R1()
_ECDH: Final = ec.ECDH()


@dataclass(frozen=True, slots=True)
class Keys:
    """The browser's P-256 public key, an uncompressed point of 65 bytes, and its secret of 16 (RFC 8291)."""

    point: bytes
    auth: bytes


class BadKeys(ValueError):
    """The subscription's keys are no keys."""


def derive(keys: Keys) -> bytes:
    """A new envelope under a fresh key pair and salt. BadKeys."""
    return _derive(keys, ec.generate_private_key(_CURVE), os.urandom(_SALT))


def derive_each(keys: Sequence[Keys]) -> list[bytes | BadKeys]:
    """An envelope, or what is wrong, for each of the keys, in their order."""
    results: list[bytes | BadKeys] = []
    for one in keys:
        try:
            results.append(derive(one))
        except BadKeys as fault:
            results.append(fault)
    return results


def seal(envelope: bytes, plaintext: bytes) -> bytes:
    """One aes128gcm body (RFC 8188): its header and a single record. ValueError above MAX_PLAINTEXT."""
    if len(plaintext) > MAX_PLAINTEXT:
        raise ValueError("too long for one push message")
    record = AESGCM(envelope[_KEY:_NONCE]).encrypt(envelope[_NONCE:], plaintext + _DELIMITER, None)
    return envelope[:_SALT] + _RECORD + envelope[_SALT:_KEY] + record


def _derive(keys: Keys, private: ec.EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """RFC 8291, section 3.4. Each HKDF-Expand is one HMAC, its output being at most 32 octets."""
    try:
        shared = private.exchange(_ECDH, ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, keys.point))
    except ValueError as fault:
        raise BadKeys("the point is not on the curve") from fault
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    prk = hmac.digest(keys.auth, shared, "sha256")
    material = hmac.digest(prk, b"WebPush: info\0" + keys.point + point + b"\x01", "sha256")
    prk = hmac.digest(salt, material, "sha256")
    key = hmac.digest(prk, b"Content-Encoding: aes128gcm\0\x01", "sha256")[:16]
    nonce = hmac.digest(prk, b"Content-Encoding: nonce\0\x01", "sha256")[:12]
    return salt + point + key + nonce
