"""Keys and certificates for signatures: whose they are, and whether somebody who is trusted vouches for them."""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from lxml import etree

Certificate = x509.Certificate
SigningKey = RSAPrivateKey | EllipticCurvePrivateKey


def certificates_of(elements: Sequence[etree._Element]) -> list[Certificate]:
    """Of X509Certificate elements; what cannot be read is left out."""
    found = []
    for element in elements:
        try:
            found.append(x509.load_der_x509_certificate(b64decode("".join((element.text or "").split()))))
        except (ValueError, binascii.Error, UnsupportedAlgorithm):
            continue
    return found


def vouched(found: Sequence[Certificate], trusted: bytes, at: datetime) -> Certificate | None:
    """The first of them that is trusted itself or descends from one that is.

    Raises ValueError if `trusted` is no PEM.
    """
    if not trusted.strip():
        return None
    anchors = x509.load_pem_x509_certificates(trusted)
    for certificate in found:
        if certificate in anchors or _descends(certificate, found, anchors, at):
            return certificate
    return None


def _descends(leaf: Certificate, others: Sequence[Certificate], anchors: list[Certificate], at: datetime) -> bool:
    signs = ExtensionPolicy.permit_all().may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
    policy = PolicyBuilder().store(Store(anchors)).time(at)
    policy = policy.extension_policies(ee_policy=signs, ca_policy=ExtensionPolicy.webpki_defaults_ca())
    try:
        policy.build_client_verifier().verify(leaf, [one for one in others if one != leaf])
    except VerificationError:
        return False
    return True


def _may_sign(_policy: object, _certificate: Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("the certificate is not for signing")


def load_key(pem: bytes) -> tuple[SigningKey, str]:
    """The key and the name of its method. Raises ValueError."""
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"the key is not an unencrypted private key in PEM: {error}") from None
    if isinstance(key, RSAPrivateKey):
        return key, "rsa-sha256"
    if isinstance(key, EllipticCurvePrivateKey):
        return key, "ecdsa-sha256"
    raise ValueError("the key must be RSA or on an elliptic curve")


def load_own(pem: bytes, key: SigningKey) -> list[Certificate]:
    """Our certificate first, then its authorities'. Raises ValueError."""
    try:
        chain = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise ValueError(f"the certificate is not in PEM: {error}") from None
    if chain[0].public_key() != key.public_key():
        raise ValueError("the certificate is not that of the key")
    return chain
