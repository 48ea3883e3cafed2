"""`alertd run`, `check`, `sandbox`: the daemon, its readiness, and the stand-ins for its providers."""

import asyncio
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from alertd.cli.errors import DID_NOT_HAPPEN, WRONG_USAGE, Failure
from alertd.cli.options import Config
from alertd.cli.tables import show
from alertd.settings import load


def run(config: Config = None) -> None:
    """The daemon, in the foreground, until SIGTERM or Ctrl-C. SIGHUP re-reads the configuration."""
    from alertd.daemon import main as serve

    if serve(config):
        sys.exit(DID_NOT_HAPPEN)


def check(
    config: Config = None,
    online: Annotated[bool, typer.Option("--online", help="Try the credentials, sending nothing.")] = False,  # noqa: FBT002
) -> None:
    """Validate the configuration and show how ready each channel is."""
    settings = load(config)
    from alertd.cli.readiness import readiness

    statuses = asyncio.run(readiness(settings, online=online))
    table = Table("channel", "adapter", "kind", "drills", "proves", "ready", "detail")
    for s in statuses:
        kind, drills = ("broadcast", "yes" if s.exercise else "no") if s.broadcast else ("addressed", "by cohort")
        ready = "[green]yes[/green]" if s.ready else "[red]no[/red]"
        table.add_row(s.name, s.adapter, kind, drills, str(s.provable), ready, s.detail)
    show(table)
    broken = [s.name for s in statuses if not s.ready]
    if broken:
        raise Failure(f"Not ready: {', '.join(broken)}")
    for fading in settings.cap.fading(datetime.now(UTC)):
        sys.stdout.write(f"Warning: {fading}.\n")
    sys.stdout.write(f"The configuration is valid; {len(statuses)} channels {'answer' if online else 'configured'}.\n")


def sandbox(
    port_base: Annotated[int, typer.Option(help="The first of its ports; 0 takes free ones.", min=0, max=65_000)] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="Where it keeps its certificate and secrets; else a temporary folder.")
    ] = None,
    config: Config = None,  # noqa: ARG001
) -> None:
    """Only the stand-in providers, until Ctrl-C. Prints one line of JSON once they listen."""
    try:
        from alertd.sandbox.main import run as play
    except ImportError as error:
        raise Failure(f"The sandbox needs pip install 'alertd[sandbox]' ({error})", WRONG_USAGE) from None
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="alertd-sandbox-")))
        asyncio.run(play(port_base, folder))
