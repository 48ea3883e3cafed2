"""The citizens' pages: plain, small, readable without JavaScript, and telling first who speaks."""

import structlog
from fastapi import APIRouter

from alertd.core.citizens.optin import OptIn
from alertd.web.public import acts, assets, cap, feeds, pages, signup
from alertd.web.public.kept import Kept
from alertd.web.public.site import Site, environment, guarded
from alertd.web.public.visitor import Visitors
from alertd.web.services import Services


def router(services: Services) -> APIRouter:
    """All public routes."""
    optin = OptIn(
        mailer=services.channels,
        links=services.links,
        service=services.service,
        clock=services.clock,
        log=structlog.get_logger("alertd.optin"),
    )
    site = Site(
        services=services,
        pages=environment(),
        visitors=Visitors(services.clock, trust_forwarded=services.trust_forwarded),
        kept=Kept(services.clock),
        optin=optin,
    )
    public = APIRouter(route_class=guarded(site), include_in_schema=False)
    for part in (feeds, cap, pages, signup, acts, assets):  # most asked for first: a route is looked for in this order
        part.add(public, site)
    return public
