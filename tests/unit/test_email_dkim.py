"""DKIM signatures, judged by an independent implementation (dkimpy) on what a server really got."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import ValidationError

from adapters.email.config import EmailConfig
from adapters.email.dkim import relaxed_body, relaxed_headers
from adapters.email.dkim_key import read_key
from alertd.domain.alert import MsgType, Reference
from alertd.domain.delivery import Accepted
from tests.support import notices
from tests.support.mail_stand import before, parcels, send
from tests.support.smtp_server import SmtpServer


def pem(key):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def dns_record(key):
    import base64

    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return b"v=DKIM1; k=ed25519; p=" + base64.b64encode(raw)
    raw = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return b"v=DKIM1; k=rsa; p=" + base64.b64encode(raw)


async def signed(key, extensions, about=None, count=3):
    server = SmtpServer(extensions=extensions)
    dkim = {"domain": "comune.example.it", "selector": "s1", "key": pem(key)}
    async with before(server, dkim=dkim) as adapter:
        verdicts, _ = await send(adapter, parcels(count), about)
    assert all(isinstance(verdict, Accepted) for verdict in verdicts.values())
    assert len(server.taken) == count
    return [message.content for message in server.taken]


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",), ("PIPELINING", "CHUNKING")])
@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
async def test_an_independent_verifier_is_content_and_notices_any_change(rsa_key, kind, extensions):
    dkim = pytest.importorskip("dkim", reason="dkimpy is not installed")
    if kind == "ed25519":
        pytest.importorskip("nacl", reason="PyNaCl is not installed")
    key = rsa_key if kind == "rsa" else ed25519.Ed25519PrivateKey.generate()
    asked = []

    def dns(name, timeout=5):
        asked.append(name)
        return dns_record(key)

    update = notices.alert("a2", msg_type=MsgType.UPDATE, references=(Reference("s", "it-montelupo-a1", "t"),))
    text = ".dot\n\n  two  blanks \n\t tab\n" + "perché " * 100 + "\n\n\n"
    for about in (notices.notice(text=text), notices.notice(update, text="")):
        for content in await signed(key, extensions, about):
            assert dkim.verify(content, dnsfunc=dns)
            for before_, after in (
                (b"unsubscribe/", b"unsubscribe/9"),
                (b"Subject: ", b"Subject: x"),
                (b"\r\nMIME-Version", b"\r\nFrom: other@example.org\r\nMIME-Version"),
                (b"\r\nMIME-Version", b"\r\nSubject: other\r\nMIME-Version"),
                (b"One-Click", b"Two-Click"),
                (b"</html>", b"</html>."),
                (b"Content-Language: it-IT", b"Content-Language: en"),
            ):
                changed = content.replace(before_, after, 1)
                if changed != content:
                    assert not dkim.verify(changed, dnsfunc=dns), before_
            assert max(map(len, content.split(b"\r\n"))) <= 998
    assert {bytes(name).rstrip(b".") for name in asked} == {b"s1._domainkey.comune.example.it"}


def test_the_example_of_rfc_6376_section_3_4_5():
    assert relaxed_headers(b"A: X\r\nB : Y\t\r\n\tZ  \r\n") == {b"a": b"a:X\r\n", b"b": b"b:Y Z\r\n"}
    assert relaxed_body(b" C \r\nD \t E\r\n\r\n\r\n") == b" C\r\nD E\r\n"
    assert relaxed_body(b"") == relaxed_body(b"\r\n\r\n") == b""


def test_keys_that_cannot_sign_are_refused_without_being_shown(rsa_key):
    weak = pem(ec.generate_private_key(ec.SECP256R1()))
    for bad in ("", "nonsense", weak):
        with pytest.raises(ValueError):
            read_key(bad)
        with pytest.raises(ValidationError) as caught:
            EmailConfig.model_validate(
                {
                    "host": "relay.example.it",
                    "from": "a@example.it",
                    "dkim": {"domain": "example.it", "selector": "s", "key": bad},
                }
            )
        assert not bad or bad not in str(caught.value)
    config = EmailConfig.model_validate(
        {
            "host": "relay.example.it",
            "from": "a@example.it",
            "dkim": {"domain": "perché.example", "selector": "s", "key": pem(rsa_key)},
        }
    )
    assert config.dkim is not None
    assert config.dkim.domain == "xn--perch-fsa.example"
    assert "PRIVATE" not in repr(config)
