"""Envelopes against the standard's own example and two other implementations of the browser's side."""

import base64
import os

import http_ece
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.webpush import envelope
from adapters.webpush.deriving import Deriver
from adapters.webpush.envelope import ENVELOPE, MAX_PLAINTEXT, BadKeys, Keys, derive, seal
from alertd.sandbox import unseal
from alertd.sandbox.keyring import Keyring

RING = Keyring(b"envelopes")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def keys(index: int) -> Keys:
    browser = RING.keys(index)
    return Keys(browser.public, browser.auth)


def opened_by_http_ece(index: int, body: bytes) -> bytes:
    browser = RING.keys(index)
    plain: bytes = http_ece.decrypt(body, private_key=browser.private, auth_secret=browser.auth, version="aes128gcm")
    return plain


def test_the_example_of_rfc_8291_is_met_to_the_octet() -> None:
    """Section 5 and Appendix A."""
    receiver = Keys(
        unb64("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        unb64("BTBZMqHH6r4Tts7J_aSIgg"),
    )
    private = ec.derive_private_key(
        int.from_bytes(unb64("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1()
    )
    made = envelope._derive(receiver, private, unb64("DGv6ra1nlYgDCS1FRnbzlw"))
    assert made[81:97] == unb64("oIhVW04MRdy2XN9CiKLxTg")
    assert made[97:] == unb64("4h_95klXJ5E_qnoN")
    assert seal(made, b"When I grow up, I want to be a watermelon") == unb64(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6"
        "PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


@settings(deadline=None, max_examples=60)
@given(text=st.binary(max_size=MAX_PLAINTEXT), index=st.integers(0, 500))
def test_every_body_opens_with_other_implementations(text: bytes, index: int) -> None:
    body = seal(derive(keys(index)), text)
    assert opened_by_http_ece(index, body) == text
    assert unseal.unseal(RING.keys(index), body) == text


def test_the_longest_text_fills_a_push_message_and_one_more_octet_is_refused() -> None:
    made = derive(keys(1))
    body = seal(made, bytes(MAX_PLAINTEXT))
    assert len(body) == 4_096
    assert opened_by_http_ece(1, body) == bytes(MAX_PLAINTEXT)
    with pytest.raises(ValueError, match="too long"):
        seal(made, bytes(MAX_PLAINTEXT + 1))


def test_no_two_envelopes_share_a_key_a_nonce_or_a_salt() -> None:
    made = [derive(keys(7)) for _ in range(100)]
    assert {len(one) for one in made} == {ENVELOPE}
    for part in (slice(0, 16), slice(16, 81), slice(81, 97), slice(97, 109)):
        assert len({one[part] for one in made}) == 100


def off_the_curve() -> Keys:
    return Keys(b"\x04" + b"\x01" * 64, os.urandom(16))


def test_a_point_off_the_curve_is_bad_keys() -> None:
    with pytest.raises(BadKeys):
        derive(off_the_curve())


def fresh() -> tuple[ec.EllipticCurvePrivateKey, Keys]:
    private = ec.generate_private_key(ec.SECP256R1())
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return private, Keys(point, os.urandom(16))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 16, 33, 100])
async def test_the_threads_answer_in_order_with_what_is_wrong_in_its_place(count: int) -> None:
    browsers = [fresh() for _ in range(count)]
    asked = [off_the_curve() if i % 5 == 2 else one for i, (_, one) in enumerate(browsers)]
    deriver = Deriver(structlog.get_logger())
    try:
        made = await deriver.derive(asked)
    finally:
        await deriver.close()
    assert [isinstance(one, BadKeys) for one in made] == [i % 5 == 2 for i in range(count)]
    for (private, own), one in zip(browsers, made, strict=True):
        if isinstance(one, bytes):
            body = seal(one, b"via le persone")
            opened = http_ece.decrypt(body, private_key=private, auth_secret=own.auth, version="aes128gcm")
            assert opened == b"via le persone"
