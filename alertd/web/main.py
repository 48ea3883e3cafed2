"""The application: every router of the API and of the public pages, inside what surrounds every request."""

from typing import Any

from fastapi import FastAPI
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

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
    app = _App(
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
    for router in (
        public.router(services),  # most asked for, so looked through first; what is hot of the others goes past it
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
    ):
        app.include_router(router)
    app.add_middleware(BodyLimit, limit=MEBIBYTE, larger=_LARGER)
    app.add_middleware(Envelope)
    send_alert = ExceptionMiddleware(sending.asgi(services), app.exception_handlers)
    app.posts["/v1/alerts"] = Envelope(BodyLimit(send_alert, limit=MEBIBYTE))
    return app


class _App(docs.DocumentedApp):
    """Calls of `posts` (by path) go past the framework: matching, telemetry and exit stacks cost a hot call more
    than all that it does. The routers document them, and the same layers of ours surround them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.posts: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hot = self.posts.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if hot is None:
            await super().__call__(scope, receive, send)
        else:
            scope["app"] = self
            await hot(scope, receive, send)
