"""Fetching from servers that are slow, broken, huge or somebody else: bounded, and said in one sentence."""

import tracemalloc

import pytest

from alertd.ingest.fetch import Bounds, Tag, Unfetched, fetch, session
from tests.support.feed_server import GIGABYTE, feed_server

OCTETS = 1 << 20


def _bounds(url: str, **changes: object) -> Bounds:
    host = url.removeprefix("http://")
    return Bounds(**{"seconds": 5.0, "octets": OCTETS, "hosts": frozenset({host}), "plain": True, **changes})  # type: ignore[arg-type]


async def test_what_has_not_changed_is_not_sent_again() -> None:
    async with feed_server() as server, session(None) as opened:
        server.document("/feed", b"<feed/>", etag='"one"')
        first = await fetch(opened, f"{server.url}/feed", _bounds(server.url))
        assert first is not None
        assert (first.body, first.tag.etag) == (b"<feed/>", '"one"')
        assert await fetch(opened, f"{server.url}/feed", _bounds(server.url), first.tag) is None
        assert server.asked[-1] == ("/feed", '"one"')


@pytest.mark.parametrize("declared", [True, False])
async def test_a_gigabyte_costs_no_more_than_the_bound(declared: bool) -> None:
    async with feed_server() as server, session(None) as opened:
        server.endless("/huge", declared=declared)
        tracemalloc.start()
        try:
            with pytest.raises(Unfetched, match="more than 1048576 bytes"):
                await fetch(opened, f"{server.url}/huge", _bounds(server.url))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert server.sent < GIGABYTE / 10
        assert peak < 16 * OCTETS


async def test_a_bomb_is_not_unpacked() -> None:
    async with feed_server() as server, session(None) as opened:
        server.zipped("/bomb", bytes(64 << 20))
        server.zipped("/fits", b"<feed/>")
        with pytest.raises(Unfetched, match="more than"):
            await fetch(opened, f"{server.url}/bomb", _bounds(server.url))
        fits = await fetch(opened, f"{server.url}/fits", _bounds(server.url))
        assert fits is not None
        assert fits.body == b"<feed/>"


@pytest.mark.parametrize(
    ("body", "kind"), [(b"<feed/>", "text/html"), (b"\n <!DOCTYPE html><p>Maintenance", "application/json")]
)
async def test_a_web_page_is_named_as_one(body: bytes, kind: str) -> None:
    async with feed_server() as server, session(None) as opened:
        server.document("/feed", body, kind=kind)
        with pytest.raises(Unfetched, match="HTML"):
            await fetch(opened, f"{server.url}/feed", _bounds(server.url))


@pytest.mark.parametrize("status", [404, 429, 500, 503])
async def test_an_error_is_named_by_its_number(status: int) -> None:
    async with feed_server() as server, session(None) as opened:
        server.document("/feed", b"", status=status)
        with pytest.raises(Unfetched, match=str(status)):
            await fetch(opened, f"{server.url}/feed", _bounds(server.url))


async def test_nothing_is_an_answer_too() -> None:
    async with feed_server() as server, session(None) as opened:
        server.document("/feed", b"", status=204)
        answer = await fetch(opened, f"{server.url}/feed", _bounds(server.url))
        assert answer is not None
        assert answer.body == b""


async def test_one_that_hangs_is_left() -> None:
    async with feed_server() as server, session(None) as opened:
        server.hang("/feed")
        with pytest.raises(Unfetched, match=r"within 0\.2 s"):
            await fetch(opened, f"{server.url}/feed", _bounds(server.url, seconds=0.2))


async def test_one_that_is_not_there_is_named() -> None:
    async with feed_server() as server:
        gone = server.url
    async with session(None) as opened:
        with pytest.raises(Unfetched, match="cannot be reached"):
            await fetch(opened, f"{gone}/feed", _bounds(gone))


async def test_it_leads_nowhere_else() -> None:
    """Neither a redirect nor a link may make us ask an address of the house."""
    async with feed_server() as server, feed_server() as other, session(None) as opened:
        other.document("/secret", b"<secret/>")
        server.redirect("/away", f"{other.url}/secret")
        server.redirect("/round", "/round")
        server.redirect("/plain", "/feed")
        server.document("/feed", b"<feed/>")
        with pytest.raises(Unfetched, match="neither the source's own host"):
            await fetch(opened, f"{server.url}/away", _bounds(server.url))
        with pytest.raises(Unfetched, match="redirects more than 3 times"):
            await fetch(opened, f"{server.url}/round", _bounds(server.url))
        with pytest.raises(Unfetched, match="not https"):
            await fetch(opened, f"{server.url}/feed", _bounds(server.url, plain=False))
        with pytest.raises(Unfetched, match=r"no address|not https"):
            await fetch(opened, "file:///etc/passwd", _bounds(server.url))
        followed = await fetch(opened, f"{server.url}/plain", _bounds(server.url), Tag())
        assert followed is not None
        assert other.asked == []
