"""A real alert from a terminal: one line saying who will hear it, and one key."""

import json
import sys

from rich.console import Console
from rich.text import Text

from alertd.cli.client import Body, Client
from alertd.cli.errors import Failure
from alertd.domain.alert import Alert, MsgType

_NEWS = frozenset({MsgType.ACK, MsgType.ERROR})
_SHOWN_ZONES = 6


def is_real(body: Body) -> bool:
    """Whether this would reach the public as real."""
    if body.media_type != "application/json":
        alerts = _alerts_of(body)
        return not alerts or any(alert.status.is_real and alert.msg_type not in _NEWS for alert in alerts)
    try:
        value = json.loads(body.data)
    except ValueError:
        return False  # the server will say what is wrong with it
    return isinstance(value, dict) and value.get("status") == "Actual"


def _alerts_of(body: Body) -> tuple[Alert, ...]:
    """None where we cannot read it: then the server may yet, and it counts as real. The reader is slow to import."""
    from alertd.cap.reader import read

    return read(body.data).alerts


async def confirmed(client: Client, body: Body) -> None:
    """Return once the person at the terminal agreed. Raises Failure where not."""
    if body.media_type != "application/json" and any(a.msg_type is MsgType.CANCEL for a in _alerts_of(body)):
        _ask("REAL CANCEL", " to everybody who may have got what it references. ")
        return
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
    _ask("REAL ALERT", line)


def _ask(what: str, line: str) -> None:
    console = Console(stderr=True)
    console.print(Text.assemble((what, "bold white on red"), line), end="", soft_wrap=True)
    console.print("Send it? [y/N] ", end="", markup=False, highlight=False)
    if sys.stdin.readline().strip().lower() not in ("y", "yes", "s", "si", "sì"):
        raise Failure("Not sent.")
