"""What became of an alert: the sums per channel, and every single delivery."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from alertd.core.access import holds
from alertd.domain.delivery import State
from alertd.domain.subscriber import mask
from alertd.ports.stores.access import Token
from alertd.ports.stores.reports import DeliveryRow
from alertd.web.api import cursor, docs
from alertd.web.api.answers import DeliveryAnswer, DeliveryList, ReceiptsAnswer
from alertd.web.api.convert import receipts_answer
from alertd.web.api.cursor import Cursor, Limit
from alertd.web.api.fields import AlertId
from alertd.web.api.reply import reply
from alertd.web.auth import requires
from alertd.web.services import Services


def router(services: Services) -> APIRouter:
    """`GET /v1/alerts/{id}/receipts`, `…/deliveries`."""
    api = APIRouter(prefix="/v1/alerts/{alert_id}", tags=["alerts"])
    reader = Annotated[Token, Depends(requires(services.access, "alerts:read"))]

    @api.get(
        "/receipts",
        operation_id="getReceipts",
        summary="What became of an alert, per channel",
        responses={200: {"model": ReceiptsAnswer}, **docs.problems(404)},
    )
    async def receipts(alert_id: AlertId, _token: reader) -> Response:
        return reply(receipts_answer(await services.reports.receipts(alert_id)))

    @api.get(
        "/deliveries",
        operation_id="listDeliveries",
        summary="One row per delivery",
        responses={200: {"model": DeliveryList}, **docs.problems(404)},
    )
    async def deliveries(
        alert_id: AlertId,
        token: reader,
        channel: Annotated[str | None, Query(max_length=200)] = None,
        state: State | None = None,
        limit: Limit = 50,
        cursor_: Annotated[Cursor, Query(alias="cursor")] = None,
    ) -> Response:
        """Addresses are masked unless the token has `subscribers:read`."""
        store, after = services.reports.store, cursor.read("deliveries", cursor_) or 0
        await store.get_alert(alert_id)
        found = await store.deliveries(alert_id, channel=channel, state=state, limit=limit + 1, after=after)
        page, open_ = found[:limit], holds(token, "subscribers:read")
        following = cursor.write("deliveries", page[-1].id) if len(found) > limit else None
        return reply(DeliveryList(items=[_row(row, masked=not open_) for row in page], next=following))

    return api


def _row(row: DeliveryRow, *, masked: bool) -> DeliveryAnswer:
    return DeliveryAnswer(
        id=row.id,
        channel=row.channel,
        address=mask(row.address) if masked and row.address else row.address,
        language=row.language,
        state=row.state,
        attempts=row.attempts,
        reason=row.reason,
        ref=row.ref,
        created_at=row.created_at,
        due_at=row.due_at,
        started_at=row.started_at,
        settled_at=row.settled_at,
    )
