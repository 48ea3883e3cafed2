"""What may be read of a signed document: only what was signed, and nothing of what is in doubt without saying so."""

import pytest

from alertd.cap.check import checked
from alertd.cap.proving import Proven, read_proven, unsigned
from alertd.cap.signature import Seal
from alertd.cap.trust import NOBODY, Trust
from alertd.cap.writer import write
from tests.support.cap_signers import AT, Signer, classic, elliptic
from tests.unit.cap_samples import HEAD, alert, info, sample
from tests.unit.test_cap_signature import ALERT

BLANK = info(area="<area><areaDesc>x</areaDesc></area>")


@pytest.fixture(scope="module")
def town() -> Signer:
    return elliptic()


def read(data: bytes, trust: Trust) -> Proven:
    return read_proven(data, trust, AT)


def test_of_a_valid_document_what_was_signed_is_read(town: Signer) -> None:
    proven = read(town.sign(write(ALERT)), town.trust(required=True))
    assert (proven.verified.seal, proven.said, proven.doubt) == (Seal.VALID, "valid: CN=Comune", "")
    assert not proven.reading.found[0].signed
    (read_alert,) = proven.reading.alerts
    assert read_alert.info[0].headline == "Allerta"


def test_comments_that_were_not_signed_are_not_read(town: Signer) -> None:
    document = town.sign(write(ALERT)).replace(b"Allerta", b"Al<!-- x -->lerta")
    proven = read(document, town.trust())
    assert proven.verified.seal is Seal.VALID
    assert proven.reading.alerts[0].info[0].headline == "Allerta"


def test_violations_of_a_signed_document_have_its_own_lines(town: Signer) -> None:
    document = town.sign(alert(HEAD.replace(">Alert<", ">Update<"), BLANK))
    assert document.count(b"\n") > 5
    signed, plain = (read(document, trust) for trust in (town.trust(), NOBODY))
    assert [proven.verified.seal for proven in (signed, plain)] == [Seal.VALID, Seal.UNVERIFIABLE]
    lines = [[one.where for one in checked(proven.reading.found[0])] for proven in (signed, plain)]
    assert lines[0] == lines[1] != []


def test_one_octet_makes_it_invalid_whoever_is_trusted(town: Signer) -> None:
    document = town.sign(write(ALERT)).replace(b"Allerta", b"Allertb")
    for trust in (NOBODY, town.trust(), town.trust(required=True)):
        proven = read(document, trust)
        assert proven.verified.seal is Seal.INVALID
        assert "signature is invalid" in proven.doubt
        assert proven.said.startswith("invalid: ")


def test_what_is_required(town: Signer) -> None:
    stranger = classic("Somebody")
    for document, seal in ((write(ALERT), Seal.NONE), (stranger.sign(write(ALERT)), Seal.UNVERIFIABLE)):
        assert read(document, town.trust()).doubt == ""
        proven = read(document, town.trust(required=True))
        assert proven.verified.seal is seal
        assert "a valid signature is required" in proven.doubt
        assert proven.said.startswith(seal)
    assert read(write(ALERT), NOBODY).said == ""
    assert unsigned(NOBODY).doubt == unsigned(NOBODY).said == ""
    assert "it has none" in unsigned(town.trust(required=True)).doubt


def test_sha1_proves_nothing(town: Signer) -> None:
    document = town.sign(write(ALERT)).replace(b"ecdsa-sha256", b"ecdsa-sha1")
    assert "SHA-1" in read(document, NOBODY).said
    assert read(document, NOBODY).doubt == ""
    assert "SHA-1" in read(document, town.trust(required=True)).doubt


@pytest.mark.parametrize("name", ["google/canada_signed.cap", "invalid/earthquake_signed.cap"])
def test_what_others_sign_weakly_or_twice_is_read_all_the_same(name: str) -> None:
    proven = read(sample(name), NOBODY)
    assert (proven.verified.seal, proven.doubt) == (Seal.UNVERIFIABLE, "")
    assert proven.reading.found[0].signed


def test_a_genuine_alert_wrapped_in_another_proves_nothing_of_either(town: Signer) -> None:
    genuine = town.sign(write(ALERT)).partition(b"?>")[2].strip()
    mark = genuine[genuine.index(b"<ds:Signature") : genuine.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    forged = write(ALERT).partition(b"?>")[2].strip().replace(b"Allerta", b"Fuga")
    wrapped = (
        forged.replace(b"</alert>", genuine + b"</alert>"),
        forged.replace(b"</alert>", mark + b"</alert>"),
        forged.replace(b"</alert>", mark.replace(b"</ds:Sig", b"<ds:Object>" + genuine + b"</ds:Object></ds:Sig", 1)),
        b"<e>" + genuine + forged + b"</e>",
        genuine.replace(mark, mark + mark),
    )
    for document in wrapped:
        proven = read(document, town.trust(required=True))
        assert proven.verified.seal is not Seal.VALID
        assert proven.doubt or not proven.reading.alerts


def test_spelling_the_namespace_with_references_hides_no_signature(town: Signer) -> None:
    document = town.sign(write(ALERT)).replace(b"09/xmldsig#", b"09/xmldsi&#103;#")
    assert b'xmldsig#"' not in document
    assert read(document.replace(b"Allerta", b"Fuga"), NOBODY).verified.seal is not Seal.NONE


def test_an_expired_signer_proves_nothing(town: Signer) -> None:
    proven = read_proven(town.sign(write(ALERT)), town.trust(), AT.replace(year=2027))
    assert proven.verified.seal is Seal.UNVERIFIABLE
    assert "expired" in proven.said
