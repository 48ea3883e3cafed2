"""`alertd drafts`: what waits for a decision, the gravest first."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from alertd.cli.client import Client
from alertd.cli.options import LOCAL, Config, Secret, Url
from alertd.cli.tables import show
from alertd.domain.alert import Severity
from alertd.domain.paging import RULE

_PAGE = 200

Rule = Annotated[str, typer.Option("--rule", metavar="NAME", help="Only drafts of this rule.", show_default=False)]
Draft = Mapping[str, Any]


def drafts(rule: Rule = "", url: Url = LOCAL, token: Secret = "", config: Config = None) -> None:  # noqa: ARG001
    """What waits for a decision, the gravest first."""
    asyncio.run(_drafts(url, token, rule))


async def _drafts(url: str, token: str, rule: str) -> None:
    async with Client(url, token) as client:
        show(table_of(await waiting(client, rule)))


async def waiting(client: Client, rule: str = "") -> Sequence[Draft]:
    """Every draft, or those of one rule; real ones before drills, then by severity, then newest first.

    What nobody decided in time stays a draft for ever and can only be rejected: it is left out, and counted on stderr,
    for this machine's clock may be the wrong one.
    """
    found: list[Draft] = []
    wanted = RULE + rule.removeprefix(RULE)
    cursor: str | None = ""
    while cursor is not None:
        after = f"&cursor={cursor}" if cursor else ""
        page = await client.get(f"/v1/alerts?state=draft&limit={_PAGE}{after}")
        found += (one for one in page["items"] if not rule or one["created_by"] == wanted)
        cursor = page["next"]
    now = datetime.now(UTC)
    waits = [draft for draft in found if not _over(draft, now)]
    if late := len(found) - len(waits):
        sys.stderr.write(f"alertd: {late} more expired undecided, as it is {now:%Y-%m-%d %H:%M} UTC here\n")
    return sorted(waits, key=_rank)


def table_of(drafts: Sequence[Draft]) -> Table:
    table = Table("id", "by", "status", "severity", "what", "zones", "expires", "note")
    for draft in drafts:
        table.add_row(*map(Text, _row(draft)))  # as it is: what a sensor sent is no markup
    return table


def severity_of(draft: Draft) -> str:
    """The worst that it says."""
    said = [Severity(str(info["severity"])) for info in draft.get("info") or () if info.get("severity")]
    return max(said, key=lambda severity: severity.rank, default=Severity.UNKNOWN)


def _over(draft: Draft, now: datetime) -> bool:
    """Its last info has ended; one without an end is left to the daemon."""
    ends = [info.get("expires") for info in draft.get("info") or ()]
    return bool(ends) and all(end and datetime.fromisoformat(end) <= now for end in ends)


def _rank(draft: Draft) -> tuple[bool, int]:
    return draft["status"] != "Actual", -Severity(severity_of(draft)).rank


def _row(draft: Draft) -> list[str]:
    infos = draft.get("info") or [{}]
    zones = dict.fromkeys(zone for info in infos for area in info.get("area", ()) for zone in area.get("zones", ()))
    what = infos[0].get("headline") or infos[0].get("event") or ""
    expires = max((str(info.get("expires") or "") for info in infos), default="")
    values = (draft["id"], draft["created_by"], draft["status"], severity_of(draft), what, " ".join(zones), expires)
    return [*map(str, values), str(draft.get("note") or "")]
