"""The receipts of an alert, read from the API's JSON and shown as a table, as JSON or as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from rich.box import SIMPLE_HEAD
from rich.table import Table

from alertd.domain.delivery import ARRIVED, PENDING, State


@dataclass(frozen=True, slots=True)
class ChannelReceipts:
    """One channel's sums; `p50_ms` and `p99_ms` from acceptance to the provider's answer."""

    channel: str
    adapter: str
    provable: str
    total: int
    states: Mapping[State, int]
    attempts: int
    p50_ms: int | None
    p99_ms: int | None

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Self:
        states = {state: int(row.get(state.value) or 0) for state in State}
        return cls(
            channel=row["channel"],
            adapter=row.get("adapter", ""),
            provable=row.get("provable", ""),
            total=int(row["total"]),
            states=states,
            attempts=int(row.get("attempts") or 0),
            p50_ms=row.get("p50_ms"),
            p99_ms=row.get("p99_ms"),
        )

    @property
    def pending(self) -> int:
        return sum(self.states[state] for state in PENDING)

    @property
    def arrived(self) -> int:
        return sum(self.states[state] for state in ARRIVED)

    @property
    def settled(self) -> int:
        return self.total - self.pending

    @property
    def lost(self) -> int:
        """Settled without arriving."""
        return self.settled - self.arrived


@dataclass(frozen=True, slots=True)
class AlertReceipts:
    """What `GET /v1/alerts/{id}/receipts` says; `raw` is the answer itself."""

    alert_id: str
    state: str
    accepted_at: datetime | None
    first_attempt_at: datetime | None
    channels: tuple[ChannelReceipts, ...]
    raw: Mapping[str, Any]

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Self:
        channels = tuple(ChannelReceipts.read(row) for row in answer.get("channels") or ())
        times = [_time(answer.get(key)) for key in ("accepted_at", "first_attempt_at")]
        return cls(answer["alert_id"], answer["state"], times[0], times[1], channels, answer)

    @property
    def total(self) -> int:
        return sum(channel.total for channel in self.channels)

    @property
    def arrived(self) -> int:
        return sum(channel.arrived for channel in self.channels)

    @property
    def first_attempt_ms(self) -> float | None:
        if self.accepted_at is None or self.first_attempt_at is None:
            return None
        return (self.first_attempt_at - self.accepted_at).total_seconds() * 1000


def as_table(receipts: AlertReceipts) -> Table:
    """For people: one row a channel, columns that are empty everywhere left out."""
    kept = [s for s in State if s is State.ACCEPTED or any(c.states[s] for c in receipts.channels)]
    table = Table(
        title=f"Alert {receipts.alert_id}: {receipts.state}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    table.add_column("channel")
    table.add_column("proves")
    for name in ("total", *kept, "attempts", "p50 ms", "p99 ms"):
        table.add_column(str(name), justify="right")
    for c in receipts.channels:
        counts = [c.total, *(c.states[s] for s in kept), c.attempts]
        times = ["-" if t is None else f"{t:,}" for t in (c.p50_ms, c.p99_ms)]
        table.add_row(c.channel, c.provable, *(f"{n:,}" for n in counts), *times)
    return table


def as_csv(receipts: AlertReceipts) -> str:
    """One line a channel, every key the API gives for it (RFC 4180)."""
    rows: Sequence[Mapping[str, Any]] = receipts.raw.get("channels") or ()
    keys = list(dict.fromkeys(key for row in rows for key in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, ["alert_id", "state", *keys])
    writer.writeheader()
    for row in rows:
        writer.writerow({"alert_id": receipts.alert_id, "state": receipts.state, **row})
    return out.getvalue()


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
