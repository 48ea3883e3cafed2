"""Live progress: bars on a terminal, plain lines anywhere else."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from alertd.cli.client import Client
from alertd.cli.errors import Failure
from alertd.cli.receipts import AlertReceipts

Show = Callable[[AlertReceipts], None]
_LINE_EVERY = 2.0


async def follow(client: Client, alert_id: str) -> AsyncIterator[AlertReceipts]:
    """The receipts as they change, the last ones last."""
    latest: AlertReceipts | None = None
    async for happening in client.events(f"/v1/alerts/{alert_id}/events"):
        if isinstance(happening.data, dict) and "channels" in happening.data:
            latest = AlertReceipts.read(happening.data)
            yield latest
    final = AlertReceipts.read(await client.get(f"/v1/alerts/{alert_id}/receipts"))
    if latest is None or final.raw != latest.raw:
        yield final


async def shown(client: Client, alert_id: str, console: Console) -> AlertReceipts:
    """Follow to the end, showing; returns the last receipts."""
    last: AlertReceipts | None = None
    with display(console) as show:
        async for last in follow(client, alert_id):
            show(last)
    if last is None:
        raise Failure(f"The daemon said nothing of alert {alert_id}")
    return last


@contextmanager
def display(console: Console) -> Iterator[Show]:
    """What shows receipts on this console."""
    if not console.is_terminal:
        yield _Lines(console).show
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, refresh_per_second=10) as progress:
        yield _Bars(progress).show


class _Bars:
    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def show(self, receipts: AlertReceipts) -> None:
        for c in receipts.channels:
            if c.channel not in self._tasks:
                self._tasks[c.channel] = self._progress.add_task(c.channel, total=c.total or None, note="")
            note = f"[red]{c.lost:,} not[/red]" if c.lost else ""
            self._progress.update(self._tasks[c.channel], total=c.total, completed=c.settled, note=note)


class _Lines:
    """At most one line every two seconds, and always the last state."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last = -_LINE_EVERY
        self._text = ""

    def show(self, receipts: AlertReceipts) -> None:
        done = not any(c.pending for c in receipts.channels)
        text = "  ".join(f"{c.channel} {c.settled}/{c.total}" for c in receipts.channels)
        text = f"{receipts.state}: {text}"
        if text != self._text and (done or time.monotonic() - self._last >= _LINE_EVERY):
            self._console.print(text, soft_wrap=True, highlight=False, markup=False)
            self._last, self._text = time.monotonic(), text
