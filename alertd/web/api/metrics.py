"""Prometheus metrics."""

import ipaddress

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response

from alertd.web.api import docs
from alertd.web.auth import admit
from alertd.web.services import Services


def router(services: Services) -> APIRouter:
    """`GET /metrics`: for an admin token, or for anybody where the daemon listens on loopback only."""
    api = APIRouter(tags=["operation"])

    @api.get(
        "/metrics",
        operation_id="getMetrics",
        summary="Metrics in the Prometheus text format",
        response_class=Response,
        responses={
            200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus text"},
            **docs.problems(),
        },
        openapi_extra={"security": [{}, {"bearer": []}]},
    )
    async def metrics(request: Request) -> Response:
        if not _on_loopback(request):
            await admit(request, services.access.authenticate, "admin")
        return Response(services.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return api


def _on_loopback(request: Request) -> bool:
    """Whether it came in on a loopback listener: by the socket itself, for a socket unit may listen elsewhere than
    the configuration says. A Unix socket is the proxy's door, not the loopback's."""
    host, _ = request.scope.get("server") or (None, None)
    try:
        return host is not None and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
