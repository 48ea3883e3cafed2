"""What every public page needs: the words, the templates, the headers, and what is done with a visitor's error."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from alertd.core.citizens.optin import OptIn
from alertd.domain.problems import NotFound, Unavailable
from alertd.web.public.kept import Kept
from alertd.web.public.language import asked, chosen
from alertd.web.public.names import OWN_NAMES, own_name
from alertd.web.public.visitor import Visitors
from alertd.web.public.words import LANGUAGES, table
from alertd.web.services import Services

HTML: Final = "text/html"
HERE: Final = Path(__file__).parent
RETRY_SECONDS: Final = 5

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; worker-src 'self'; "
    "img-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

Handler = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """A page that says no: `words` is the key of its title and text."""

    def __init__(self, status: int, words: str, *, retry_after: float = 0) -> None:
        super().__init__(words)
        self.status = status
        self.words = words
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Site:
    """The public pages' own parts beside the services."""

    services: Services
    pages: Environment
    visitors: Visitors
    kept: Kept
    optin: OptIn

    def html(self, request: Request, template: str, status: int = 200, **values: Any) -> Response:
        """A page nobody else may keep."""
        return Response(
            self.render(request, template, **values),
            status,
            media_type=HTML,
            headers={"Cache-Control": "no-store", "Vary": "Accept-Language"},
        )

    def render(self, request: Request, template: str, **values: Any) -> bytes:
        language, explicit = chosen(request), asked(request)
        service = self.services.service()
        return (
            self.pages.get_template(template)
            .render(
                w=table(language),
                lang=language,
                query=f"?lang={explicit}" if explicit else "",
                languages=[(code, OWN_NAMES[code]) for code in LANGUAGES if code != language],
                service=service,
                own_name=own_name,
                **values,
            )
            .encode()
        )

    def say(self, request: Request, words: str, status: int = 200) -> Response:
        """A page with one thing to say."""
        return self.html(request, "said.html", status, words=words)

    def headers(self) -> dict[str, str]:
        """For every answer. HSTS (RFC 6797) only where the site really is on https."""
        headers = {
            "Content-Security-Policy": CSP,
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        }
        if self.services.service().public_url.startswith("https://"):
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return headers


def environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def guarded(site: Site) -> type[APIRoute]:
    """The route class of the public pages: limits first, headers last, and every refusal a readable page."""

    async def answer(handle: Handler, request: Request) -> Response:
        if wait := site.visitors.wait(request):
            return _later(site.say(request, "slow", 429), wait)
        try:
            return await handle(request)
        except NotFound:
            return site.say(request, "missing", 404)
        except Unavailable:
            return _later(site.say(request, "unavailable", 503), RETRY_SECONDS)
        except Refused as refused:
            return _later(site.say(request, refused.words, refused.status), refused.retry_after)

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Any:
            handle = super().get_route_handler()

            async def dressed(request: Request) -> Response:
                response = await answer(handle, request)
                response.headers.update(site.headers())
                return response

            return dressed

    return GuardedRoute


def _later(response: Response, seconds: float) -> Response:
    if seconds:
        response.headers["Retry-After"] = str(math.ceil(seconds))
    return response
