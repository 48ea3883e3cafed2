"""The push service against messages sealed and signed by other people's libraries (http_ece, py_vapid)."""

import base64
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from py_vapid import Vapid02

from alertd.sandbox.faults import Fault, Faults, Kind
from alertd.sandbox.keyring import Keyring
from alertd.sandbox.push import PushService
from alertd.sandbox.tls import make_tls
from alertd.sandbox.unseal import UnreadableError, unseal

SEED = b"seed"
HEADERS = {"TTL": "60", "Content-Encoding": "aes128gcm", "Urgency": "high", "Topic": "thread-1"}


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def seal(subscription: str, text: bytes, **more: object) -> bytes:
    keys = json.loads(subscription)["keys"]
    fields: dict[str, object] = {"salt": os.urandom(16), "private_key": ec.generate_private_key(ec.SECP256R1())}
    fields |= {"dh": unb64(keys["p256dh"]), "auth_secret": unb64(keys["auth"]), "version": "aes128gcm"}
    sealed: bytes = http_ece.encrypt(text, **(fields | more))
    return sealed


def vapid_key() -> Vapid02:
    key = Vapid02()
    key.generate_keys()
    return key


@dataclass
class Sender:
    service: PushService
    session: aiohttp.ClientSession
    key: Vapid02 = field(default_factory=vapid_key)

    def authorization(self, **changes: object) -> dict[str, str]:
        claims = {"aud": self.service.origin, "sub": "mailto:a@example.org", "exp": int(time.time()) + 600}
        signed: dict[str, str] = self.key.sign(claims | changes)
        return signed

    async def post(
        self,
        text: bytes = b"{}",
        *,
        to: int = 3,
        body: bytes | None = None,
        drop: str = "",
        headers: Mapping[str, str] = {},
        **claims: object,
    ) -> tuple[int, Mapping[str, str], str]:
        subscription = next(self.service.subscriptions(1, to))
        sent = {**HEADERS, **self.authorization(**claims), **headers}
        sent.pop(drop, None)
        data = seal(subscription, text) if body is None else body
        url = json.loads(subscription)["endpoint"]
        async with self.session.post(url, data=data, headers=sent) as response:
            return response.status, response.headers, await response.text()


@pytest.fixture
async def sender(tmp_path: Path) -> AsyncIterator[Sender]:
    tls = make_tls(tmp_path)
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    async with (
        PushService("127.0.0.1", 0, tls.server(), seed=SEED) as service,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=trust)) as session,
    ):
        yield Sender(service, session)


def test_public_sides_belong_to_the_private_keys() -> None:
    ring = Keyring(SEED)
    for start, count in ((0, 600), (255, 3), (1_000_000, 2)):
        for index, (p256dh, auth) in enumerate(ring.public_sides(start, count), start):
            keys = ring.keys(index)
            public = keys.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
            assert unb64(p256dh) == public == keys.public
            assert (unb64(auth), len(keys.auth)) == (keys.auth, 16)
    assert len({p256dh for p256dh, _ in ring.public_sides(0, 2_000)}) == 2_000
    assert next(Keyring(SEED).public_sides(7, 1)) == next(ring.public_sides(7, 1))
    assert next(Keyring(b"other").public_sides(7, 1)) != next(ring.public_sides(7, 1))


