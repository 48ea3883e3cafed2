"""The options that several commands share, and what they stand for."""

from pathlib import Path
from typing import Annotated

import typer

Config = Annotated[
    Path | None,
    typer.Option("--config", envvar="ALERTD_CONFIG", help="The configuration file.", show_default=False),
]
Url = Annotated[str, typer.Option("--url", envvar="ALERTD_URL", help="The daemon's address.")]
Secret = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="ALERTD_TOKEN",
        help="The bearer token. Rather the variable: options show in the list of processes.",
        show_default=False,
    ),
]
AlertId = Annotated[str, typer.Argument(metavar="ID", help="The alert's id.", show_default=False)]

LOCAL = "http://127.0.0.1:8470"
