"""`alertd approve`, `reject`: the second person's part, at any terminal that reaches the daemon."""

import asyncio
import sys
from typing import Annotated

import typer

from alertd.cli.clear import reject_all
from alertd.cli.client import Body, Client
from alertd.cli.errors import WRONG_USAGE, Failure
from alertd.cli.follow import watch_to_the_end
from alertd.cli.options import LOCAL, AlertId, Config, Secret, Url


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
    alert_id: Annotated[str, typer.Argument(metavar="[ID]", help="The draft's id.", show_default=False)] = "",
    reason: Annotated[str, typer.Option(help="Why, for whoever wrote it.", show_default=False)] = "",
    rule: Annotated[
        str, typer.Option("--rule", metavar="NAME", help="Instead of an ID: every draft of this rule that waits now.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="With --rule: do not ask.")] = False,  # noqa: FBT002
    url: Url = LOCAL,
    token: Secret = "",
    config: Config = None,  # noqa: ARG001
) -> None:
    """End a draft, or all drafts of a rule: nothing of them is sent."""
    if not reason.strip():
        raise Failure("--reason WHY is missing: it is told to whoever wrote the draft.", WRONG_USAGE)
    if bool(alert_id) == bool(rule):
        raise Failure("Name one draft by its ID, or all drafts of a rule by --rule NAME.", WRONG_USAGE)
    if rule:
        asyncio.run(reject_all(url, token, rule, reason, asked=yes))
    else:
        asyncio.run(_reject(url, token, alert_id, reason))


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
