"""Our own signatures: the same octets each time, in every process; others' tools accept them; bad keys are named."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from lxml import etree

from alertd.cap.sealing import Signer as Sealer
from alertd.cap.sealing import load_key, load_own
from alertd.cap.signature import Seal, verify
from alertd.cap.writer import write
from tests.support.cap_signers import AT, Key, Signer, classic, elliptic
from tests.unit.cap_samples import SCHEMA
from tests.unit.test_cap_signature import ALERT

ROOT = Path(__file__).resolve().parents[2]
KEYS: dict[str, Key] = {
    "rsa": rsa.generate_private_key(65537, 2048),
    "p256": ec.generate_private_key(ec.SECP256R1()),
    "p384": ec.generate_private_key(ec.SECP384R1()),
    "p521": ec.generate_private_key(ec.SECP521R1()),
}
AGAIN = """
import sys
from datetime import datetime
from pathlib import Path
from alertd.cap.sealing import Signer, load_key, load_own
key, certificate, document = (Path(name).read_bytes() for name in sys.argv[1:4])
loaded = load_key(key)
signer = Signer.of(loaded, load_own(certificate, loaded, datetime.fromisoformat(sys.argv[4])))
sys.stdout.buffer.write(signer.sign(document))
"""


@pytest.fixture(params=sorted(KEYS))
def town(request: pytest.FixtureRequest) -> Signer:
    return Signer(KEYS[request.param], "Comune")


def test_the_same_document_has_the_same_octets_in_another_process(town: Signer, tmp_path: Path) -> None:
    signed = town.sign(write(ALERT))
    assert signed == town.sealer.sign(write(ALERT))
    files = (*town.write(tmp_path), tmp_path / "document")
    files[2].write_bytes(write(ALERT))
    command = [sys.executable, "-c", AGAIN, *map(str, files), AT.isoformat()]
    assert subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout == signed


def test_it_is_valid_and_fits_the_schema(town: Signer) -> None:
    signed = town.sign(write(ALERT))
    assert verify(signed, trusted=town.trusted, at=AT).seal is Seal.VALID
    if SCHEMA.exists():
        etree.XMLSchema(etree.parse(SCHEMA)).assertValid(etree.fromstring(signed))


def test_xmlsec_accepts_it_and_refuses_it_altered(town: Signer, tmp_path: Path) -> None:
    xmlsec1 = shutil.which("xmlsec1")
    if xmlsec1 is None:
        pytest.skip("xmlsec1 is not installed")
    _, certificate = town.write(tmp_path)
    good, bad = tmp_path / "good.xml", tmp_path / "bad.xml"
    good.write_bytes(town.sign(write(ALERT)))
    bad.write_bytes(good.read_bytes().replace(b"Allerta", b"Allarme"))
    moment = AT.strftime("%Y-%m-%d %H:%M:%S")
    for document, right in ((good, True), (bad, False)):
        command = [xmlsec1, "--verify", "--trusted-pem", certificate, "--verification-time", moment, document]
        done = subprocess.run(list(map(str, command)), check=False, capture_output=True)
        assert (done.returncode == 0) is right, done.stderr


def test_the_mark_is_of_the_certificate_and_its_authorities(town: Signer) -> None:
    renewed = Signer(town.key, "Comune", days=60)
    authority = elliptic("Authority", ca=True)
    marks = {
        town.sealer.mark,
        renewed.sealer.mark,
        replace(town.sealer, chain=(*town.trusted, *authority.trusted)).mark,
    }
    assert len(marks) == 3
    assert town.sealer.mark == town.sealer.mark


def test_a_key_is_never_shown(town: Signer) -> None:
    assert "key" not in repr(town.sealer)


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (b"x", "not an unencrypted private key"),
        (b"", "not an unencrypted private key"),
        (
            ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            "neither an RSA key nor one on an elliptic curve",
        ),
        (classic().pem, "not an unencrypted private key"),
        (Signer(ec.generate_private_key(ec.SECP256K1()), "x").key_pem, "secp256k1"),
        (Signer(rsa.generate_private_key(65537, 1024), "x").key_pem, "1024 bits"),
    ],
)
def test_keys_that_cannot_sign_are_named(pem: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        load_key(pem)


def test_certificates_that_prove_nothing_are_named() -> None:
    town, stranger = elliptic(), classic("Somebody")
    key = load_key(town.key_pem)
    other = Signer(town.key, "Comune", signs=False)
    for pem, days, says in (
        (b"x", 0, "no certificate in PEM"),
        (stranger.pem, 0, "not that of the key"),
        (other.pem, 0, "not for signing"),
        (town.pem, 31, "CN=Comune expired on 2026-12-22"),
        (town.pem, -2, "CN=Comune holds only from 2026-11-21"),
    ):
        with pytest.raises(ValueError, match=says):
            load_own(pem, key, AT.replace(day=20) if days < 0 else AT.replace(month=12, day=23) if days else AT)


def test_what_is_no_document_is_not_signed() -> None:
    with pytest.raises(ValueError, match="cannot be signed"):
        elliptic().sealer.sign(b"<!DOCTYPE a><a/>")


def test_a_signer_that_is_not_repeatable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    town, count = elliptic(), iter(range(9))
    monkeypatch.setattr(Sealer, "sign", lambda *_: b"%d" % next(count))
    with pytest.raises(ValueError, match="RFC 6979"):
        Sealer.of(town.key, town.trusted)
