"""A real alert from a terminal: one line saying who will hear it, and one key."""

import json
import re
import sys

from rich.console import Console
from rich.text import Text

from alertd.cli.client import Body, Client
from alertd.cli.errors import Failure

_ACTUAL_XML = re.compile(rb"<(?:\w+:)?status>\s*Actual\s*</")
_SHOWN_ZONES = 6


def is_real(body: Body) -> bool:
    """Whether this would reach the public as real."""
    if body.media_type != "application/json":
        return bool(_ACTUAL_XML.search(body.data))
    try:
        value = json.loads(body.data)
    except ValueError:
        return False  # the server will say what is wrong with it
    return isinstance(value, dict) and value.get("status") == "Actual"


async def confirmed(client: Client, body: Body) -> None:
    """Return once the person at the terminal agreed. Raises Failure where not."""
    preview = await client.post("/v1/previews", body)
    channels = [
        f"{c['channel']} ({'broadcast' if c.get('broadcast') else format(c.get('audience') or 0, ',')})"
        for c in preview.get("channels") or ()
    ]
    zones = list(preview.get("zones") or ())
    where = ", ".join(zones[:_SHOWN_ZONES]) + (
        f" and {len(zones) - _SHOWN_ZONES} more" if len(zones) > _SHOWN_ZONES else ""
    )
    line = f" to {where or 'no zone'} through {', '.join(channels) or 'no channel'}. "
    console = Console(stderr=True)
    console.print(Text.assemble(("REAL ALERT", "bold white on red"), line), end="", soft_wrap=True)
    console.print("Send it? [y/N] ", end="", markup=False, highlight=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "s", "si", "sì"):
        raise Failure("Not sent.")
