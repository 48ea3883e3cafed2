"""XML signatures around a CAP document (CAP 1.2, 3.3.4.1): are they there, and do they hold. Ours: `sealing`.

signxml does the work and is an optional extra, imported only when needed. What was verified is handed back as it was
signed, and only that may be read as signed: whatever else a document wraps around a genuine signature is left behind.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from lxml import etree

from alertd.cap.document import STANDARD, Limits, Refused, parse
from alertd.cap.trust import Certificate, certificates_of, vouched
from alertd.cap.vocabulary import DSIG, SIGNATURE, VERSIONS, local, namespace_of

if TYPE_CHECKING:
    from signxml.verifier import VerifyResult

_DS: Final = {"ds": DSIG}
_C14N: Final = (
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/2001/10/xml-exc-c14n#",
)
_TRANSFORMS: Final = {f"{DSIG}enveloped-signature", *_C14N, *(f"{one.rstrip('#')}#WithComments" for one in _C14N)}
_PREFIXES: Final = "{http://www.w3.org/2001/10/xml-exc-c14n#}InclusiveNamespaces"
_MOST_CERTIFICATES: Final = 8
_MOST_IN_SCOPE: Final = 50
_MOST_ATTRIBUTES: Final = 100
_LONGEST_PREFIXES: Final = 500
"""Canonical XML compares each element's namespaces with all those above it, its attributes with each other, and looks
for each prefix of a list: without bounds a document of 400 kB takes minutes. Real ones have ten of any."""
MISSING: Final = "signxml is not installed: pip install 'alertd[cap-sign]'"


class Seal(StrEnum):
    NONE = "none"
    VALID = "valid"
    INVALID = "invalid"
    UNVERIFIABLE = "unverifiable"


@dataclass(frozen=True, slots=True)
class Verified:
    """`document`: with VALID, the alert as it was signed, to be read instead of what came; its lines are where they
    were. `reason`: for people; with VALID, the signer's name."""

    seal: Seal
    reason: str = ""
    document: bytes | None = None


class _Unverifiable(Exception):
    """Neither proven nor disproven, and why."""


def detect(element: etree._Element) -> bool:
    """Whether this alert carries a signature."""
    return element.find(SIGNATURE) is not None


def verify(data: bytes, *, trusted: Sequence[Certificate], at: datetime, limits: Limits = STANDARD) -> Verified:
    """Whether the document's one alert is signed as a whole by somebody `trusted` (his certificate, or his
    authority's) at the moment `at`.

    INVALID: the signature does not fit what stands there. UNVERIFIABLE: a signature that says nothing to us, e.g.
    because nobody trusted vouches for the key, or because it is made with SHA-1. Never raises for what `data` holds.
    """
    try:
        root = parse(data, limits)
        signatures = root.findall(SIGNATURE)
        if not signatures and next(root.iter(SIGNATURE), None) is None:
            return Verified(Seal.NONE)
        _shape(root, signatures)
        return _verified(data, root, signatures[0], trusted, at)
    except (Refused, _Unverifiable) as error:
        return Verified(Seal.UNVERIFIABLE, str(error))


def _shape(root: etree._Element, signatures: list[etree._Element]) -> None:
    """One signature, a child of the one alert, over all of it, by means that are believed."""
    if local(root.tag) != "alert" or namespace_of(root.tag) not in VERSIONS:
        raise _Unverifiable("only an alert that stands alone can be verified, not one in an envelope")
    if len(signatures) != 1 or len(list(root.iter(SIGNATURE))) != 1:
        raise _Unverifiable("it holds several signatures, or one that is not the alert's own")
    if fault := next(_costly(root), ""):
        raise _Unverifiable(f"{fault}: too costly to be checked")
    references = signatures[0].findall("ds:SignedInfo/ds:Reference", _DS)
    if len(references) != 1 or references[0].get("URI") != "":
        raise _Unverifiable("the signature covers only a part of the alert")
    transforms = {one.get("Algorithm") for one in references[0].findall("ds:Transforms/ds:Transform", _DS)}
    if unknown := transforms - _TRANSFORMS:
        raise _Unverifiable(f"it is transformed by {str(min(map(str, unknown)))[:80]!r} before it is signed")
    paths = ("ds:SignedInfo/ds:SignatureMethod", "ds:SignedInfo/ds:Reference/ds:DigestMethod")
    methods = [signatures[0].find(path, _DS) for path in paths]
    if any("sha1" in (one.get("Algorithm") or "").casefold() for one in methods if one is not None):
        raise _Unverifiable("it is made with SHA-1, which can be forged")


def _costly(root: etree._Element) -> Iterator[str]:
    """What would make canonical XML take long."""
    in_scope = 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "end-ns")):
        in_scope += 1 if event == "start-ns" else -1
        if in_scope > _MOST_IN_SCOPE:
            yield f"more than {_MOST_IN_SCOPE} namespaces are declared in one place"
    if any(len(element.attrib) > _MOST_ATTRIBUTES for element in root.iter()):
        yield f"an element has more than {_MOST_ATTRIBUTES} attributes"
    if any(len(one.get("PrefixList", "")) > _LONGEST_PREFIXES for one in root.iter(_PREFIXES)):
        yield f"a PrefixList has more than {_LONGEST_PREFIXES} characters"


def _verified(
    data: bytes, root: etree._Element, signature: etree._Element, trusted: Sequence[Certificate], at: datetime
) -> Verified:
    found = certificates_of(signature.findall("ds:KeyInfo/ds:X509Data/ds:X509Certificate", _DS)[:_MOST_CERTIFICATES])
    signer = vouched(found, trusted, at)
    own = signer or (found[0] if found else None)
    try:
        result = _by_signxml(data, own, at if signer or own is None else own.not_valid_before_utc)
    except _Broken as error:
        return Verified(Seal.INVALID, str(error))
    if signer is None:
        who = found[0].subject.rfc4514_string() if found else "a bare key"
        raise _Unverifiable(f"nobody who is trusted vouches for the signer ({who[:120]})")
    line: Any = root.sourceline  # None for what no parser made
    above = b"\n" * ((line or 1) - 1)
    return Verified(Seal.VALID, signer.subject.rfc4514_string(), above + result.signed_data)


class _Broken(Exception):
    """The signature was made over something else, or by somebody else."""


def _by_signxml(data: bytes, certificate: Certificate | None, at: datetime) -> "VerifyResult":
    try:
        from signxml.exceptions import InvalidCertificate, InvalidSignature
        from signxml.verifier import SignatureConfiguration, XMLVerifier
    except ImportError:
        raise _Unverifiable(MISSING) from None
    config = SignatureConfiguration(
        require_x509=certificate is not None, location="./", expect_references=1, verification_time=at
    )
    try:
        found: Any = XMLVerifier().verify(data, x509_cert=certificate, expect_config=config)
    except InvalidCertificate as error:
        raise _Unverifiable(str(error)[:200]) from None
    except InvalidSignature as error:
        raise _Broken(str(error)[:200]) from None
    except Exception as error:  # noqa: BLE001  strangers' octets reach many libraries through it
        raise _Unverifiable(f"it cannot be checked: {type(error).__name__}: {str(error)[:160]}") from None
    result: VerifyResult = found
    return result
