"""Who we are to a push service (RFC 8292): one P-256 key for the life of the channel, and signed tokens."""

import base64
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from py_vapid import jwt

FILE = "vapid.pem"
LIFETIME = timedelta(hours=12)
RENEWED_AFTER = timedelta(hours=6)
RENEWED_EARLY = timedelta(hours=5)
"""From then on whoever has time may renew, so that no signature is made while an alert goes out."""
MAX_AUDIENCES = 1_024


class KeyFault(ValueError):
    """The key cannot be read or made; the text is for the operator."""


def load_or_make(state: Path) -> ec.EllipticCurvePrivateKey:
    """The key in `state`, made at the first call. Safe against another process doing the same. Reads files.

    A file that is there but cannot be read is never replaced: with its key every subscription would be lost.
    """
    path = state / FILE
    try:
        if not path.exists():
            _make(path)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as fault:
        raise KeyFault(f"{path} cannot be read or made: {fault.strerror}") from fault
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise KeyFault(f"{path} is not an unencrypted private key in PEM") from fault
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise KeyFault(f"{path} is not a key on the curve P-256")
    return key


def public_key(key: ec.EllipticCurvePrivateKey) -> str:
    """What a browser calls `applicationServerKey`: the uncompressed point in base64url."""
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return base64.urlsafe_b64encode(point).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class _Token:
    made_at: datetime
    header: str

    def is_younger(self, age: timedelta, now: datetime) -> bool:
        """A clock set back must not leave a token that ends more than a day ahead, which services refuse."""
        return self.made_at <= now < self.made_at + age


class Tokens:
    """The `Authorization` header for each push service, signed anew well before the old one ends."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, contact: str) -> None:
        self._key = key
        self._public = public_key(key)
        self._contact = contact
        self._kept: dict[str, _Token] = {}

    def header(self, audience: str, now: datetime) -> str:
        """For scheme://host[:port] of the endpoint (RFC 8292, section 2)."""
        token = self._kept.get(audience)
        if token is None or not token.is_younger(RENEWED_AFTER, now):
            token = self._keep(audience, _Token(now, self._sign(audience, now)))
        return token.header

    def renew(self, audience: str, now: datetime) -> bool:
        """Sign ahead of time what `header` would soon sign; whether that was needed. To be called while idle."""
        token = self._kept.get(audience)
        if token is not None and token.is_younger(RENEWED_EARLY, now):
            return False
        self._keep(audience, _Token(now, self._sign(audience, now)))
        return True

    def prove(self, now: datetime) -> None:
        """Sign and verify. KeyFault where that does not work."""
        token = self._sign("https://localhost", now).removeprefix("vapid t=").partition(",")[0]
        try:
            jwt.decode(token, self._public)
        except InvalidSignature as fault:
            raise KeyFault("the key's own signature does not verify") from fault

    def _sign(self, audience: str, now: datetime) -> str:
        claims: dict[str, str | int] = {"aud": audience, "exp": int((now + LIFETIME).timestamp())}
        if self._contact:
            claims["sub"] = self._contact
        return f"vapid t={jwt.sign(claims, self._key)}, k={self._public}"

    def _keep(self, audience: str, token: _Token) -> _Token:
        # Subscriptions choose the audience (any host under an allowed suffix): what is kept must have an end.
        if len(self._kept) >= MAX_AUDIENCES:
            del self._kept[next(iter(self._kept))]
        self._kept.pop(audience, None)
        self._kept[audience] = token
        return token


def _make(path: Path) -> None:
    """Write a new key beside `path` and link it there, which fails where another process was faster."""
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        _link(draft, path)
    finally:
        draft.unlink()


def _link(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
