"""The daemon's receipts beside what the stand-ins themselves received and verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from alertd.cli.demo.drill import Drill
from alertd.sandbox.config import CHANNEL_OF

_VERIFIED = {
    "push": "VAPID checked, decrypted",
    "mail": "parsed, one recipient each",
    "bot": "HTML parsed, 30/s held",
    "hook": "signature checked",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One stand-in. `expected` is what was enrolled, `receipts` what the daemon says arrived; `pending` is still open."""

    provider: str
    channels: tuple[str, ...]
    expected: int
    receipts: int
    pending: int
    messages: int
    recipients: int
    duplicates: int

    @property
    def agrees(self) -> bool:
        same = self.expected == self.receipts == self.messages == self.recipients
        return same and not self.pending and not self.duplicates


def compared(drill: Drill, received: Mapping[str, Mapping[str, Any]]) -> Sequence[Row]:
    """One row for every stand-in that a channel of the alert leads to."""
    rows = []
    for provider, stats in received.items():
        mine = [c for c in drill.receipts.channels if CHANNEL_OF.get(c.channel) == provider]
        names = tuple(c.channel for c in mine)
        broadcasts = sum(1 for name in names if name not in drill.enrolled)
        addressed = sum(count for name, count in drill.enrolled.items() if CHANNEL_OF[name] == provider)
        rows.append(
            Row(
                provider,
                names,
                addressed + broadcasts,
                sum(c.arrived for c in mine),
                sum(c.pending for c in mine),
                int(stats["messages"]),
                int(stats["recipients"]),
                int(stats["duplicates"]),
            )
        )
    return rows


def comparison_table(rows: Sequence[Row]) -> Table:
    table = Table(title="Receipts, and what the stand-ins really received", title_justify="left")
    for name in ("stand-in", "channels", "verified"):
        table.add_column(name)
    for name in ("endpoints", "receipts", "received", "recipients", "duplicates", "agree"):
        table.add_column(name, justify="right")
    for row in rows:
        counts = (row.expected, row.receipts, row.messages, row.recipients, row.duplicates)
        agree = "[green]yes[/green]" if row.agrees else "[red]NO[/red]"
        verified = _VERIFIED.get(row.provider, "")
        table.add_row(row.provider, ", ".join(row.channels), verified, *(f"{n:,}" for n in counts), agree)
    return table
