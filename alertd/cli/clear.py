"""`alertd reject --rule NAME`: reject every draft of a rule that waits now, after a look at what they are.

Each is rejected by itself, as `alertd reject ID` does: each is in the audit log, and none is that came after the look.
There is no such command for sending them.
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence

from rich.console import Console

from alertd.cli.client import Body, Client, Unsure
from alertd.cli.drafts import Draft, severity_of, table_of, waiting
from alertd.cli.errors import Failure, bullets

_SHOWN = 10
_AT_ONCE = 8
_YES = frozenset({"y", "yes", "s", "si", "sì"})


async def reject_all(url: str, token: str, rule: str, reason: str, *, asked: bool) -> None:
    """`asked`: no question is left to be asked. Raises Failure where there is none, the answer is no, or not all could
    be rejected."""
    async with Client(url, token) as client:
        found = await waiting(client, rule)
        if not found:
            raise Failure(f"No draft of the rule {rule} waits for a decision.")
        _shown(found, rule)
        if not asked:
            _ask(len(found))
        refused = await _reject_each(client, found, reason)
    sys.stderr.write(f"alertd: {len(found) - len(refused)} of {len(found)} rejected\n")
    if refused:
        more = [f"and {len(refused) - _SHOWN} more"] if len(refused) > _SHOWN else []
        raise Failure("\n".join(("Not rejected:", *bullets((*refused[:_SHOWN], *more)))))


def _shown(found: Sequence[Draft], rule: str) -> None:
    counts = Counter(f"{draft['status']}, {severity_of(draft)}" for draft in found)
    kinds = "; ".join(f"{count} {kind}" for kind, count in counts.items())
    console = Console(stderr=True)
    console.print(table_of(found[:_SHOWN]))
    gravest = f" The gravest {_SHOWN} are above; all: alertd drafts --rule {rule}" if len(found) > _SHOWN else ""
    sys.stderr.write(f"{len(found)} drafts of the rule {rule} wait ({kinds}).{gravest}\n")


def _ask(count: int) -> None:
    sys.stderr.write(f"Reject all {count}? Nothing of them will be sent. [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in _YES:
        raise Failure("Nothing was rejected.")


async def _reject_each(client: Client, found: Sequence[Draft], reason: str) -> list[str]:
    """Print the id of each that was; what was said of each that was not. Raises Failure where the daemon is gone, or
    refuses the first ones all: it would refuse the others too."""
    refused: list[str] = []
    for start in range(0, len(found), _AT_ONCE):
        some = [str(draft["id"]) for draft in found[start : start + _AT_ONCE]]
        said = await asyncio.gather(*(_reject(client, one, reason) for one in some))
        refused += (f"{one}: {why}" for one, why in zip(some, said, strict=True) if why)
        if start == 0 and all(said) and len(found) > _AT_ONCE:
            raise Failure("\n".join(("Nothing was rejected:", *bullets(refused))))
    return refused


async def _reject(client: Client, draft_id: str, reason: str) -> str:
    try:
        await client.post(f"/v1/alerts/{draft_id}/reject", Body.of({"reason": reason}))
    except Unsure:
        raise
    except Failure as error:
        return str(error)
    sys.stdout.write(f"{draft_id}\n")
    return ""
