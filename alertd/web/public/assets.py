"""The few files a page needs, each from memory with its validator; nothing comes from another site."""

from typing import Final

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.web.public.kept import answer
from alertd.web.public.site import HERE, Site

FILES: Final = {
    "sw.js": "text/javascript",
    "app.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
MAX_AGE: Final = 300


def add(router: APIRouter, site: Site) -> None:
    for name, media_type in FILES.items():
        _file(router, site, name, media_type)

    @router.api_route("/manifest.webmanifest", methods=["GET", "HEAD"])
    async def manifest(request: Request) -> Response:
        """What a phone needs to put the site on its home screen, without which some show no notifications."""

        async def make() -> bytes:
            name = site.services.service().name
            icon = {"src": "/icon.svg", "sizes": "any", "type": "image/svg+xml"}
            return orjson.dumps(
                {"name": name, "short_name": name[:30], "start_url": "/", "display": "standalone", "icons": [icon]}
            )

        copy = await site.kept.get("manifest", make)
        return answer(request, copy, media_type="application/manifest+json", max_age=MAX_AGE)


def _file(router: APIRouter, site: Site, name: str, media_type: str) -> None:
    content = (HERE / "static" / name).read_bytes()

    async def make() -> bytes:
        return content

    # A browser asks for the service worker anew each time: its reader must never be left with an old one.
    max_age = 0 if name == "sw.js" else MAX_AGE

    @router.api_route(f"/{name}", methods=["GET", "HEAD"])
    async def file(request: Request) -> Response:
        copy = await site.kept.get(f"file {name}", make)
        return answer(request, copy, media_type=media_type, max_age=max_age)
