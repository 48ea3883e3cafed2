"""`/feed.atom` and `/feed.rss` for what is real, `/feed-exercise.atom` for drills and tests, never one in the other.

`?purpose=emergency` (service, event) leaves only those. Without a public address in the configuration the links begin
with the one the reader used.
"""

import re
from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.domain.alert import Purpose
from alertd.domain.problems import NotFound
from alertd.web.public.feeds.formats import ATOM_FORMAT, RSS_FORMAT, Format
from alertd.web.public.feeds.shelf import Shelf, Which
from alertd.web.public.representation import respond
from alertd.web.public.site import Site

FRESH: Final = "public, max-age=15"
FEEDS: Final = (
    ("/feed.atom", ATOM_FORMAT, True),
    ("/feed.rss", RSS_FORMAT, True),
    ("/feed-exercise.atom", ATOM_FORMAT, False),
)
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?")


def add(router: APIRouter, site: Site) -> None:
    shelf = Shelf(site.services)
    for path, kind, real in FEEDS:
        _feed(router, site, shelf, path, kind, real=real)


def _feed(router: APIRouter, site: Site, shelf: Shelf, path: str, kind: Format, *, real: bool) -> None:
    @router.api_route(path, methods=["GET", "HEAD"])
    async def feed(request: Request) -> Response:
        purpose = _purpose(request)
        own = path if purpose is None else f"{path}?purpose={purpose}"
        shown = await shelf.get(Which(kind, own, real, purpose, _base(request, site)))
        return respond(request, shown, cache_control=FRESH, now=site.services.clock.now())


def _purpose(request: Request) -> Purpose | None:
    """Raises NotFound for a word that is no purpose: an empty feed would look like good news."""
    asked = request.query_params.get("purpose")
    if asked is None:
        return None
    try:
        return Purpose(asked)
    except ValueError:
        raise NotFound("there is no such purpose") from None


def _base(request: Request, site: Site) -> str:
    """No trailing slash. Empty, so that links are relative, where the reader says no sane Host."""
    if public_url := site.services.service().public_url:
        return public_url
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host}" if _HOST.fullmatch(host) else ""
