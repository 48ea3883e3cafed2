"""Feeds and sensors that push. No source is built in yet, so every name is unknown."""

from fastapi import APIRouter, Depends
from starlette.responses import Response

from alertd.domain.problems import NotFound
from alertd.web.api import docs
from alertd.web.auth import requires
from alertd.web.services import Services


def router(services: Services) -> APIRouter:
    """`POST /v1/ingest/{source}`."""
    guard = Depends(requires(services.access, "ingest"))
    api = APIRouter(prefix="/v1/ingest", tags=["ingest"], dependencies=[guard])

    @api.post(
        "/{source}",
        status_code=202,
        operation_id="ingest",
        summary="What a feed or a sensor says",
        responses=docs.problems(404),
    )
    async def ingest(source: str) -> Response:
        raise NotFound(f"no such source: {source[:100]!r}")

    return api
