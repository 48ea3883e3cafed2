"""`alertd watch`, `cancel`, `report`: what became of an alert, and calling it off."""

import asyncio
import json
import sys
import uuid
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from alertd.cli.client import Body, Client
from alertd.cli.errors import Failure
from alertd.cli.options import LOCAL, AlertId, Config, Secret, Url
from alertd.cli.progress import shown
from alertd.cli.receipts import AlertReceipts, as_csv, as_table
from alertd.cli.tables import show


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def watch(alert_id: AlertId, url: Url = LOCAL, token: Secret = "", config: Config = None) -> None:  # noqa: ARG001
    """Show an alert's progress until it ends. Fails where nothing of it arrived."""
    asyncio.run(_watch(url, token, alert_id))


def cancel(
    alert_id: AlertId,
    note: Annotated[str, typer.Option(help="Why, in words for everyone who got the original.")] = "",
    idempotency_key: Annotated[str, typer.Option(help="Made if not given.", show_default=False)] = "",
    follow: Annotated[bool, typer.Option("--watch", help="Show the cancel's progress until it ends.")] = False,  # noqa: FBT002
    url: Url = LOCAL,
    token: Secret = "",
    config: Config = None,  # noqa: ARG001
) -> None:
    """Call an alert off: what waits is not sent, and everyone who may have got it is told. Prints the new id."""
    asyncio.run(_cancel(url, token, alert_id, note, idempotency_key or str(uuid.uuid4()), follow=follow))


def report(
    alert_id: AlertId,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
    url: Url = LOCAL,
    token: Secret = "",
    config: Config = None,  # noqa: ARG001
) -> None:
    """The receipts of an alert, per channel."""
    asyncio.run(_report(url, token, alert_id, form))


async def watch_to_the_end(client: Client, alert_id: str) -> None:
    """Show progress and then the table. Raises Failure where there were deliveries and none arrived."""
    receipts = await shown(client, alert_id, Console(stderr=True))
    show(as_table(receipts))
    if receipts.total and not receipts.arrived:
        raise Failure(f"None of the {receipts.total:,} deliveries arrived; the alert is {receipts.state}.")


async def _watch(url: str, token: str, alert_id: str) -> None:
    async with Client(url, token) as client:
        await watch_to_the_end(client, alert_id)


async def _cancel(url: str, token: str, alert_id: str, note: str, key: str, *, follow: bool) -> None:
    async with Client(url, token) as client:
        body = Body.of({"note": note} if note else {})
        accepted = await client.post(f"/v1/alerts/{alert_id}/cancel", body, idempotency_key=key)
        sys.stdout.write(f"{accepted['id']}\n")
        sys.stdout.flush()
        if follow:
            await watch_to_the_end(client, accepted["id"])


async def _report(url: str, token: str, alert_id: str, form: Format) -> None:
    async with Client(url, token) as client:
        receipts = AlertReceipts.read(await client.get(f"/v1/alerts/{alert_id}/receipts"))
    match form:
        case Format.TABLE:
            show(as_table(receipts))
        case Format.JSON:
            sys.stdout.write(json.dumps(receipts.raw, indent=2, ensure_ascii=False) + "\n")
        case Format.CSV:
            sys.stdout.write(as_csv(receipts))
