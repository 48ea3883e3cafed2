"""Signatures: none, valid, invalid and unverifiable are told apart; only what was signed is handed on; ours are valid."""

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from lxml import etree

from alertd.cap.reader import read
from alertd.cap.rules import check
from alertd.cap.signature import Seal, detect, verify
from alertd.cap.trust import vouched
from alertd.cap.writer import write
from alertd.domain.alert import Alert
from tests.support.cap_signers import AT, Signer, classic, elliptic
from tests.unit.cap_samples import SCHEMA, sample
from tests.unit.test_cap_writer import INFO, PLAIN, changed

ALERT: Alert = changed(PLAIN, info=(changed(INFO, headline="Allerta"),))  # type: ignore[assignment]


@pytest.fixture(scope="module")
def town() -> Signer:
    return elliptic()


@pytest.fixture(scope="module")
def stranger() -> Signer:
    return classic("Somebody")


@pytest.fixture(scope="module")
def signed(town: Signer) -> bytes:
    return town.sign(write(ALERT))


def test_what_we_sign_is_valid_everywhere(town: Signer, stranger: Signer) -> None:
    for signer in (town, stranger):
        document = signer.sign(write(ALERT))
        assert document.rstrip().endswith(b"</alert>")
        found = verify(document, trusted=signer.trusted, at=AT)
        assert (found.seal, found.reason) == (Seal.VALID, signer.certificate.subject.rfc4514_string())
        assert found.document is not None
        assert read(found.document).alerts == read(document).alerts == read(write(ALERT)).alerts
        assert read(document).found[0].signed
        assert detect(read(document).found[0].element)
        if SCHEMA.exists():
            etree.XMLSchema(etree.parse(SCHEMA)).assertValid(etree.fromstring(document))


def test_an_authority_vouches(stranger: Signer) -> None:
    root = Signer(ec.generate_private_key(ec.SECP256R1()), "Authority", ca=True)
    leaf = Signer(ec.generate_private_key(ec.SECP384R1()), "Office", root)
    document = leaf.sign(write(ALERT))
    assert verify(document, trusted=root.trusted, at=AT).seal is Seal.VALID
    assert verify(document, trusted=stranger.trusted, at=AT).seal is Seal.UNVERIFIABLE
    assert verify(document, trusted=root.trusted, at=AT + timedelta(days=60)).seal is Seal.UNVERIFIABLE


def test_nobody_trusted(signed: bytes, stranger: Signer) -> None:
    for trusted in ((), stranger.trusted):
        found = verify(signed, trusted=trusted, at=AT)
        assert (found.seal, found.document) == (Seal.UNVERIFIABLE, None)
        assert "CN=Comune" in found.reason


def test_no_signature() -> None:
    assert verify(write(ALERT), trusted=(), at=AT).seal is Seal.NONE
    assert not detect(etree.fromstring(write(ALERT)))


@pytest.mark.parametrize("trust", [True, False])
def test_a_changed_word_is_invalid_whoever_is_trusted(signed: bytes, town: Signer, trust: bool) -> None:
    changed_ = signed.replace(b"Actual", b"Test")
    assert changed_ != signed
    found = verify(changed_, trusted=town.trusted if trust else (), at=AT)
    assert (found.seal, found.document) == (Seal.INVALID, None)


def test_a_certificate_that_expired(signed: bytes, town: Signer) -> None:
    found = verify(signed, trusted=town.trusted, at=AT + timedelta(days=31))
    assert found.seal is Seal.UNVERIFIABLE
    assert "expired" in found.reason


