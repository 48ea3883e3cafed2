"""`alertd drafts`, `approve`, `reject`: the second person's part, at any terminal that reaches the daemon."""

import asyncio
import sys
from typing import Annotated, Any

import typer
from rich.table import Table

from alertd.cli.client import Body, Client
from alertd.cli.follow import watch_to_the_end
from alertd.cli.options import LOCAL, AlertId, Config, Secret, Url
from alertd.cli.tables import show

_PAGE = 200


def drafts(url: Url = LOCAL, token: Secret = "", config: Config = None) -> None:  # noqa: ARG001
    """What waits for a decision, newest first."""
    asyncio.run(_drafts(url, token))


def approve(
    alert_id: AlertId,
    follow: Annotated[bool, typer.Option("--watch", help="Show the alert's progress until it ends.")] = False,  # noqa: FBT002
    url: Url = LOCAL,
    token: Secret = "",
    config: Config = None,  # noqa: ARG001
) -> None:
    """Let a draft go out. Whoever wrote it may not."""
    asyncio.run(_approve(url, token, alert_id, follow=follow))


def reject(
    alert_id: AlertId,
    reason: Annotated[str, typer.Option(help="Why, for whoever wrote it.", show_default=False)],
    url: Url = LOCAL,
    token: Secret = "",
    config: Config = None,  # noqa: ARG001
) -> None:
    """End a draft: nothing of it is sent."""
    asyncio.run(_reject(url, token, alert_id, reason))


async def _drafts(url: str, token: str) -> None:
    table = Table("id", "by", "status", "what", "zones", "expires", "note")
    async with Client(url, token) as client:
        cursor: str | None = ""
        while cursor is not None:
            after = f"&cursor={cursor}" if cursor else ""
            page = await client.get(f"/v1/alerts?state=draft&limit={_PAGE}{after}")
            for alert in page["items"]:
                table.add_row(*_row(alert))
            cursor = page["next"]
    show(table)


def _row(alert: dict[str, Any]) -> list[str]:
    infos = alert.get("info") or [{}]
    zones = dict.fromkeys(zone for info in infos for area in info.get("area", ()) for zone in area.get("zones", ()))
    what = infos[0].get("headline") or infos[0].get("event") or ""
    expires = max((str(info.get("expires") or "") for info in infos), default="")
    values = (alert["id"], alert["created_by"], alert["status"], what, " ".join(zones), expires)
    return [*map(str, values), str(alert.get("note") or "")]


async def _approve(url: str, token: str, alert_id: str, *, follow: bool) -> None:
    async with Client(url, token) as client:
        decided = await client.post(f"/v1/alerts/{alert_id}/approve", Body.of({}))
        sys.stdout.write(f"{decided['id']}\n")
        sys.stdout.flush()
        if follow:
            await watch_to_the_end(client, alert_id)


async def _reject(url: str, token: str, alert_id: str, reason: str) -> None:
    async with Client(url, token) as client:
        decided = await client.post(f"/v1/alerts/{alert_id}/reject", Body.of({"reason": reason}))
        sys.stdout.write(f"{decided['id']}\n")
