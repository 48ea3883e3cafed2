"""Read alerts: the list, one, and its CAP document."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from alertd.domain.alert import AlertState
from alertd.web.api import cursor, docs
from alertd.web.api.answers import AlertAnswer, AlertList
from alertd.web.api.convert import alert_answer
from alertd.web.api.cursor import Cursor, Limit
from alertd.web.api.fields import AlertId
from alertd.web.api.reply import reply
from alertd.web.auth import requires
from alertd.web.services import Services

_CAP = "application/cap+xml"


def router(services: Services) -> APIRouter:
    """`GET /v1/alerts`, `…/{id}`, `…/{id}/cap`."""
    guard = Depends(requires(services.access, "alerts:read"))
    api = APIRouter(prefix="/v1/alerts", tags=["alerts"], dependencies=[guard])
    _list(api, services)
    _one(api, services)
    _cap(api, services)
    return api


def _list(api: APIRouter, services: Services) -> None:
    @api.get(
        "",
        operation_id="listAlerts",
        summary="Alerts, newest first",
        responses={200: {"model": AlertList}, **docs.problems()},
    )
    async def list_alerts(
        limit: Limit = 50,
        cursor_: Annotated[Cursor, Query(alias="cursor")] = None,
        state: Annotated[list[AlertState], Query(description="Only these states")] = [],  # noqa: B006
    ) -> Response:
        before = cursor.read("alerts", cursor_)
        found = await services.reports.store.list_alerts(limit=limit + 1, before=before, states=state)
        page, public_url = found[:limit], services.service().public_url
        following = cursor.write("alerts", page[-1].seq) if len(found) > limit else None
        return reply(AlertList(items=[alert_answer(stored, public_url) for stored in page], next=following))


def _one(api: APIRouter, services: Services) -> None:
    @api.get(
        "/{alert_id}",
        operation_id="getAlert",
        summary="One alert and where it stands",
        responses={200: {"model": AlertAnswer}, **docs.problems(404)},
    )
    async def get_alert(alert_id: AlertId) -> Response:
        stored = await services.reports.store.get_alert(alert_id)
        return reply(alert_answer(stored, services.service().public_url))


def _cap(api: APIRouter, services: Services) -> None:
    @api.get(
        "/{alert_id}/cap",
        operation_id="getAlertCap",
        summary="One alert as a CAP 1.2 document",
        response_class=Response,
        responses={
            200: {"content": {_CAP: {"schema": {"type": "string"}}}, "description": "CAP 1.2"},
            **docs.problems(404),
        },
    )
    async def get_cap(alert_id: AlertId) -> Response:
        """The bytes that are published, signed where this house signs; what nobody approved is never signed."""
        stored = await services.reports.store.get_alert(alert_id)
        return Response(await asyncio.to_thread(services.documents.of_stored, stored), media_type=_CAP)
