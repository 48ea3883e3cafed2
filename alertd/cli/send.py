"""`alertd send`: one alert in, from options or from a file."""

import asyncio
import sys
import uuid
from pathlib import Path
from typing import Annotated

import typer

from alertd.cli import compose
from alertd.cli.client import Body, Client
from alertd.cli.confirm import confirmed, is_real
from alertd.cli.errors import WRONG_USAGE, Failure
from alertd.cli.follow import watch_to_the_end
from alertd.cli.options import LOCAL, Config, Secret, Url
from alertd.domain.alert import Category, Certainty, Purpose, Severity, Status, Urgency


def send(
    file: Annotated[
        Path | None, typer.Option("--file", help="alert.json, or a CAP document of any msgType; - is standard input.")
    ] = None,
    status: Annotated[
        Status | None, typer.Option(help="Actual or Exercise, and so on: never guessed, always said.")
    ] = None,
    event: Annotated[str | None, typer.Option(help="What happens, e.g. 'Temporali forti'.")] = None,
    zone: Annotated[
        list[str] | None, typer.Option(help="A zone's code or name; may be repeated; '*' is the whole territory.")
    ] = None,
    headline: Annotated[str | None, typer.Option(help="One line for those who read one line.")] = None,
    description: Annotated[str | None, typer.Option(help="What is known.")] = None,
    instruction: Annotated[str | None, typer.Option(help="What to do.")] = None,
    severity: Annotated[Severity, typer.Option()] = Severity.UNKNOWN,
    urgency: Annotated[Urgency, typer.Option()] = Urgency.UNKNOWN,
    certainty: Annotated[Certainty, typer.Option()] = Certainty.UNKNOWN,
    category: Annotated[Category, typer.Option()] = Category.SAFETY,
    expires: Annotated[str | None, typer.Option(help="90m, 6h, 2d, or a time with its offset.")] = None,
    purpose: Annotated[Purpose, typer.Option()] = Purpose.EMERGENCY,
    language: Annotated[str | None, typer.Option(help="e.g. it-IT; else the service's first.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel; may be repeated.")] = None,
    idempotency_key: Annotated[str, typer.Option(help="Made if not given.", show_default=False)] = "",
    watch: Annotated[bool, typer.Option("--watch", help="Show progress until it ends.")] = False,  # noqa: FBT002
    yes: Annotated[bool, typer.Option("--yes", help="A real alert from a terminal: do not ask.")] = False,  # noqa: FBT002
    url: Url = LOCAL,
    token: Secret = "",
    config: Config = None,  # noqa: ARG001
) -> None:
    """Send an alert and print its id. The network is tried again under one Idempotency-Key: it is sent once."""
    if file is not None:
        if status or event or zone or headline or description or instruction or channel:
            raise Failure("--file says everything: give either a file or options, not both", WRONG_USAGE)
        body = compose.body_of(file)
    else:
        missing = [f"--{name}" for name, v in (("status", status), ("event", event), ("zone", zone)) if not v]
        if status is None or event is None or not zone:
            raise Failure(f"Missing: {', '.join(missing)} (or give --file)", WRONG_USAGE)
        words = compose.Words(
            status,
            event,
            zone,
            language,
            headline,
            description,
            instruction,
            category,
            urgency,
            severity,
            certainty,
            expires,
            purpose,
            channel or (),
        )
        body = Body.of(compose.alert_of(words, compose.now()))
    key = idempotency_key or str(uuid.uuid4())
    asyncio.run(_send(url, token, body, key, watch=watch, ask=not yes))


async def _send(url: str, token: str, body: Body, key: str, *, watch: bool, ask: bool) -> None:
    async with Client(url, token) as client:
        if ask and is_real(body) and sys.stdin.isatty() and sys.stderr.isatty():
            await confirmed(client, body)
        accepted = await client.post("/v1/alerts", body, idempotency_key=key)
        sys.stdout.write(f"{accepted['id']}\n")
        sys.stdout.flush()
        channels = ", ".join(accepted.get("channels") or ()) or "no channel"
        sys.stderr.write(f"alertd: {accepted.get('state')} on {channels}\n")
        for fault in accepted.get("violations") or ():
            sys.stderr.write(f"alertd: {' '.join(map(str, fault.get('loc', ())[1:]))}: {fault.get('msg')}\n")
        if watch:
            await watch_to_the_end(client, accepted["id"])
