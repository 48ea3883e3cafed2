"""`alertd sandbox`: the stand-ins alone, until told to stop."""

import asyncio
import signal
import sys
from pathlib import Path

from alertd.sandbox.sandbox import Options, Sandbox


async def run(port_base: int, folder: Path) -> None:
    """Start them all, print what they are as one line of JSON, stop on SIGTERM or SIGINT.

    `port_base` 0 takes any free ports. `folder` gets the authority and the secrets. Raises OSError where a
    port is taken.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with Sandbox(folder, Options(port_base=port_base)) as sandbox:
            sys.stdout.write(sandbox.description.to_json() + "\n")
            sys.stdout.flush()
            await stop.wait()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
