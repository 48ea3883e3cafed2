"""The channels and whether they could send now."""

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.responses import Response

from alertd.domain.delivery import State
from alertd.web.api import docs
from alertd.web.api.answers import Answer
from alertd.web.api.reply import reply
from alertd.web.auth import requires
from alertd.web.services import Services


class ChannelAnswer(Answer):
    name: str
    adapter: str
    broadcast: bool
    exercise: bool
    ready: bool
    detail: str
    provable: State
    facts: dict[str, str | int | float] = Field(description="E.g. a quota, where the provider tells it")


class ChannelList(Answer):
    items: list[ChannelAnswer]
    next: str | None


def router(services: Services) -> APIRouter:
    """`GET /v1/channels`."""
    guard = Depends(requires(services.access, "alerts:read"))
    api = APIRouter(prefix="/v1/channels", tags=["channels"], dependencies=[guard])

    @api.get(
        "",
        operation_id="listChannels",
        summary="The configured channels",
        responses={200: {"model": ChannelList}, **docs.problems()},
    )
    async def list_channels() -> Response:
        """All of them at once: there are never more than a page."""
        items = [
            ChannelAnswer(
                name=status.name,
                adapter=status.adapter,
                broadcast=status.broadcast,
                exercise=status.exercise,
                ready=status.ready,
                detail=status.detail,
                provable=status.provable,
                facts=dict(status.facts),
            )
            for status in services.channels.status()
        ]
        return reply(ChannelList(items=items, next=None))

    return api
