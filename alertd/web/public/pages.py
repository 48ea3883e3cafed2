"""The alerts: the home page, and one page for each."""

from collections.abc import Sequence
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.domain.alert import AlertState, MsgType
from alertd.domain.priority import priority_of
from alertd.domain.problems import NotFound
from alertd.ports.stores.intake import StoredAlert
from alertd.web.public.kept import answer
from alertd.web.public.language import asked, chosen
from alertd.web.public.site import HTML, Site
from alertd.web.public.view import AlertView, Standing, public, standing_of, view_of

LIVE: Final = (AlertState.PENDING, AlertState.ACTIVE, AlertState.COMPLETE)
MOST_LIVE: Final = 200
PAST_SHOWN: Final = 30
MAX_AGE: Final = 5
"""Seconds a proxy or a browser may show a page again without asking."""

_BIGGEST_SEQ = 2**63 - 1


def add(router: APIRouter, site: Site) -> None:
    @router.api_route("/", methods=["GET", "HEAD"])
    async def home(request: Request) -> Response:
        before = _before(request)
        key = f"home {chosen(request)} {asked(request)} {before}"
        copy = await site.kept.get(key, lambda: _home(site, request, before))
        return answer(request, copy, media_type=HTML, max_age=MAX_AGE, vary="Accept-Language")

    @router.api_route("/alerts/{alert_id}", methods=["GET", "HEAD"])
    async def alert(request: Request, alert_id: str) -> Response:
        key = f"alert {chosen(request)} {asked(request)} {alert_id}"
        copy = await site.kept.get(key, lambda: _alert(site, request, alert_id))
        return answer(request, copy, media_type=HTML, max_age=MAX_AGE, vary="Accept-Language")


async def _home(site: Site, request: Request, before: int | None) -> bytes:
    store, now = site.services.reports.store, site.services.clock.now()
    current: list[StoredAlert] = []
    if before is None:
        alive = await store.list_alerts(limit=MOST_LIVE, states=LIVE, public=True)
        current = [s for s in alive if public(s) and standing_of(s, now) is Standing.CURRENT]
        current.sort(key=lambda stored: (priority_of(stored.alert), -stored.seq))
    listed = await store.list_alerts(limit=PAST_SHOWN, before=before, public=True)
    past = [s for s in listed if public(s) and _over(s, standing_of(s, now))]
    older = listed[-1].seq if len(listed) == PAST_SHOWN else None
    return site.render(
        request,
        "home.html",
        current=_views(site, request, current),
        past=_views(site, request, past),
        older=older,
        first=before is None,
    )


async def _alert(site: Site, request: Request, alert_id: str) -> bytes:
    stored = _public(await site.services.reports.store.get_alert(alert_id))
    previous = None
    if stored.alert.msg_type is MsgType.CANCEL and stored.ancestors:
        previous = (await site.services.reports.store.get_alert(stored.ancestors[0])).alert
    view = view_of(
        stored,
        language=chosen(request),
        service=site.services.service(),
        now=site.services.clock.now(),
        previous=previous,
    )
    return site.render(request, "alert.html", alert=view)


def _views(site: Site, request: Request, alerts: Sequence[StoredAlert]) -> list[AlertView]:
    service, now = site.services.service(), site.services.clock.now()
    return [view_of(s, language=chosen(request), service=service, now=now) for s in alerts]


def _over(stored: StoredAlert, standing: Standing) -> bool:
    """A Cancel needs no line of its own: the alert it took back has one that says so."""
    return standing is not Standing.CURRENT and stored.alert.msg_type is not MsgType.CANCEL


def _public(stored: StoredAlert) -> StoredAlert:
    """Raises NotFound for what the public may not see, as if it were not there."""
    if not public(stored):
        raise NotFound("there is no such alert")
    return stored


def _before(request: Request) -> int | None:
    text = request.query_params.get("before", "")
    return min(int(text[:19]), _BIGGEST_SEQ) if text.isascii() and text.isdigit() else None
