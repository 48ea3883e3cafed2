"""Is it alive, does it take work: for a supervisor and for a load balancer, without a token."""

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from alertd.web.api import docs
from alertd.web.api.answers import Answer
from alertd.web.api.reply import reply
from alertd.web.problems import problem
from alertd.web.services import Services


class Alive(Answer):
    status: str = Field(examples=["ok"])


class Ready(Alive):
    concerns: list[str] = Field(description="What an operator must see to although work is taken")


def router(services: Services) -> APIRouter:
    """`GET /healthz` and `GET /readyz`."""
    api = APIRouter(tags=["operation"])

    @api.head("/healthz", include_in_schema=False)
    @api.get(
        "/healthz",
        operation_id="getHealth",
        summary="The process is alive",
        responses={200: {"model": Alive}, **docs.problems()},
    )
    async def healthz() -> Response:
        return reply(Alive(status="ok"))

    @api.head("/readyz", include_in_schema=False)
    @api.get(
        "/readyz",
        operation_id="getReadiness",
        summary="The daemon takes work",
        responses={200: {"model": Ready}, **docs.problems()},
    )
    async def readyz(request: Request) -> Response:
        """503 with the reason while it stops, or while the store cannot take a change."""
        ready, reason = services.ready()
        if ready:
            return reply(Ready(status="ready", concerns=list(services.concerns())))
        return problem(503, reason or "not ready", request_id=request.state.request_id)

    return api
