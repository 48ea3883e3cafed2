"""Tables for people: as wide as the terminal, and never cut where there is none."""

import sys

from rich.console import Console
from rich.table import Table

_ENDLESS = 10_000


def show(table: Table) -> None:
    """Print it on stdout."""
    Console(width=None if sys.stdout.isatty() else _ENDLESS).print(table)
