"""Each alert as its CAP document, which never changes: drills and tests too, which say in it that they are."""

from collections import OrderedDict
from datetime import datetime
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.cap.writer import MEDIA_TYPE
from alertd.domain.alert import Alert, AlertState, MsgType, Scope, Status
from alertd.domain.problems import NotFound
from alertd.ports.stores.intake import StoredAlert
from alertd.web.public.representation import Representation, respond
from alertd.web.public.site import Site

FOR_EVER: Final = "public, max-age=31536000, immutable"
MOST_BYTES: Final = 16 << 20
_UNDECIDED: Final = frozenset({AlertState.DRAFT, AlertState.REJECTED})
_ABOUT_ALERTS: Final = frozenset({MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL})


class Kept:
    """The documents asked for last, so that a crowd costs one reading and one writing of each."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._documents: OrderedDict[str, tuple[Representation, Status]] = OrderedDict()

    def get(self, identifier: str) -> tuple[Representation, Status] | None:
        return self._documents.get(identifier)

    def put(self, identifier: str, document: Representation, status: Status) -> None:
        if identifier not in self._documents:
            self._documents[identifier] = (document, status)
            self._bytes += _size(document)
        while self._bytes > self._most:
            _, (oldest, _) = self._documents.popitem(last=False)
            self._bytes -= _size(oldest)


def add(router: APIRouter, site: Site) -> None:
    kept = Kept()

    @router.api_route("/cap/{identifier:path}.xml", methods=["GET", "HEAD"])
    async def cap(request: Request, identifier: str) -> Response:
        found = kept.get(identifier)
        if found is None:
            alert = _told(await site.services.reports.store.find_by_identifier(identifier))
            found = (_represented(site, alert), alert.status)
            kept.put(identifier, *found)
        document, status = found
        response = respond(request, document, cache_control=FOR_EVER, now=site.services.clock.now())
        if not status.is_real:
            response.headers["Content-Disposition"] = f'inline; filename="{status.lower()}.xml"'
            response.headers["X-Robots-Tag"] = "noindex"
        return response


def _size(document: Representation) -> int:
    return len(document.body) + len(document.gzipped)


def _represented(site: Site, alert: Alert) -> Representation:
    return Representation.of(site.services.documents.of(alert), MEDIA_TYPE, datetime.fromisoformat(alert.sent))


def _told(stored: StoredAlert) -> Alert:
    """Raises NotFound for what was never sent to the public or to its drills, as if it were not there."""
    alert = stored.alert
    hidden = alert.status is Status.DRAFT or stored.state in _UNDECIDED
    if hidden or alert.scope is not Scope.PUBLIC or alert.msg_type not in _ABOUT_ALERTS:
        raise NotFound("there is no such alert")
    return alert
