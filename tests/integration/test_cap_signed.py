"""Signatures on the real daemon: documents it publishes, over real HTTP, and documents others post to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from lxml import etree
from signxml.verifier import XMLVerifier

from alertd.app import build
from alertd.cap.signature import Seal, verify
from alertd.cap.writer import MEDIA_TYPE
from alertd.daemon import living
from alertd.notify import Notifier
from alertd.reloading import reload
from alertd.sandbox.fake import FakeAdapter
from alertd.settings import load_to_start
from tests.integration.fake_house import CHANNELS, FakeHouse, alert, fake_house, settings_of
from tests.support.cap_post import Desk, document, name
from tests.support.cap_signers import Signer, classic, elliptic, now
from tests.unit.cap_samples import SCHEMA

SIGN = '[cap]\nsign = true\nkey = {{file = "{folder}/cap.key"}}\ncertificate = {{file = "{folder}/cap.pem"}}\n'
TRUST = '[cap]\ntrusted = "{folder}/peer.pem"\n'
REQUIRED = TRUST + 'signed = "required"\n'


@asynccontextmanager
async def house(folder: Path, text: str) -> AsyncIterator[FakeHouse]:
    async with fake_house(folder, CHANNELS + text.format(folder=folder)) as one:
        yield one


async def fetched(one: FakeHouse, path: str, **headers: str) -> httpx.Response:
    """Over a real connection, as a stranger reads it."""
    listen = one.house.current.settings.api.listen
    async with httpx.AsyncClient(base_url=f"http://{listen}", trust_env=False, verify=False, timeout=30) as client:
        return await client.get(path, headers={key.replace("_", "-"): value for key, value in headers.items()})


async def own(one: FakeHouse, alert_id: str) -> bytes:
    headers = {"Authorization": f"Bearer {one.tokens['admin']}"}
    return (await one.client.get(f"/v1/alerts/{alert_id}/cap", headers=headers)).content


def seal_of(data: bytes, signer: Signer) -> Seal:
    return verify(data, trusted=signer.trusted, at=now()).seal


# --- what we publish --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [elliptic, classic])
async def test_what_is_published_is_signed_and_stays_the_same_over_restarts(tmp_path: Path, make: Any) -> None:
    town: Signer = make(at=now())
    town.write(tmp_path)
    async with house(tmp_path, SIGN) as one:
        await one.enrol("here")
        alert_id = await one.send()
        await one.settled(alert_id)
        first = await fetched(one, f"/cap/{alert_id}.xml")
        assert first.headers["content-type"].startswith(MEDIA_TYPE)
        assert first.headers["cache-control"] == "public, max-age=86400"
        assert "last-modified" not in first.headers
        assert first.content == await own(one, alert_id)
        known = await fetched(one, f"/cap/{alert_id}.xml", if_none_match=first.headers["etag"])
        assert known.status_code == 304
    for _ in range(2):
        async with house(tmp_path, SIGN) as one:
            again = await fetched(one, f"/cap/{alert_id}.xml")
            assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
            assert await own(one, alert_id) == first.content
    assert seal_of(first.content, town) is Seal.VALID
    XMLVerifier().verify(first.content, x509_cert=town.pem.decode())
    if SCHEMA.exists():
        etree.XMLSchema(etree.parse(SCHEMA)).assertValid(etree.fromstring(first.content))


async def test_what_nobody_approved_is_never_signed(tmp_path: Path) -> None:
    town = elliptic(at=now())
    town.write(tmp_path)
    async with house(tmp_path, SIGN) as one:
        await one.enrol("here")
        one.tokens["author"] = await one.house.access.create("author", frozenset({"alerts:draft"}), None, actor="test")
        _, drafted = await one.call("POST", "/v1/alerts", alert("Actual"), who="author")
        assert drafted["state"] == "draft"
        assert seal_of(await own(one, drafted["id"]), town) is Seal.NONE
        assert (await fetched(one, f"/cap/{drafted['id']}.xml")).status_code == 404
        status, _ = await one.call("POST", f"/v1/alerts/{drafted['id']}/approve")
        assert status < 300
        assert seal_of(await own(one, drafted["id"]), town) is Seal.VALID


async def test_a_renewed_certificate_signs_what_was_published_before(tmp_path: Path) -> None:
    town = elliptic(at=now())
    town.write(tmp_path)
    async with house(tmp_path, SIGN) as one:
        await one.enrol("here")
        alert_id = await one.send()
        await one.settled(alert_id)
        before = await fetched(one, f"/cap/{alert_id}.xml")
        renewed = classic(at=now(), days=60)
        renewed.write(tmp_path)
        await reloaded(one)
        after = await fetched(one, f"/cap/{alert_id}.xml", if_none_match=before.headers["etag"])
        assert after.status_code == 200
        assert (seal_of(before.content, town), seal_of(after.content, renewed)) == (Seal.VALID, Seal.VALID)
        assert after.headers["etag"] != before.headers["etag"]
        assert after.content == await own(one, alert_id)
        bare = (etree.fromstring(response.content) for response in (before, after))
        assert len({etree.tostring(root[0]) + etree.tostring(root[1]) for root in bare}) == 1


async def test_who_does_not_sign_publishes_for_ever(tmp_path: Path) -> None:
    async with house(tmp_path, "") as one:
        await one.enrol("here")
        alert_id = await one.send()
        answer = await fetched(one, f"/cap/{alert_id}.xml")
        assert answer.headers["cache-control"].endswith("immutable")
        assert b"Signature" not in answer.content


async def test_a_certificate_near_its_end_is_a_concern(tmp_path: Path) -> None:
    elliptic(at=now(), days=3.5).write(tmp_path)
    async with house(tmp_path, SIGN) as one:
        concerns = (await one.client.get("/readyz")).json()["concerns"]
        assert [concern for concern in concerns if "CAP documents are signed with ends" in concern]
        elliptic(at=now(), days=300).write(tmp_path)
        await reloaded(one)
        assert not [text for text in (await one.client.get("/readyz")).json()["concerns"] if "signed with" in text]


async def reloaded(one: FakeHouse) -> None:
    """As SIGHUP does it."""
    assert await reload(one.house, one.folder / "alertd.toml")


@pytest.fixture(autouse=True)
def _shipped_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake is no plug-in that an operator could configure."""
    monkeypatch.setattr(import_module("alertd.settings.load"), "installed", lambda: {"fake": lambda: FakeAdapter})