def test_wrapping_never_makes_a_forgery_valid(signed: bytes, town: Signer) -> None:
    """A genuine signed alert within, around or beside another one; whatever is VALID, the document is the genuine one."""
    body = signed.partition(b"?>")[2].strip()
    forged = write(changed(ALERT, identifier="forged")).partition(b"?>")[2].strip()  # type: ignore[arg-type]
    mark = signed[signed.index(b"<ds:Signature") : signed.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    around = forged.replace(b"</alert>", body + b"</alert>")
    inside = forged.replace(
        b"</alert>",
        mark.replace(b"</ds:Signature>", b"<ds:Object>" + body + b"</ds:Object></ds:Signature>") + b"</alert>",
    )
    by_id = inside.replace(b'URI=""', b'URI="#x"').replace(b"<alert ", b'<alert Id="x" ', 1)
    envelope = b"<e>" + body + forged + b"</e>"
    twice = signed.replace(mark, mark + mark)
    moved = signed.replace(mark, b"").replace(b"</info>", mark + b"</info>")
    for data in (around, inside, by_id, envelope, twice, moved, forged.replace(b"</alert>", mark + b"</alert>")):
        found = verify(data, trusted=town.trusted, at=AT)
        assert found.seal in {Seal.INVALID, Seal.UNVERIFIABLE}
        assert found.document is None


def test_comments_are_not_part_of_what_was_signed(signed: bytes, town: Signer) -> None:
    found = verify(signed.replace(b"<event>Temp", b"<event>Temp<!-- x -->"), trusted=town.trusted, at=AT)
    assert found.document is not None
    assert b"<!--" not in found.document
    assert read(found.document).alerts[0].info[0].event == "Temporali"


@pytest.mark.parametrize(
    "change",
    [
        (b"enveloped-signature", b"base64"),
        (b"ecdsa-sha256", b"hmac-sha256"),
        (b"ecdsa-sha256", b"ecdsa-sha1"),
        (b'URI=""', b'URI="http://127.0.0.1:9/"'),
        (b"<ds:SignatureValue>", b"<ds:SignatureValue>AAAA"),
        (b"<ds:SignedInfo>", b"<ds:SignedInfo><x/>"),
        (b"<ds:X509Certificate>", b"<ds:X509Certificate>AAAA"),
    ],
)
def test_odd_signatures_are_no_crash_and_never_valid(signed: bytes, town: Signer, change: tuple[bytes, bytes]) -> None:
    assert change[0] in signed
    found = verify(signed.replace(*change), trusted=town.trusted, at=AT)
    assert found.seal in {Seal.INVALID, Seal.UNVERIFIABLE}
    assert found.reason


def test_a_doctype_is_not_verified(signed: bytes, town: Signer) -> None:
    found = verify(signed.replace(b"<alert", b"<!DOCTYPE alert><alert", 1), trusted=town.trusted, at=AT)
    assert found.seal is Seal.UNVERIFIABLE
    assert "DOCTYPE" in found.reason


@pytest.mark.parametrize("name", ["google/canada_signed.cap", "invalid/earthquake_signed.cap"])
def test_real_signatures_with_sha1_are_unverifiable(name: str) -> None:
    assert verify(sample(name), trusted=(), at=AT).seal is Seal.UNVERIFIABLE


def test_what_we_sign_breaks_no_rule(signed: bytes) -> None:
    (found,) = read(signed).found
    assert found.alert is not None
    assert list(check(found.alert)) == []
    assert found.violations == ()


# --- what canonical XML would take minutes for ---

DECLARED = b" ".join(b'xmlns:a%d="urn:x:%d"' % (n, n) for n in range(60))
MANY = b" ".join(b'b%d="1"' % n for n in range(120))
PREFIXES = b'<x:InclusiveNamespaces xmlns:x="http://www.w3.org/2001/10/xml-exc-c14n#" PrefixList="%s"/>' % (b"p " * 300)


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (b"<alert ", b"<alert " + DECLARED + b" ", "namespaces are declared"),
        (b"</info>", b"<x " + MANY + b"/></info>", "attributes"),
        (b"</ds:KeyInfo>", PREFIXES + b"</ds:KeyInfo>", "PrefixList"),
    ],
)
def test_what_costs_too_much_is_not_checked(signed: bytes, town: Signer, before: bytes, after: bytes, why: str) -> None:
    found = verify(signed.replace(before, after, 1), trusted=town.trusted, at=AT)
    assert (found.seal, found.document) == (Seal.UNVERIFIABLE, None)
    assert why in found.reason


def test_namespaces_beside_each_other_cost_nothing(signed: bytes, town: Signer) -> None:
    beside = b"".join(b'<x xmlns:q="urn:%d"/>' % n for n in range(60))
    assert verify(signed.replace(b"</info>", beside + b"</info>"), trusted=town.trusted, at=AT).seal is Seal.INVALID


def test_authorities_of_one_name_are_tried_once(stranger: Signer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    root = Signer(ec.generate_private_key(ec.SECP256R1()), "Authority", ca=True)
    middle, again = Signer(key, "Middle", root, ca=True), Signer(key, "Middle", root, ca=True)
    leaf = Signer(ec.generate_private_key(ec.SECP256R1()), "Office", middle).certificate
    given = [leaf, middle.certificate, again.certificate]
    assert vouched(given, root.trusted, AT) == leaf
    assert vouched([*given, *root.trusted], stranger.trusted, AT) is None
