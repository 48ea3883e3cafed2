"""The audit log: who did what and when, as a chain of hashes."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from alertd.web.api import cursor, docs
from alertd.web.api.answers import Answer
from alertd.web.api.cursor import Cursor, Limit
from alertd.web.api.reply import reply
from alertd.web.auth import requires
from alertd.web.services import Services


class AuditRow(Answer):
    """Its `hash` covers everything in it and the `previous` hash."""

    seq: int
    at: str
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    previous: str
    hash: str


class AuditHead(Answer):
    seq: int
    hash: str


class AuditList(Answer):
    items: list[AuditRow]
    next: str | None
    head: AuditHead


def router(services: Services) -> APIRouter:
    """`GET /v1/audit`."""
    guard = Depends(requires(services.access, "admin"))
    api = APIRouter(prefix="/v1/audit", tags=["operation"], dependencies=[guard])

    @api.get(
        "",
        operation_id="listAudit",
        summary="The audit log, oldest first, with the chain's head",
        responses={200: {"model": AuditList}, **docs.problems()},
    )
    async def list_audit(limit: Limit = 50, cursor_: Annotated[Cursor, Query(alias="cursor")] = None) -> Response:
        """`alertd audit verify` follows the same chain from the store."""
        store = services.reports.store
        found = await store.audit(after=cursor.read("audit", cursor_) or 0, limit=limit + 1)
        seq, digest = await store.audit_head()
        items = [
            AuditRow(
                seq=entry.seq,
                at=entry.at,
                actor=entry.actor,
                action=entry.action,
                subject=entry.subject,
                details=dict(entry.details),
                previous=entry.previous,
                hash=entry.hash,
            )
            for entry in found[:limit]
        ]
        following = cursor.write("audit", items[-1].seq) if len(found) > limit else None
        return reply(AuditList(items=items, next=following, head=AuditHead(seq=seq, hash=digest)))

    return api
