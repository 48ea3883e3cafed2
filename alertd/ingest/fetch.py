"""One document over HTTPS, whatever the other side does: bounded in time, in bytes and in where it leads."""

import asyncio
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import urljoin, urlsplit

import aiohttp

from alertd import __version__
from alertd.ingest.source import Polled

MAX_REDIRECTS: Final = 3
_CHUNK: Final = 64 * 1024
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_UNCHANGED, _EMPTY, _OK = 304, 204, 200
_GONE: Final = frozenset({404, 410})
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_HTML_BEGINS: Final = (b"<!doctype html", b"<html")
_GZIP: Final = 16 + zlib.MAX_WBITS


class Unfetched(Exception):
    """Why there is no document, in a sentence for the operator; no address with its query in it. `gone`: the server
    says that there is none (404 or 410; RFC 9110, 15.5.5 and 15.5.11)."""

    def __init__(self, why: str, *, gone: bool = False) -> None:
        super().__init__(why)
        self.gone = gone


class Tag(NamedTuple):
    """What the server called this version of the document (RFC 9110, 8.8)."""

    etag: str = ""
    modified: str = ""


class Fetched(NamedTuple):
    """`body` is empty where the server has nothing (204)."""

    body: bytes
    tag: Tag = Tag()


@dataclass(frozen=True, slots=True)
class Bounds:
    """`seconds` for the whole exchange, redirects included; `octets` of the body once decompressed; `hosts` (with the
    port where it is not the scheme's own) that may be asked; `plain`: without TLS too."""

    seconds: float
    octets: int
    hosts: frozenset[str]
    plain: bool = False

    @classmethod
    def of(cls, way: Polled) -> "Bounds":
        hosts = frozenset({_host(way.url), *(host.lower() for host in way.hosts)})
        return cls(way.timeout.total_seconds(), way.max_bytes, hosts, way.allow_http)

    def allow(self, url: str) -> None:
        """Raises Unfetched unless this address may be asked."""
        try:
            parts = urlsplit(url)
            host = _host(url)
        except ValueError:
            raise Unfetched("a link leads to no address at all") from None
        if parts.scheme != "https" and not (self.plain and parts.scheme == "http"):
            raise Unfetched(f"{host or 'a link'} is not asked: {parts.scheme or 'no scheme'} is not https")
        if host not in self.hosts or parts.username:
            raise Unfetched(f"{host[:100]} is not asked: it is neither the source's own host nor among its `hosts`")


def _host(url: str) -> str:
    """The host, with its port unless that is the scheme's own."""
    parts = urlsplit(url)
    port = parts.port
    own = {"https": 443, "http": 80}.get(parts.scheme)
    host = (parts.hostname or "").lower()
    return host if port in (None, own) else f"{host}:{port}"


@asynccontextmanager
async def session(ca_file: Path | None) -> AsyncIterator[aiohttp.ClientSession]:
    """Connections of one source: no cookies, no proxy of the environment, nothing decompressed unseen."""
    context = await asyncio.to_thread(_trusted, ca_file)
    connector = aiohttp.TCPConnector(limit=4, ssl=context)
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": f"alertd/{__version__}", "Accept-Encoding": "gzip"},
    ) as opened:
        yield opened


def _trusted(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context


async def fetch(opened: aiohttp.ClientSession, url: str, bounds: Bounds, known: Tag = Tag()) -> Fetched | None:  # noqa: B008 - a constant
    """The document at `url`; None where it is still the version that is `known`. Raises Unfetched."""
    try:
        async with asyncio.timeout(bounds.seconds):
            return await _followed(opened, url, bounds, known)
    except TimeoutError:
        raise Unfetched(f"no whole answer within {bounds.seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise Unfetched(_plainly(error)) from None


async def _followed(opened: aiohttp.ClientSession, url: str, bounds: Bounds, known: Tag) -> Fetched | None:
    for _ in range(MAX_REDIRECTS + 1):
        bounds.allow(url)
        timeout = aiohttp.ClientTimeout(total=bounds.seconds)
        conditions = _conditions(known)
        async with opened.get(url, headers=conditions, allow_redirects=False, timeout=timeout) as answer:
            if answer.status not in _REDIRECTS:
                return await _answered(answer, bounds)
            url = urljoin(url, answer.headers.get("Location", ""))
            answer.close()
    raise Unfetched(f"it redirects more than {MAX_REDIRECTS} times")


def _conditions(known: Tag) -> dict[str, str]:
    """RFC 9110, 13.1.2 and 13.1.3."""
    given = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    return {name: value for name, value in given.items() if value}


async def _answered(answer: aiohttp.ClientResponse, bounds: Bounds) -> Fetched | None:
    if answer.status == _UNCHANGED:
        return None
    if answer.status == _EMPTY:
        return Fetched(b"")
    if answer.status != _OK:
        answer.close()
        raise Unfetched(f"it answers {answer.status}", gone=answer.status in _GONE)
    kind = answer.content_type.lower()
    body = await _whole(answer, bounds.octets)
    if kind in _HTML or body[:512].lstrip().lower().startswith(_HTML_BEGINS):
        raise Unfetched("it answers with a web page (HTML), not with data")
    return Fetched(body, Tag(answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")))


async def _whole(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body, decompressed as it comes, so that neither a long one nor a bomb costs more than `limit`."""
    too_large = f"its answer has more than {limit} bytes"
    coding = answer.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in ("identity", "gzip", "x-gzip", ""):
        answer.close()
        raise Unfetched(f"it answers in the coding {coding[:20]!r}, which was not asked for")
    if (answer.content_length or 0) > limit:
        answer.close()
        raise Unfetched(too_large)
    unzip = zlib.decompressobj(_GZIP) if coding.endswith("gzip") else None
    body = bytearray()
    async for chunk in answer.content.iter_chunked(_CHUNK):
        try:
            body += chunk if unzip is None else unzip.decompress(chunk, limit + 1 - len(body))
        except zlib.error:
            answer.close()
            raise Unfetched("its answer is no gzip, though it says so") from None
        if len(body) > limit:
            answer.close()
            raise Unfetched(too_large)
    if unzip is not None and not unzip.eof:
        raise Unfetched("its answer breaks off")
    return bytes(body)


def _plainly(error: Exception) -> str:
    """No address: it may carry a key."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return "its certificate is not trusted"
        case aiohttp.ClientConnectorError():
            return f"it cannot be reached: {error.os_error.strerror or type(error.os_error).__name__}"
        case aiohttp.ClientPayloadError() | aiohttp.ServerDisconnectedError():
            return "its answer breaks off"
        case _:
            return f"it cannot be asked: {type(error).__name__}"
