"""What goes to a console, as text for BENCHMARKS.md."""

import io
from collections.abc import Callable

from rich.console import Console

_WIDTH = 132


def printed(show: Callable[[Console], None]) -> str:
    """What `show` prints, in a fence."""
    page = io.StringIO()
    show(Console(file=page, width=_WIDTH, highlight=False))
    lines = "\n".join(line.rstrip() for line in page.getvalue().splitlines())
    return f"```text\n{lines}\n```"
