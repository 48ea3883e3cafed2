"""Who sends: VAPID as a push service checks it (RFC 8292)."""

import base64
import binascii
import json
import re
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

MAX_AHEAD = 24 * 3600  # RFC 8292, section 2: exp at most 24 hours ahead
_CREDENTIALS = re.compile(r"vapid\s+(?P<params>.+)", re.IGNORECASE)
_CACHED = 1_000


class RejectedError(Exception):
    """`status` is 401 where credentials are missing, 403 where they are invalid (RFC 8292, section 4.2)."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class _Verified:
    expires: float
    key: str


class Vapid:
    """Checks Authorization headers for one origin; a token is verified once and known until it ends."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], _Verified] = {}

    def check(self, header: str | None, *, origin: str, now: float, key: str | None = None) -> str:
        """The sender's key (base64url). `key`: the only one these subscriptions allow. Raises RejectedError."""
        if not header:
            raise RejectedError(401, "no Authorization")
        known = self._known.get((header, origin))
        if known is None:
            known = _verify(header, origin)
            if len(self._known) < _CACHED:
                self._known[header, origin] = known
        if not now < known.expires <= now + MAX_AHEAD:
            raise RejectedError(403, "exp is past or more than 24 hours ahead")
        if key is not None and known.key != key.rstrip("="):
            raise RejectedError(403, "not the key this subscription was made for")
        return known.key


def _verify(header: str, origin: str) -> _Verified:
    token, key = _parameters(header)
    try:
        signed, _, signature = token.rpartition(".")
        head, claims = (json.loads(_b64(part)) for part in signed.split("."))
        raw = _b64(signature)
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _b64(key))
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        point.verify(der, signed.encode(), ec.ECDSA(SHA256()))
        expires = float(claims["exp"])
    except InvalidSignature:
        raise RejectedError(403, "the signature is not by k") from None
    except (ValueError, TypeError, KeyError) as error:
        raise RejectedError(403, f"malformed token: {error}") from None
    _check_claims(head, claims, origin)
    return _Verified(expires, key.rstrip("="))


def _check_claims(head: dict[str, object], claims: dict[str, object], origin: str) -> None:
    if head.get("alg") != "ES256":
        raise RejectedError(403, "alg is not ES256")
    if claims.get("aud") != origin:
        raise RejectedError(403, f"aud is not {origin}")
    if not str(claims.get("sub", "")).startswith(("mailto:", "https:")):
        raise RejectedError(403, "sub is not a mailto: or https: contact")


def _parameters(header: str) -> tuple[str, str]:
    found = _CREDENTIALS.fullmatch(header.strip())
    if found is None:
        raise RejectedError(401, "Authorization is not vapid")
    pairs = (part.strip().partition("=") for part in found["params"].split(","))
    params = {name: value.strip('"') for name, _, value in pairs}
    if not params.get("t") or not params.get("k"):
        raise RejectedError(403, "vapid without t or k")
    return params["t"], params["k"]


def _b64(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
