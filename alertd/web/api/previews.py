"""See before sending: what each channel would say, to how many, and when it would be done."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from alertd.core.access import allow_mode
from alertd.core.overtaken import Message
from alertd.core.preview import ChannelPreview, Preview
from alertd.core.submission import Submission
from alertd.domain.alert import MsgType
from alertd.domain.problems import Invalid, Problem
from alertd.ports.stores.access import Token
from alertd.web.api import body, cap_in, docs
from alertd.web.api.answers import Answer
from alertd.web.api.convert import submission_of
from alertd.web.api.reply import reply
from alertd.web.api.schemas import AlertIn
from alertd.web.auth import requires
from alertd.web.services import Services

_SHOWN = frozenset({MsgType.ALERT, MsgType.UPDATE})


class MessageAnswer(Answer):
    language: str
    title: str
    text: str
    carried: str = Field(description="What this channel shows of it")


class ChannelPreviewAnswer(Answer):
    channel: str
    adapter: str
    broadcast: bool
    audience: int
    messages: list[MessageAnswer]
    p50_s: float | None = Field(description="Forecast, seconds from acceptance until half were handed over")
    p99_s: float | None


class PreviewAnswer(Answer):
    channels: list[ChannelPreviewAnswer]
    zones: list[str] = Field(description="Names of the zones selected, overspill included")


def router(services: Services) -> APIRouter:
    """`POST /v1/previews`."""
    api = APIRouter(prefix="/v1/previews", tags=["alerts"])
    writer = Annotated[Token, Depends(requires(services.access, "alerts:send", "alerts:draft"))]

    @api.post(
        "",
        operation_id="previewAlert",
        summary="What each channel would say, to how many, and how long it would take",
        responses={200: {"model": PreviewAnswer}, **docs.problems(408, 413, 415)},
        openapi_extra=docs.takes(AlertIn, also=body.XML),
    )
    async def preview(request: Request, token: writer) -> Response:
        """The body is an alert as for sending. Nothing is stored and nothing is sent."""
        kind = body.kind_of(request, (body.JSON, *body.XML))
        raw = await body.read(request)
        if kind == body.JSON:
            wanted = body.parse(raw, AlertIn)
            allow_mode(token, wanted.status)
            submission = submission_of(wanted, wanted.msg_type, services.service().languages[0])
        else:
            message = await cap_in.message_of(
                raw, request.headers["content-type"], services.trust(), services.clock.now()
            )
            submission = _of_document(message, services)
        return reply(_answer(await services.previews.preview(submission, token=token)))

    return api


def _of_document(message: Message, services: Services) -> Submission:
    if (msg_type := message.alert.msg_type) not in _SHOWN:
        raise Invalid(Problem(("msg_type",), f"{msg_type} has no audience of its own to show"))
    return services.peers.submission(message.alert)


def _answer(preview: Preview) -> PreviewAnswer:
    return PreviewAnswer(channels=[_channel(channel) for channel in preview.channels], zones=list(preview.zones))


def _channel(channel: ChannelPreview) -> ChannelPreviewAnswer:
    return ChannelPreviewAnswer(
        channel=channel.channel,
        adapter=channel.adapter,
        broadcast=channel.broadcast,
        audience=channel.audience,
        messages=[
            MessageAnswer(language=m.language, title=m.title, text=m.text, carried=m.carried) for m in channel.messages
        ],
        p50_s=channel.p50_s,
        p99_s=channel.p99_s,
    )
