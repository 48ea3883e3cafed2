"""`alertd demo`: everything on this machine, nothing leaves it."""

import asyncio
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from alertd.cli.demo.compare import VERIFIED, compared, comparison_table
from alertd.cli.demo.drill import drill
from alertd.cli.demo.stand import Stand, standing
from alertd.cli.errors import WRONG_USAGE, Failure
from alertd.cli.options import Config

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


_STAYING = """
Staying up until Ctrl-C. In a browser: [bold]{url}/[/bold]
In another terminal, to send an exercise of your own:
  export ALERTD_URL={url} ALERTD_TOKEN={token}
  alertd send --status Exercise --event "Temporali forti" --zone "Montelupo Fiorentino" --watch"""


def demo(
    citizens: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many to enrol.")] = 1_000,
    once: Annotated[bool, typer.Option("--once", help="End after the drill; 0 only if all counts agree.")] = False,  # noqa: FBT002
    config: Config = None,  # noqa: ARG001
) -> None:
    """An Exercise to simulated citizens on web push, mail and Telegram, through stand-ins for the providers."""
    if sys.platform == "win32":
        raise Failure("The demo needs Linux or another Unix", WRONG_USAGE)
    console = Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="alertd-demo-", ignore_cleanup_errors=True) as folder:
        try:
            agreed = asyncio.run(_demo(Path(folder), citizens, console, stay=not once))
        except asyncio.CancelledError:
            raise Failure("Interrupted.") from None
    if not agreed:
        raise Failure("The receipts and what the stand-ins received do not agree.")


async def _demo(folder: Path, citizens: int, console: Console, *, stay: bool) -> bool:
    """Returns whether every delivery has its receipt and the stand-ins' own counts agree."""
    drilling = asyncio.current_task()
    assert drilling is not None
    with _on_signal(drilling.cancel):
        async with standing(folder, console) as stand:
            agreed = await _drilled(stand, citizens, console)
            if stay:
                stop = asyncio.Event()
                with _on_signal(stop.set):
                    console.print(_STAYING.format(url=stand.url, token=stand.token), soft_wrap=True)
                    await stop.wait()
    return agreed


async def _drilled(stand: Stand, citizens: int, console: Console) -> bool:
    async with stand.client() as client:
        result = await drill(client, stand, citizens, console)
    rows = compared(result, await stand.received())
    console.print(comparison_table(rows))
    console.print(VERIFIED, style="dim")
    agreed = all(row.agrees for row in rows)
    deliveries = sum(row.receipts for row in rows)
    if agreed:
        console.print(f"[green]All {deliveries:,} deliveries have their receipt, and every count agrees.[/green]")
    else:
        console.print("[red]The counts do not agree.[/red]")
    return agreed


@contextmanager
def _on_signal(act: Callable[[], object]) -> Iterator[None]:
    """While inside, a signal to stop means this; afterwards again what it meant before (or, outermost, nothing)."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
