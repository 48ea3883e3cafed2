"""What an officer decides of an alert that exists: approve or reject a draft, queue again what failed."""

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from alertd.ports.stores.access import Token
from alertd.web.api import body, docs
from alertd.web.api.answers import AlertAnswer, Requeued
from alertd.web.api.convert import alert_answer
from alertd.web.api.fields import AlertId
from alertd.web.api.reply import reply
from alertd.web.api.schemas import RejectIn
from alertd.web.auth import requires
from alertd.web.services import Services


def router(services: Services) -> APIRouter:
    """`POST /v1/alerts/{id}/approve`, `…/reject`, `…/retry`."""
    api = APIRouter(prefix="/v1/alerts/{alert_id}", tags=["alerts"])
    _approve(api, services)
    _reject(api, services)
    _retry(api, services)
    return api


def _approve(api: APIRouter, services: Services) -> None:
    approver = Annotated[Token, Depends(requires(services.access, "alerts:approve"))]

    @api.post(
        "/approve",
        operation_id="approveAlert",
        summary="Let a draft go out",
        responses={200: {"model": AlertAnswer}, **docs.problems(404, 409)},
    )
    async def approve(alert_id: AlertId, token: approver) -> Response:
        """The two-person rule: who wrote the draft may not approve it (403)."""
        await services.approvals.approve(alert_id, token=token)
        return await _as_it_stands(services, alert_id)


def _reject(api: APIRouter, services: Services) -> None:
    approver = Annotated[Token, Depends(requires(services.access, "alerts:approve"))]

    @api.post(
        "/reject",
        operation_id="rejectAlert",
        summary="End a draft",
        responses={200: {"model": AlertAnswer}, **docs.problems(404, 408, 409, 413, 415)},
        openapi_extra=docs.takes(RejectIn),
    )
    async def reject(request: Request, alert_id: AlertId, token: approver) -> Response:
        body.require_json(request)
        wanted = body.parse(await body.read(request), RejectIn)
        await services.approvals.reject(alert_id, token=token, reason=wanted.reason)
        return await _as_it_stands(services, alert_id)


def _retry(api: APIRouter, services: Services) -> None:
    sender = Annotated[Token, Depends(requires(services.access, "alerts:send"))]

    @api.post(
        "/retry",
        status_code=202,
        operation_id="retryAlert",
        summary="Queue again what failed for reasons that may have passed",
        responses={202: {"model": Requeued}, **docs.problems(404, 409)},
    )
    async def retry(alert_id: AlertId, token: sender) -> Response:
        return reply(Requeued(requeued=await services.intake.requeue(alert_id, token=token)), 202)


async def _as_it_stands(services: Services, alert_id: str) -> Response:
    stored = await services.reports.store.get_alert(alert_id)
    return reply(alert_answer(stored, services.service().public_url))
