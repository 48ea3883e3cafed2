"""The calls that make an alert: send, update, cancel. Lean: the bytes are parsed once, the answer goes out as made."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from alertd.core.access import allow_mode
from alertd.core.intake import Encode
from alertd.core.peer_acts import Answering
from alertd.core.submission import Accepted
from alertd.domain.alert import MsgType
from alertd.domain.problems import Invalid, Problem
from alertd.domain.signal import Violation
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import Origin
from alertd.web.api import body, cap_in, docs
from alertd.web.api.answers import AcceptedAnswer
from alertd.web.api.convert import infos_of, links_of, submission_of
from alertd.web.api.fields import AlertId
from alertd.web.api.reply import JSON
from alertd.web.api.schemas import AlertIn, CancelIn
from alertd.web.auth import admit, requires
from alertd.web.services import Services

_SENDERS = ("alerts:send", "alerts:draft")

Endpoint = Callable[[Request], Awaitable[Response]]

_TAKEN = (body.JSON, *body.XML)

_ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"model": AcceptedAnswer, "description": "Durable: it survives kill -9 and power loss"},
    **docs.problems(404, 408, 409, 413, 415),
}


def router(services: Services) -> APIRouter:
    """`POST /v1/alerts`, `…/{id}/update`, `…/{id}/cancel`."""
    api = APIRouter(prefix="/v1/alerts", tags=["alerts"])
    _document_send(api, sender(services))
    _update(api, services)
    _cancel(api, services)
    return api


def sender(services: Services) -> Endpoint:
    """`POST /v1/alerts` as a bare endpoint."""

    async def send(request: Request) -> Response:
        """Checked, stored with its audit row and its plan in one transaction, then answered.

        A token with `alerts:draft` alone makes a draft, which waits for somebody else's approval.

        A CAP document (exactly one alert, alone or in an EDXL-DE envelope) is sent, or follows what it references,
        by its msgType. It is published under an identity of ours; its own is kept. The same document again is
        answered as before, another one of the same sender, identifier and sent is 409; so is an Update or a Cancel
        of what was already followed. One of what is not known is 404, as often as it is posted, but it is remembered:
        what it cancels is 409 when it comes, and what it updates goes out once, with the Update's words (202, and
        `violations` says so). A Cancel of a draft takes it back. An Ack or an Error is noted: the answer speaks of the
        alert it is about, and nothing is sent. `signature` says what its signature was found to be; one that is invalid
        is refused with 422, and so is any but a valid one where `[cap] signed = "required"`.
        """
        access = services.access
        replays = "idempotency-key" in request.headers or not body.is_json(request)
        token = await admit(request, access.authenticate if replays else access.recognise, *_SENDERS)
        try:
            return await take(request, token)
        except Exception:
            await admit(request, access.authenticate, *_SENDERS)  # only a live token is told what is wrong
            raise

    async def take(request: Request, token: Token) -> Response:
        """An answer told again passes no transaction, so whoever may be told one is authenticated before."""
        kind = body.kind_of(request, _TAKEN)
        raw = await body.read(request)
        idempotency = body.idempotency_of(request, raw)
        if kind != body.JSON:
            message = await cap_in.message_of(
                raw, request.headers["content-type"], services.trust(), services.clock.now()
            )
            answering = _answering(services.service().public_url, message.origin)
            answer = await services.peers.take(message, token=token, idempotency=idempotency, answering=answering)
            return Response(answer, 202, media_type=JSON)
        wanted = body.parse(raw, AlertIn)
        allow_mode(token, wanted.status)
        service = services.service()
        submission = submission_of(wanted, wanted.msg_type, service.languages[0])
        answer = await services.intake.submit(
            submission, token=token, idempotency=idempotency, encode=_encoder(service.public_url)
        )
        return Response(answer, 202, media_type=JSON)

    return send


def asgi(services: Services) -> ASGIApp:
    """`POST /v1/alerts` without any framework around it."""
    endpoint = sender(services)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = await endpoint(Request(scope, receive, send))
        await answer(scope, receive, send)

    return app


def _document_send(api: APIRouter, send: Endpoint) -> None:
    api.post(
        "",
        status_code=202,
        operation_id="sendAlert",
        summary="Send an alert",
        responses=_ACCEPTED,
        openapi_extra={**docs.takes(AlertIn, keyed=True, also=body.XML), **docs.SECURED},
    )(send)


def _update(api: APIRouter, services: Services) -> None:
    caller = Annotated[Token, Depends(requires(services.access, "alerts:send"))]

    @api.post(
        "/{alert_id}/update",
        status_code=202,
        operation_id="updateAlert",
        summary="Replace an alert by a newer one",
        responses=_ACCEPTED,
        openapi_extra=docs.takes(AlertIn, keyed=True),
    )
    async def update(request: Request, alert_id: AlertId, token: caller) -> Response:
        """What is still queued of the original is superseded; all who may have got it get the Update.

        The body is an alert; its `msg_type` is taken as Update and its `status` must be the original's.
        """
        body.require_json(request)
        raw = await body.read(request)
        idempotency = body.idempotency_of(request, raw)
        wanted = body.parse(raw, AlertIn)
        if wanted.msg_type not in {MsgType.ALERT, MsgType.UPDATE}:
            raise Invalid(Problem(("msg_type",), f"an update is an Update, not a {wanted.msg_type}"))
        allow_mode(token, wanted.status)
        service = services.service()
        answer = await services.intake.update(
            alert_id,
            submission_of(wanted, MsgType.UPDATE, service.languages[0]),
            token=token,
            idempotency=idempotency,
            encode=_encoder(service.public_url),
        )
        return Response(answer, 202, media_type=JSON)


def _cancel(api: APIRouter, services: Services) -> None:
    caller = Annotated[Token, Depends(requires(services.access, "alerts:send"))]

    @api.post(
        "/{alert_id}/cancel",
        status_code=202,
        operation_id="cancelAlert",
        summary="Cancel an alert",
        responses=_ACCEPTED,
        openapi_extra=docs.takes(CancelIn, required=False, keyed=True),
    )
    async def cancel(request: Request, alert_id: AlertId, token: caller) -> Response:
        """Nothing of the original starts any more; all who may have got it are told. The body may be empty."""
        raw = await body.read(request)
        if raw:
            body.require_json(request)
        idempotency = body.idempotency_of(request, raw)
        wanted = body.parse(raw, CancelIn) if raw else CancelIn()
        service = services.service()
        answer = await services.intake.cancel(
            alert_id,
            note=wanted.note,
            info=infos_of(wanted.info, service.languages[0]),
            token=token,
            idempotency=idempotency,
            encode=_encoder(service.public_url),
        )
        return Response(answer, 202, media_type=JSON)


def _encoder(public_url: str) -> Encode:
    return lambda accepted: orjson.dumps(_told(accepted, public_url))


def _answering(public_url: str, origin: Origin) -> Answering:
    signature = {"result": origin.signature, "detail": origin.signature_detail}

    def answer(accepted: Accepted, violations: Sequence[Violation]) -> bytes:
        told = [{"loc": list(cap_in.loc_of(one)), "msg": one.message} for one in violations]
        return orjson.dumps({**_told(accepted, public_url), "violations": told, "signature": signature})

    return answer


def _told(accepted: Accepted, public_url: str) -> dict[str, Any]:
    return {
        "id": accepted.id,
        "identifier": accepted.identifier,
        "sender": accepted.sender,
        "sent": accepted.sent,
        "state": accepted.state.value,
        "channels": accepted.channels,
        "links": links_of(accepted.id, public_url),
    }