def test_the_example_of_rfc_8291() -> None:
    """Appendix A: the receiver's key, auth and message as printed."""
    ring_keys = type(Keyring(SEED).keys(0))
    private = ec.derive_private_key(
        int.from_bytes(unb64("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), ec.SECP256R1()
    )
    public = unb64("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    message = (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6"
        "PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    keys = ring_keys(private, public, unb64("BTBZMqHH6r4Tts7J_aSIgg"))
    assert unseal(keys, unb64(message)) == b"When I grow up, I want to be a watermelon"


@pytest.mark.parametrize("at", [0, 16, 20, 21, 30, 90, -1])
def test_a_changed_message_is_not_opened(at: int) -> None:
    ring = Keyring(SEED)
    p256dh, auth = next(ring.public_sides(1, 1))
    body = bytearray(seal(json.dumps({"keys": {"p256dh": p256dh, "auth": auth}}), b"text"))
    body[at] ^= 1
    if at == 16:  # a larger record size changes nothing that RFC 8188 checks
        assert unseal(ring.keys(1), bytes(body)) == b"text"
        return
    with pytest.raises(UnreadableError):
        unseal(ring.keys(1), bytes(body))


async def test_a_good_message(sender: Sender) -> None:
    status, headers, _ = await sender.post(b'{"title":"ESERCITAZIONE"}')
    assert (status, headers["TTL"]) == (201, "60")
    assert headers["Location"].startswith(sender.service.origin)
    assert sender.service.read("3") == {"title": "ESERCITAZIONE"}
    assert sender.service.ledger.counts == {"3": 1}


@pytest.mark.parametrize(
    ("status", "how"),
    [
        (400, {"drop": "TTL"}),
        (400, {"headers": {"TTL": "-1"}}),
        (400, {"headers": {"TTL": "1.5"}}),
        (400, {"headers": {"Urgency": "urgent"}}),
        (400, {"headers": {"Topic": "x" * 33}}),
        (400, {"headers": {"Topic": "a b"}}),
        (400, {"headers": {"Content-Encoding": "aesgcm"}}),
        (400, {"body": b"not sealed"}),
        (400, {"body": b"x" * 200}),
        (401, {"drop": "Authorization"}),
        (401, {"headers": {"Authorization": "Bearer x"}}),
        (403, {"headers": {"Authorization": "vapid t=x.y.z, k=abc"}}),
        (403, {"aud": "https://push.example.org"}),
        (403, {"exp": 1}),
        (403, {"exp": int(time.time()) + 25 * 3600}),
        (404, {"to": 10_000_000}),
        (413, {"body": b"x" * 4097}),
    ],
)
async def test_what_is_refused(sender: Sender, status: int, how: dict[str, object]) -> None:
    assert (await sender.post(**how))[0] == status  # type: ignore[arg-type]
    assert sender.service.ledger.messages == 0


async def test_the_largest_message(sender: Sender) -> None:
    assert (await sender.post(b"x" * 3993))[0] == 201  # RFC 8291, section 4


async def test_a_token_signed_by_another_key(sender: Sender) -> None:
    mine, others = (
        sender.authorization()["Authorization"],
        vapid_key().sign({"aud": "https://x.example", "sub": "mailto:a@b.it"}),
    )
    mixed = mine.split(",")[0] + "," + others["Authorization"].split(",")[1]
    assert (await sender.post(headers={"Authorization": mixed}))[0] == 403


async def test_subscriptions_made_for_another_key(sender: Sender) -> None:
    own = sender.authorization()["Authorization"].partition("k=")[2]
    sender.service.key = own
    assert (await sender.post())[0] == 201
    sender.key = vapid_key()
    assert (await sender.post())[0] == 403


async def test_a_known_token_still_ends(sender: Sender) -> None:
    header = sender.authorization(exp=int(time.time()) + 60)["Authorization"]
    check = sender.service._vapid.check
    check(header, origin=sender.service.origin, now=time.time())
    with pytest.raises(Exception, match="exp"):
        check(header, origin=sender.service.origin, now=time.time() + 61)
    with pytest.raises(Exception, match="aud"):
        check(header, origin="https://other", now=time.time())


async def test_topic_replaces(sender: Sender) -> None:
    await sender.post(b"1")
    await sender.post(b"2")
    await sender.post(b"3", headers={"Topic": "thread-2"})
    await sender.post(b"4", drop="Topic")
    assert sender.service.stats()["replaced"] == 1


async def test_an_envelope_used_twice_is_noticed(sender: Sender) -> None:
    subscription = next(sender.service.subscriptions(1, 3))
    envelope = {"salt": os.urandom(16), "private_key": ec.generate_private_key(ec.SECP256R1())}
    same = seal(subscription, b"one", **envelope)
    for body in (same, same):  # a retry of identical bytes is harmless
        await sender.post(body=body)
    assert sender.service.stats()["reused_envelopes"] == 0
    await sender.post(body=seal(subscription, b"two", **envelope))
    assert sender.service.stats()["reused_envelopes"] == 1


async def test_keys_and_salts_are_counted_once(sender: Sender) -> None:
    subscription = next(sender.service.subscriptions(1, 3))
    key = ec.generate_private_key(ec.SECP256R1())
    for text in (b"one", b"two"):
        await sender.post(body=seal(subscription, text, private_key=key))
    await sender.post(b"three")
    stats = sender.service.stats()
    assert (stats["distinct_keys"], stats["distinct_salts"], stats["over_h2"]) == (2, 3, 0)


async def test_gone_and_retry_after(sender: Sender) -> None:
    sender.service.faults = Faults(gone=frozenset({"3"}))
    assert (await sender.post())[0] == 410
    assert (await sender.post(to=4))[0] == 201
    sender.service.faults = Faults((Fault(Kind.STATUS, status=429, retry_after=30, first=1),))
    status, headers, _ = await sender.post()
    assert (status, headers["Retry-After"]) == (429, "30")
    await sender.post()
    assert [early.recipient for early in sender.service.ledger.inside_retry_after(grace=0)] == ["3"]
