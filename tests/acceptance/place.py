"""A town and the sandbox its channels go to, the citizens it warns, and what they must have got."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from alertd.sandbox.bot_limits import Rates
from alertd.sandbox.config import channels_toml
from alertd.sandbox.sandbox import Options, Sandbox
from tests.acceptance.town import MONTELUPO, Town, town

FAST_BOT = Rates(overall=1000, burst=1000, per_chat=1000)
"""For tests that are not about Telegram's limits."""

PUSH, MAIL, BOT = "push", "mail", "bot"


@asynccontextmanager
async def place(
    folder: Path,
    *,
    rates: Rates = FAST_BOT,
    bot_rate: int | None = 900,
    only: tuple[str, ...] = (PUSH, MAIL, BOT),
    zones: str | None = None,
) -> AsyncIterator[tuple[Town, Sandbox]]:
    """The sandbox runs in this process, the daemon in its own. `only` are the configured channels."""
    async with Sandbox(folder / "sandbox", Options(rates=rates)) as sandbox:
        async with town(folder, channels_of(sandbox, only, bot_rate), zones=zones) as it:
            yield it, sandbox


def channels_of(sandbox: Sandbox, only: tuple[str, ...], bot_rate: int | None) -> str:
    tables = []
    for part in channels_toml(sandbox.description).split("[channels.")[1:]:
        name = part.partition("]")[0]
        if name in only:
            rate = f"rate = {bot_rate}\n" if bot_rate and 'adapter = "telegram"' in part else ""
            tables.append(f"[channels.{part.rstrip()}\n{rate}")
    return "\n".join(tables)


def citizens(sandbox: Sandbox, count: int, *, cohort: str = "public", **changes: object) -> list[dict[str, object]]:
    """`count` citizens, each on push, mail and Telegram, every third one English."""
    rows = []
    for number, subscription in enumerate(sandbox.push.subscriptions(count)):
        endpoints: list[dict[str, object]] = [
            {"channel": PUSH, "subscription": json.loads(subscription)},
            {"channel": MAIL, "address": f"citizen{number}@example.org"},
            {"channel": BOT, "address": str(1_000_000 + number)},
        ]
        only = changes.get("only")
        rows.append(
            {
                "language": "en" if number % 3 == 2 else "it",
                "zones": changes.get("zones", [MONTELUPO]),
                "purposes": ["emergency", "service", "event"],
                "cohort": cohort,
                "endpoints": [e for e in endpoints if only is None or e["channel"] in only],
            }
        )
    return rows
