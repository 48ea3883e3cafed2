"""`/confirm/{t}` and `/unsubscribe/{t}`: a GET only shows, because mail scanners follow links; a POST acts."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.core.citizens.links import Wish
from alertd.core.citizens.subscriber_form import form_of
from alertd.domain.alert import WHOLE_TERRITORY
from alertd.domain.problems import Invalid
from alertd.domain.subscriber import mask
from alertd.web.public.signup import read_body
from alertd.web.public.site import Refused, Site
from alertd.web.public.visitor import is_foreign

ONE_CLICK = b"List-Unsubscribe=One-Click"


def add(router: APIRouter, site: Site) -> None:
    _confirming(router, site)
    _leaving(router, site)


def _confirming(router: APIRouter, site: Site) -> None:
    links, subscribers = site.services.links, site.services.subscribers

    @router.api_route("/confirm/{token}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        wish = links.confirmed(token)
        if wish is None:
            return site.say(request, "stale", 404)
        return site.html(request, "confirm.html", wish=wish, address=mask(wish.address), zones=_zone_names(site, wish))

    @router.post("/confirm/{token}")
    async def act(request: Request, token: str) -> Response:
        if is_foreign(request, site.services.service().public_url):
            raise Refused(403, "foreign")
        wish = links.confirmed(token)
        if wish is None:
            return site.say(request, "stale", 404)
        try:
            await subscribers.enrol(form_of(wish), source="web")
        except Invalid:  # a zone or a channel that was there two days ago is no longer configured
            return site.say(request, "stale", 404)
        return site.say(request, "confirmed")


def _leaving(router: APIRouter, site: Site) -> None:
    links, subscribers = site.services.links, site.services.subscribers

    @router.api_route("/unsubscribe/{token}", methods=["GET", "HEAD"])
    async def show(request: Request, token: str) -> Response:
        if links.unsubscribed(token) is None:
            return site.say(request, "stale", 404)
        return site.html(request, "unsubscribe.html")

    @router.post("/unsubscribe/{token}")
    async def act(request: Request, token: str) -> Response:
        """The button, or a mail provider's one-click request (RFC 8058), which may come from anywhere.

        Told the same whether the endpoint was there or not.
        """
        one_click = ONE_CLICK in await read_body(request)
        if not one_click and is_foreign(request, site.services.service().public_url):
            raise Refused(403, "foreign")
        endpoint_id = links.unsubscribed(token)
        if endpoint_id is None:
            return site.say(request, "stale", 404)
        await subscribers.unsubscribe(endpoint_id)
        return site.say(request, "unsubscribed")


def _zone_names(site: Site, wish: Wish) -> list[str]:
    """Names of the zones; empty for the whole territory."""
    if WHOLE_TERRITORY in wish.zones:
        return []
    found = (site.services.territory().find(code) for code in wish.zones)
    return [zone.name for zone in found if zone is not None]
