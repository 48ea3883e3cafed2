"""The feeds of the real daemon, over a real connection: as a stranger with no token reads them."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from lxml import etree

from alertd.domain.alert import Status
from tests.integration.api_stand import ALERT, Stand, citizen, standing
from tests.support.crowd import fill

SCHEMA = Path(__file__).parents[3] / "shared" / "standards" / "CAP-v1.2.xsd"
ATOM = {"a": "http://www.w3.org/2005/Atom"}
CAP = {"c": "urn:oasis:names:tc:emergency:cap:1.2"}
EVERY = ("alerts:send", "alerts:read", "alerts:approve", "subscribers:write")
MANY = 10_000


@asynccontextmanager
async def stranger(stand: Stand) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stand.url, timeout=60, trust_env=False, verify=False) as client:
        yield client


async def documents(client: httpx.AsyncClient, path: str = "/feed.atom") -> list[str]:
    """The paths of the CAP documents a feed leads to, newest first."""
    feed = etree.fromstring((await client.get(path)).content)
    links = feed.xpath("//a:entry/a:link[@type='application/cap+xml']/@href", namespaces=ATOM) or feed.xpath(
        "//item/link/text()"
    )
    return [urlsplit(str(link)).path for link in links]


async def said(client: httpx.AsyncClient, path: str, name: str) -> str | None:
    document = etree.fromstring((await client.get(path)).content)
    if SCHEMA.exists():
        etree.XMLSchema(etree.parse(SCHEMA)).assertValid(document)
    return document.findtext(f"c:{name}", namespaces=CAP)


async def post(client: httpx.AsyncClient, path: str = "/v1/alerts", **changes: Any) -> dict[str, Any]:
    answer = await client.post(path, json={**ALERT, **changes})
    assert answer.status_code == 202, answer.text
    return answer.json()


async def test_a_daemon_that_never_sent_anything_has_feeds(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand, stranger(stand) as reader:
        for path in ("/feed.atom", "/feed.rss", "/feed-exercise.atom"):
            answer = await reader.get(path)
            assert answer.status_code == 200
            assert await documents(reader, path) == []
            head = await reader.head(path)
            assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", answer.headers["etag"])
        assert (await reader.get("/cap/none.xml")).status_code == 404
        assert (await reader.post("/feed.atom")).status_code == 405


async def test_what_is_sent_is_in_the_feed_at_once_and_a_chain_by_its_last(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand, stranger(stand) as reader, stand.client(*EVERY) as officer:
        await officer.post("/v1/subscribers", json=citizen(1))
        await officer.post("/v1/subscribers", json=citizen(2, cohort="exercise"))
        assert await documents(reader) == []
        first = await post(officer)
        assert await documents(reader) == [f"/cap/{first['identifier']}.xml"]
        assert await documents(reader, "/feed.rss") == await documents(reader)
        drill = await post(officer, status="Exercise")
        assert await documents(reader) == [f"/cap/{first['identifier']}.xml"]
        assert await documents(reader, "/feed-exercise.atom") == [f"/cap/{drill['identifier']}.xml"]
        assert await said(reader, f"/cap/{drill['identifier']}.xml", "status") == "Exercise"
        update = await post(officer, f"/v1/alerts/{first['id']}/update", note="più forte")
        assert await documents(reader) == [f"/cap/{update['identifier']}.xml"]
        assert await said(reader, f"/cap/{update['identifier']}.xml", "references") == ",".join(
            (first["sender"], first["identifier"], first["sent"])
        )
        cancel = (await officer.post(f"/v1/alerts/{update['id']}/cancel")).json()
        assert await documents(reader) == [f"/cap/{cancel['identifier']}.xml"]
        assert await said(reader, f"/cap/{cancel['identifier']}.xml", "msgType") == "Cancel"
        for old in (first, update):
            own = await officer.get(old["links"]["cap"])
            assert (await reader.get(f"/cap/{old['identifier']}.xml")).content == own.content


async def test_a_draft_is_nowhere_until_somebody_else_approves_it(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand, stranger(stand) as reader, stand.client(*EVERY) as officer:
        await officer.post("/v1/subscribers", json=citizen(1))
        drafter = await stand.grant("drafter", "alerts:draft")
        drafts = [(await officer.post("/v1/alerts", json=ALERT, headers=drafter)).json() for _ in range(2)]
        for draft in drafts:
            assert draft["state"] == "draft"
            assert (await reader.get(f"/cap/{draft['identifier']}.xml")).status_code == 404
        assert await documents(reader) == await documents(reader, "/feed-exercise.atom") == []
        assert (await officer.post(f"/v1/alerts/{drafts[0]['id']}/approve")).status_code == 200
        assert (await officer.post(f"/v1/alerts/{drafts[1]['id']}/reject", json={"reason": "no"})).status_code == 200
        assert await documents(reader) == [f"/cap/{drafts[0]['identifier']}.xml"]
        assert (await reader.get(f"/cap/{drafts[0]['identifier']}.xml")).status_code == 200
        assert (await reader.get(f"/cap/{drafts[1]['identifier']}.xml")).status_code == 404


async def test_ten_thousand_alerts(tmp_path: Path) -> None:
    async with standing(tmp_path) as stand, stranger(stand) as reader, stand.client(*EVERY) as officer:
        fill(tmp_path / "state" / "alertd.db", MANY)
        fill(tmp_path / "state" / "alertd.db", 3, status=Status.EXERCISE)
        await officer.post("/v1/subscribers", json=citizen(1))
        async with reader.stream("GET", "/feed.atom", headers={"accept-encoding": "gzip"}) as answer:
            packed = b"".join([part async for part in answer.aiter_raw()])
        whole = etree.fromstring(gzip.decompress(packed))
        assert len(set(whole.xpath("//a:entry/a:id/text()", namespaces=ATOM))) == MANY
        assert "crowdexercise" not in gzip.decompress(packed).decode()
        assert len(await documents(reader, "/feed-exercise.atom")) == 3
        known = {"if-none-match": answer.headers["etag"], "accept-encoding": "gzip"}
        assert (await reader.get("/feed.atom", headers=known)).status_code == 304
        newest = await post(officer)
        async with asyncio.timeout(180):
            while (await reader.get("/feed.atom", headers=known)).status_code == 304:
                await asyncio.sleep(0.1)
        paths = await documents(reader)
        assert (len(paths), paths[0]) == (MANY + 1, f"/cap/{newest['identifier']}.xml")


async def test_documents_and_feeds_outlive_the_daemon(tmp_path: Path) -> None:
    seen: list[tuple[bytes, str]] = []
    for _ in range(2):
        async with standing(tmp_path) as stand, stranger(stand) as reader:
            if not seen:
                fill(tmp_path / "state" / "alertd.db", 5)
            for path in ("/cap/crowdactual00000002.xml", "/feed.atom"):
                answer = await reader.get(path)
                assert answer.status_code == 200
                seen.append((answer.content, answer.headers["etag"]))
    assert seen[:2] == seen[2:]
