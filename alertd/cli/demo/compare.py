"""The daemon's receipts beside what the stand-ins themselves received and verified."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from alertd.cli.demo.drill import Drill
from alertd.sandbox.config import CHANNEL_OF

VERIFIED = """\
Verified there: push, the VAPID signature, and that the subscriber's own key
opens the message; mail, envelope and headers; bot, HTML, 30 messages a second
and one a second per chat; hook, the signature."""


@dataclass(frozen=True, slots=True)
class Row:
    """One stand-in. `expected`: endpoints enrolled; `receipts`: arrived, says the daemon; `pending`: still open."""

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
    table = Table(
        title="Receipts, and what the stand-ins really received",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("stand-in", no_wrap=True)
    table.add_column("channels", no_wrap=True)
    for name in ("enrolled", "receipts", "received", "people", "twice", "agree"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        counts = (row.expected, row.receipts, row.messages, row.recipients, row.duplicates)
        agree = "[green]yes[/green]" if row.agrees else "[red]NO[/red]"
        table.add_row(row.provider, ", ".join(row.channels), *(f"{n:,}" for n in counts), agree)
    return table
