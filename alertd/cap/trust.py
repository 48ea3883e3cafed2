"""Certificates of signers: whose they are, and whether somebody who is trusted vouches for them."""

import binascii
from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError
from lxml import etree

Certificate = x509.Certificate


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose signatures are believed: `anchors` are the certificates of signers or of their authorities. `required`:
    what none of them validly signed is taken from no peer and never acts unattended."""

    anchors: tuple[Certificate, ...] = ()
    required: bool = False


NOBODY: Final = Trust()


def load_anchors(pem: bytes) -> tuple[Certificate, ...]:
    """Raises ValueError where these are no certificates in PEM."""
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except ValueError as error:
        raise ValueError(f"holds no certificates in PEM: {error}") from None


def certificates_of(elements: Sequence[etree._Element]) -> list[Certificate]:
    """Of X509Certificate elements; what cannot be read is left out."""
    found = []
    for element in elements:
        try:
            found.append(x509.load_der_x509_certificate(b64decode("".join((element.text or "").split()))))
        except (ValueError, binascii.Error, UnsupportedAlgorithm):
            continue
    return found


def vouched(found: Sequence[Certificate], anchors: Sequence[Certificate], at: datetime) -> Certificate | None:
    """The first of them that is trusted itself or descends from one that is."""
    if not anchors:
        return None
    for certificate in found:
        if certificate in anchors or _descends(certificate, found, anchors, at):
            return certificate
    return None


def _descends(leaf: Certificate, others: Sequence[Certificate], anchors: Sequence[Certificate], at: datetime) -> bool:
    signs = ExtensionPolicy.permit_all().may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign)
    policy = PolicyBuilder().store(Store(list(anchors))).time(at)
    policy = policy.extension_policies(ee_policy=signs, ca_policy=ExtensionPolicy.webpki_defaults_ca())
    try:
        policy.build_client_verifier().verify(leaf, _one_a_name(one for one in others if one != leaf))
    except VerificationError:
        return False
    return True


def _one_a_name(certificates: Iterable[Certificate]) -> list[Certificate]:
    """The first of each subject. Several authorities of one name that certify each other make hundreds of paths, each
    of which is verified while the whole process waits."""
    named: dict[x509.Name, Certificate] = {}
    for certificate in certificates:
        named.setdefault(certificate.subject, certificate)
    return list(named.values())


def _may_sign(_policy: object, _certificate: Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("the certificate is not for signing")
