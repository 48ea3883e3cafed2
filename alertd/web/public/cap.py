"""Each alert as its CAP document, which never changes: drills and tests too, which say in it that they are.

Where documents are signed, what one says never changes, but its signature does when the certificate is renewed. So
nobody is told that a signed copy holds for ever: it is fresh for a day, after which its ETag is asked about.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.cap.writer import MEDIA_TYPE
from alertd.domain.alert import Alert, Status
from alertd.domain.problems import NotFound
from alertd.ports.stores.intake import StoredAlert
from alertd.web.documents import published
from alertd.web.public.representation import Representation, respond
from alertd.web.public.site import Site

FOR_EVER: Final = "public, max-age=31536000, immutable"
A_DAY: Final = "public, max-age=86400"
MOST_BYTES: Final = 16 << 20
AT_ONCE: Final = 2
"""Documents made at the same time: whoever asks for every old one must not take the machine from a new one."""

Name = tuple[str, str]
"""The mark of the seal, and the identifier."""


Make = Callable[[], Awaitable[tuple[Representation, Status]]]


class Kept:
    """The documents asked for last, so that a crowd costs one reading, one writing and one signature of each."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._documents: OrderedDict[Name, tuple[Representation, Status]] = OrderedDict()
        self._making: dict[Name, asyncio.Lock] = {}

    async def get(self, name: Name, make: Make) -> tuple[Representation, Status]:
        """Made by one caller while the others wait for it."""
        if (found := self._documents.get(name)) is not None:
            return found
        lock = self._making.setdefault(name, asyncio.Lock())
        try:
            async with lock:
                if (found := self._documents.get(name)) is None:
                    found = await make()
                    self._put(name, *found)
                return found
        finally:
            if not lock.locked():
                self._making.pop(name, None)

    def _put(self, name: Name, document: Representation, status: Status) -> None:
        if name not in self._documents:
            self._documents[name] = (document, status)
            self._bytes += _size(document)
        while self._bytes > self._most:
            _, (oldest, _) = self._documents.popitem(last=False)
            self._bytes -= _size(oldest)


def add(router: APIRouter, site: Site) -> None:
    kept, services = Kept(), site.services
    signing = asyncio.Semaphore(AT_ONCE)

    @router.api_route("/cap/{identifier:path}.xml", methods=["GET", "HEAD"])
    async def cap(request: Request, identifier: str) -> Response:
        async def make() -> tuple[Representation, Status]:
            alert = _told(await services.reports.store.find_by_identifier(identifier))
            async with signing:
                return await asyncio.to_thread(_represented, site, alert, signed=bool(mark)), alert.status

        mark = services.documents.mark()
        document, status = await kept.get((mark, identifier), make)
        fresh = A_DAY if mark else FOR_EVER
        response = respond(request, document, cache_control=fresh, now=services.clock.now())
        if not status.is_real:
            response.headers["Content-Disposition"] = f'inline; filename="{status.lower()}.xml"'
            response.headers["X-Robots-Tag"] = "noindex"
        return response


def _size(document: Representation) -> int:
    return len(document.body) + len(document.gzipped)


def _represented(site: Site, alert: Alert, *, signed: bool) -> Representation:
    """A signed document has its ETag alone: when the alert was sent says nothing of its signature."""
    modified = None if signed else datetime.fromisoformat(alert.sent)
    return Representation.of(site.services.documents.of(alert), MEDIA_TYPE, modified)


def _told(stored: StoredAlert) -> Alert:
    """Raises NotFound for what was never sent to the public or to its drills, as if it were not there."""
    if not published(stored):
        raise NotFound("there is no such alert")
    return stored.alert
