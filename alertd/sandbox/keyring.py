"""The browsers' side of Web Push: key pairs and auth secrets by the hundred thousand.

The private key of subscription i is k + i, with k from the seed, so the public keys are neighbours on the
curve and one shared inversion makes 256 of them at a time: microseconds each, where a multiplication by itself
costs tens. Real keys in all that a push service can see; fit for a sandbox and nothing else.
"""

import base64
import hmac
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

_CURVE = ec.SECP256R1()
_P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF  # FIPS 186-5 / SP 800-186, P-256
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_STRIDE = 256
_CACHED = 10_000

_Point = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Keys:
    """What a browser keeps of one subscription (RFC 8291, section 2): `public` is the uncompressed point."""

    private: ec.EllipticCurvePrivateKey
    public: bytes
    auth: bytes


class Keyring:
    """The same seed gives the same keys, in this process or the next."""

    def __init__(self, seed: bytes) -> None:
        self._seed = seed
        self._first = int.from_bytes(hmac.digest(seed, b"p256dh", "sha256")) % (_N // 2) + 1
        self._steps = [_public(j) for j in range(1, _STRIDE)]
        self._cache: dict[int, Keys] = {}

    def keys(self, index: int) -> Keys:
        """The private side of subscription `index`."""
        found = self._cache.get(index)
        if found is None:
            private = ec.derive_private_key(self._first + index, _CURVE)
            numbers = private.public_key().public_numbers()
            found = Keys(private, _encode((numbers.x, numbers.y)), self._auth(index))
            if len(self._cache) < _CACHED:
                self._cache[index] = found
        return found

    def public_sides(self, start: int, count: int) -> Iterator[tuple[str, str]]:
        """`p256dh` and `auth` in base64url, as a browser gives them, of `count` subscriptions from `start`."""
        for index, point in enumerate(self._points(start, count), start):
            yield _b64(_encode(point)), _b64(self._auth(index))

    def _auth(self, index: int) -> bytes:
        return hmac.digest(self._seed, b"auth %d" % index, "sha256")[:16]

    def _points(self, start: int, count: int) -> Iterator[_Point]:
        for first in range(start, start + count, _STRIDE):
            base = _public(self._first + first)
            yield base
            yield from _add_to_all(base, self._steps[: min(_STRIDE, start + count - first) - 1])


def _add_to_all(base: _Point, others: list[_Point]) -> Iterator[_Point]:
    """base + each, by the affine formula, with one modular inversion for all (Montgomery's trick)."""
    bx, by = base
    running, products = 1, []
    for x, _ in others:
        products.append(running)
        running = running * (x - bx) % _P
    inverse = pow(running, -1, _P)
    slopes = [0] * len(others)
    for i in range(len(others) - 1, -1, -1):
        x, y = others[i]
        slopes[i] = (y - by) * (inverse * products[i] % _P) % _P
        inverse = inverse * (x - bx) % _P
    for slope, (x, _) in zip(slopes, others, strict=True):
        x3 = (slope * slope - bx - x) % _P
        yield x3, (slope * (bx - x3) - by) % _P


def _public(scalar: int) -> _Point:
    numbers = ec.derive_private_key(scalar, _CURVE).public_key().public_numbers()
    return numbers.x, numbers.y


def _encode(point: _Point) -> bytes:
    return b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
