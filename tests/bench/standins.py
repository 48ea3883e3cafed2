"""The stand-ins in a process of their own: `python -m tests.bench.standins FOLDER`.

As `alertd sandbox`, but Telegram's limits are out of the way (one chat is written to ten times a second), and when
a message with a probe's mark arrives, its stand-in, number and time are a line in FOLDER/probes.
"""

import asyncio
import re
import signal
import sys
import time
from pathlib import Path
from typing import TextIO

from alertd.sandbox.bot_limits import Rates
from alertd.sandbox.ledger import Ledger
from alertd.sandbox.sandbox import Options, Sandbox

_MARK = re.compile(rb"N(\d{6})N")
_NO_LIMITS = Rates(overall=10_000, burst=10_000, per_chat=10_000)


def mark(number: int) -> str:
    return f"N{number:06}N"


async def run(folder: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with (folder / "probes").open("a", buffering=1) as probes:
        async with Sandbox(folder, Options(rates=_NO_LIMITS)) as sandbox:
            for name, provider in sandbox.providers.items():
                _note(provider.ledger, name, probes)
            print(sandbox.description.to_json(), flush=True)
            await stop.wait()


def _note(ledger: Ledger, name: str, probes: TextIO) -> None:
    took = ledger.took

    def noted(recipient: str, identity: bytes, body: bytes, *, at: float) -> bool:
        found = _MARK.search(body)
        if found is not None:
            wall = time.time() - (time.monotonic() - at)
            probes.write(f"{name} {int(found[1])} {at} {wall}\n")
        return took(recipient, identity, body, at=at)

    ledger.took = noted


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
