"""The browser's side of RFC 8291: opening a sealed push message. Raises UnreadableError with what is wrong."""

import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from alertd.sandbox.keyring import Keys

MAX_BODY = 4096  # RFC 8030, section 7.2: what a push service must take
_HEAD = struct.Struct(">16sIB")
_POINT = 65
_TAG = 16
_LAST_RECORD = 2
_CURVE = ec.SECP256R1()


class UnreadableError(ValueError):
    """The browser would drop it."""


def unseal(keys: Keys, body: bytes) -> bytes:
    """The plaintext of one aes128gcm message (RFC 8188, section 2) under RFC 8291's keys."""
    if len(body) < _HEAD.size + _POINT + _TAG + 1:
        raise UnreadableError("shorter than an aes128gcm header with its key and one octet")
    salt, record_size, key_length = _HEAD.unpack_from(body)
    if key_length != _POINT:
        raise UnreadableError("keyid is not an uncompressed P-256 point (RFC 8291, section 4)")
    sender = body[_HEAD.size : _HEAD.size + _POINT]
    record = body[_HEAD.size + _POINT :]
    if len(record) > record_size:
        raise UnreadableError("more than one record, or a record size too small (RFC 8291, section 4)")
    key, nonce = _derive(keys, sender, salt)
    try:
        padded = AESGCM(key).decrypt(nonce, record, None)
    except InvalidTag:
        raise UnreadableError("it does not decrypt") from None
    text, delimiter = _unpad(padded)
    if delimiter != _LAST_RECORD:
        raise UnreadableError("the only record must end with the delimiter 2 (RFC 8188, section 2)")
    return text


def _derive(keys: Keys, sender: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Content key and nonce (RFC 8291, section 3.4; each output is one HMAC, being at most 32 octets)."""
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender)
    except ValueError:
        raise UnreadableError("keyid is not a point of P-256") from None
    shared = keys.private.exchange(ec.ECDH(), point)
    prk = hmac.digest(keys.auth, shared, "sha256")
    ikm = hmac.digest(prk, b"WebPush: info\0" + keys.public + sender + b"\x01", "sha256")
    prk = hmac.digest(salt, ikm, "sha256")
    key = hmac.digest(prk, b"Content-Encoding: aes128gcm\0\x01", "sha256")[:16]
    return key, hmac.digest(prk, b"Content-Encoding: nonce\0\x01", "sha256")[:12]


def _unpad(padded: bytes) -> tuple[bytes, int]:
    text = padded.rstrip(b"\0")
    return (text[:-1], text[-1]) if text else (b"", 0)
