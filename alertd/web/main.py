"""The application: every router of the API and of the public pages, inside what surrounds every request."""

from fastapi import FastAPI

from alertd import __version__
from alertd.web import problems, public
from alertd.web.api import (
    alerts,
    audit,
    channels,
    decisions,
    deliveries,
    docs,
    events,
    health,
    ingest,
    metrics,
    previews,
    sending,
    subscribers,
)
from alertd.web.middleware import MEBIBYTE, BodyLimit, Envelope
from alertd.web.services import Services

_LARGER = {"/v1/subscribers/import": 512 * MEBIBYTE}
"""An import is read as a stream, a batch at a time; its bound is there to end, not to fit in memory."""


def create_app(services: Services) -> FastAPI:
    """The web floor on these services. No lifespan of its own: app.py opens and closes everything.

    `app.state.streams.close()` ends the open event streams: call it when the daemon stops.
    """
    app = docs.DocumentedApp(
        title="alertd",
        version=__version__,
        summary="One alert in, every channel out, a receipt for every recipient.",
        openapi_tags=docs.TAGS,
        docs_url=None,  # the framework's pages load scripts from strangers
        redoc_url=None,
        redirect_slashes=False,
    )
    streams = events.Streams()
    app.state.streams = streams
    problems.install(app)
    # The hot call is matched first, on a plain route; the router below documents it.
    app.add_route("/v1/alerts", sending.sender(services), methods=["POST"], include_in_schema=False)
    for router in (
        sending.router(services),
        decisions.router(services),
        deliveries.router(services),
        events.router(services, streams),
        alerts.router(services),
        previews.router(services),
        channels.router(services),
        subscribers.router(services),
        ingest.router(services),
        audit.router(services),
        metrics.router(services),
        health.router(services),
        public.router(services),
    ):
        app.include_router(router)
    app.add_middleware(BodyLimit, limit=MEBIBYTE, larger=_LARGER)
    app.add_middleware(Envelope)
    return app