# --- what others post -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def peer() -> Signer:
    return elliptic("Regione", at=now())


async def posting(one: FakeHouse, peer: Signer) -> Desk:
    await one.enrol("here")
    return Desk(one)


async def test_a_signed_document_is_taken_and_its_signer_recorded(tmp_path: Path, peer: Signer) -> None:
    peer.write(tmp_path, "peer")
    async with house(tmp_path, REQUIRED) as one:
        desk = await posting(one, peer)
        code, answer = await desk.post(peer.sign(document()))
        assert code == 202
        assert answer["signature"] == {"result": "valid", "detail": "CN=Regione"}
        assert answer["violations"] == []
        await one.settled(answer["id"])
        assert desk.told() == ["here"]
        [row] = [row for row in await desk.audited("alert.accept") if row["subject"] == answer["id"]]
        assert row["details"]["origin"]["signature"] == ["valid", "CN=Regione"]
        assert await desk.post(peer.sign(document())) == (code, answer)
        cancel = peer.sign(document("R-2", "Cancel", references=[name("R-1")]))
        assert (await desk.post(cancel))[0] == 202


async def test_a_signature_made_anew_makes_no_other_message(tmp_path: Path, peer: Signer) -> None:
    renewed = Signer(peer.key, "Regione", at=now())
    (tmp_path / "peer.pem").write_bytes(peer.pem + renewed.pem)
    async with house(tmp_path, REQUIRED) as one:
        desk = await posting(one, peer)
        first = await desk.post(peer.sign(document()))
        assert await desk.post(renewed.sign(document())) == first


@pytest.mark.parametrize("kind", ["Alert", "Update", "Cancel", "Ack"])
@pytest.mark.parametrize("terms", ["", TRUST, REQUIRED])
async def test_what_was_altered_is_refused(tmp_path: Path, peer: Signer, terms: str, kind: str) -> None:
    peer.write(tmp_path, "peer")
    async with house(tmp_path, terms) as one:
        desk = await posting(one, peer)
        if kind != "Alert":
            await desk.sent(peer.sign(document()))
        told = desk.told()
        before = await desk.everything()
        references = [] if kind == "Alert" else [name("R-1")]
        forged = peer.sign(document("R-2", kind, references=references, more="<note>a</note>"))
        code, problem = await desk.post(forged.replace(b"<note>a", b"<note>b"))
        assert code == 422
        assert problem["errors"][0]["loc"] == ["body", "signature"]
        assert "its signature is invalid" in problem["errors"][0]["msg"]
        assert (await desk.everything(), desk.told()) == (before, told)


