"""Our own signature around what is published (CAP 1.2, 3.3.4.1; XML Signature 1.1, enveloped).

Published documents are made anew whenever they are asked for, so the same document must get the same signature, octet
for octet: RSA with PKCS #1 v1.5 and SHA-256, or ECDSA by RFC 6979 and never with a random number.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lxml import etree

from alertd.cap.document import Limits, Refused, parse
from alertd.cap.signature import MISSING
from alertd.cap.trust import Certificate

SigningKey = RSAPrivateKey | ec.EllipticCurvePrivateKey

_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})
_LEAST_RSA: Final = 2048
_OURS: Final = Limits(octets=64 << 20, marks=4_000_000)
"""What we wrote ourselves is bounded already."""


@dataclass(frozen=True)
class Signer:
    """A key and its certificate, which may be followed by its authorities'. Made once, used for every document."""

    key: SigningKey = field(repr=False)
    chain: tuple[Certificate, ...]

    @classmethod
    def of(cls, key: SigningKey, chain: tuple[Certificate, ...]) -> Self:
        """Raises ValueError where signxml is missing, or this machine cannot sign twice alike."""
        signer = cls(key, chain)
        try:
            alike = signer.sign(b"<alert/>") == signer.sign(b"<alert/>")
        except UnsupportedAlgorithm:
            alike = False
        if not alike:
            raise ValueError("this OpenSSL cannot sign repeatably with an elliptic curve (RFC 6979); use an RSA key")
        return signer

    @cached_property
    def mark(self) -> str:
        """The same as long as documents get the same signature."""
        return sha256(b"".join(one.fingerprint(hashes.SHA256()) for one in self.chain)).hexdigest()

    @property
    def not_after(self) -> datetime:
        """When the first of the certificates ends."""
        return min(certificate.not_valid_after_utc for certificate in self.chain)

    def sign(self, document: bytes) -> bytes:
        """`document` (of `writer.write`) with the signature as its last element, where the schema has its place.

        Raises ValueError where it is no XML.
        """
        try:
            from signxml.algorithms import CanonicalizationMethod
            from signxml.signer import XMLSigner
        except ImportError:
            raise ValueError(MISSING) from None
        elliptic = isinstance(self.key, ec.EllipticCurvePrivateKey)
        key: Any = _Repeatable(self.key) if isinstance(self.key, ec.EllipticCurvePrivateKey) else self.key
        signer = XMLSigner(
            signature_algorithm="ecdsa-sha256" if elliptic else "rsa-sha256",
            c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )
        try:
            root = parse(document, _OURS)
        except Refused as error:
            raise ValueError(f"the document cannot be signed: {error}") from None
        signed = signer.sign(root, key=key, cert=list(self.chain))
        return bytes(etree.tostring(signed, encoding="UTF-8", xml_declaration=True))


class _Repeatable:
    """An elliptic-curve key as signxml uses one, which asks for a random number: here none is taken."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self.key_size = key.key_size

    def sign(self, data: bytes, signature_algorithm: ec.ECDSA) -> bytes:
        return self._key.sign(data, ec.ECDSA(signature_algorithm.algorithm, deterministic_signing=True))


def load_key(pem: bytes) -> SigningKey:
    """Raises ValueError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"is not an unencrypted private key in PEM: {str(error)[:200]}") from None
    if isinstance(key, RSAPrivateKey):
        if key.key_size < _LEAST_RSA:
            raise ValueError(f"is an RSA key of {key.key_size} bits, which nobody verifies; {_LEAST_RSA} are the least")
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey):
        if key.curve.name in _CURVES:
            return key
        raise ValueError(f"is on the curve {key.curve.name}, which others do not verify; use P-256, P-384 or P-521")
    raise ValueError("is neither an RSA key nor one on an elliptic curve")


def load_own(pem: bytes, key: SigningKey, at: datetime) -> tuple[Certificate, ...]:
    """Ours first, then its authorities'. Raises ValueError where it is not the key's, or does not hold now."""
    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError(f"holds no certificate in PEM: {str(error)[:200]}") from None
    if chain[0].public_key() != key.public_key():
        raise ValueError("the first certificate is not that of the key")
    if not _may_sign(chain[0]):
        raise ValueError("the certificate is not for signing (its key usage lacks digitalSignature)")
    for one in chain:
        name = one.subject.rfc4514_string()[:120]
        if at < one.not_valid_before_utc:
            raise ValueError(f"the certificate of {name} holds only from {one.not_valid_before_utc:%Y-%m-%d %H:%M} UTC")
        if at > one.not_valid_after_utc:
            raise ValueError(f"the certificate of {name} expired on {one.not_valid_after_utc:%Y-%m-%d %H:%M} UTC")
    return tuple(chain)


def _may_sign(certificate: Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return True
    return usage.digital_signature