async def test_where_it_is_required_nothing_else_is_taken(tmp_path: Path, peer: Signer) -> None:
    peer.write(tmp_path, "peer")
    stranger = classic("Somebody", at=now())
    async with house(tmp_path, REQUIRED) as one:
        desk = await posting(one, peer)
        for data, says in (
            (document(), "it has none"),
            (stranger.sign(document()), "nobody who is trusted"),
            (peer.sign(document()).replace(b"ecdsa-sha256", b"ecdsa-sha1"), "SHA-1"),
        ):
            code, problem = await desk.post(data)
            assert code == 422
            assert "a valid signature is required" in problem["errors"][0]["msg"]
            assert says in problem["errors"][0]["msg"]
        assert await desk.everything() == []


async def test_where_it_is_not_required_it_is_only_recorded(tmp_path: Path, peer: Signer) -> None:
    async with house(tmp_path, "") as one:
        desk = await posting(one, peer)
        code, answer = await desk.post(peer.sign(document()))
        assert (code, answer["signature"]["result"]) == (202, "unverifiable")
        assert "CN=Regione" in answer["signature"]["detail"]
        code, answer = await desk.post(document("R-2"))
        assert (code, answer["signature"]) == (202, {"result": "none", "detail": ""})


async def test_a_genuine_document_wrapped_in_a_forged_one_is_refused(tmp_path: Path, peer: Signer) -> None:
    peer.write(tmp_path, "peer")
    genuine = peer.sign(document()).partition(b"?>")[2].strip()
    forged = document("R-9").partition(b"?>")[2].strip()
    mark = genuine[genuine.index(b"<ds:Signature") : genuine.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    async with house(tmp_path, REQUIRED) as one:
        desk = await posting(one, peer)
        for data in (
            forged.replace(b"</alert>", genuine + b"</alert>"),
            forged.replace(b"</alert>", mark + b"</alert>"),
            genuine.replace(mark, mark + mark),
        ):
            assert (await desk.post(data))[0] == 422
        assert await desk.everything() == []


async def test_only_what_was_signed_is_sent(tmp_path: Path, peer: Signer) -> None:
    """A comment is not signed, and makes no difference to what is."""
    peer.write(tmp_path, "peer")
    data = peer.sign(document()).replace(b"Allerta arancione", b"Allerta <!-- verde -->arancione")
    async with house(tmp_path, REQUIRED) as one:
        desk = await posting(one, peer)
        sent = await desk.alert(await desk.sent(data))
        assert sent["info"][0]["headline"] == "Allerta arancione"
        code, _ = await desk.post(data.replace(b"arancione", b"rossa"))
        assert code == 422


async def test_a_preview_is_refused_alike(tmp_path: Path, peer: Signer) -> None:
    async with house(tmp_path, "") as one:
        await one.enrol("here")
        headers = {"Authorization": f"Bearer {one.tokens['admin']}", "Content-Type": MEDIA_TYPE}
        signed = peer.sign(document())
        for data, code in ((signed, 200), (signed.replace(b"arancione", b"verde"), 422)):
            answer = await one.client.post("/v1/previews", content=data, headers=headers)
            assert answer.status_code == code


async def test_a_certificate_that_expired_keeps_nobody_from_being_warned(tmp_path: Path) -> None:
    town = elliptic(at=now() - timedelta(days=60))
    town.write(tmp_path)
    elliptic(at=now()).write(tmp_path, "good")
    settings_of(
        tmp_path, CHANNELS + SIGN.format(folder=tmp_path).replace("cap.key", "good.key").replace("cap.pem", "good.pem")
    )
    file = tmp_path / "alertd.toml"
    file.write_text(file.read_text().replace("good.", "cap."))
    settings = load_to_start(file, environ={}, adapters={"fake": lambda: FakeAdapter})
    async with build(settings) as built, living(built, Notifier(None)):
        admin = (tmp_path / "state" / "bootstrap-token").read_text().strip()
        transport = httpx.ASGITransport(built.web)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            one = FakeHouse(built, client, {"admin": admin}, tmp_path)
            await one.enrol("here")
            alert_id = await one.send()
            await one.settled(alert_id)
            assert seal_of((await fetched(one, f"/cap/{alert_id}.xml")).content, town) is Seal.NONE
            concerns = (await client.get("/readyz")).json()["concerns"]
            assert [concern for concern in concerns if concern.startswith("1 faults in the configuration")]
            assert not await reload(built, file)
            elliptic(at=now(), days=300).write(tmp_path)
            assert await reload(built, file)
            assert b"Signature" in (await fetched(one, f"/cap/{alert_id}.xml")).content
            assert (await client.get("/readyz")).json()["concerns"] == []
