"""`python -m tests.bench [--quick]`: accept and first-attempt latency, and what a channel in trouble costs the others.

Everything stays on the loopback and in a folder that is removed afterwards.
"""

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from rich.console import Console

from tests.bench import accept, isolation
from tests.bench.stage import stand_ins

_WHOLE = 15 * 60.0  # seconds after which something is wrong


async def run(console: Console, folder: Path, *, quick: bool, only: str | None) -> None:
    async with asyncio.timeout(_WHOLE):
        if only != "isolation":
            async with stand_ins(folder / "stand-ins-1") as stand:
                size, probes, most = (10_000, 50, 20.0) if quick else (100_000, 300, 60.0)
                with console.status(f"accept: idle, then under a fan-out of {size:,} …"):
                    volleys = await accept.measure(
                        folder / "accept", stand, deliveries=size, probes=probes, seconds=most
                    )
            accept.show(console, *volleys)
        if only != "accept":
            async with stand_ins(folder / "stand-ins-2") as stand:
                with console.status("isolation …") as status:
                    cases = await isolation.measure(
                        folder / "isolation",
                        stand,
                        citizens=80 if quick else 120,
                        rounds=3 if quick else 5,
                        cases=isolation.SOME_CASES if quick else isolation.EVERY_CASE,
                        tell=lambda what: status.update(f"isolation: {what} …"),
                    )
            isolation.show(console, cases)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller numbers, fewer cases; about two minutes")
    parser.add_argument("--only", choices=("accept", "isolation"), help="one half of it")
    parser.add_argument("--folder", default="/var/tmp", help="on the disk whose fsync is to be measured")
    wanted = parser.parse_args()
    console = Console(width=None if os.isatty(1) else 132, highlight=False)
    began = time.monotonic()
    console.print(
        f"Stand-ins (which really decrypt), daemon and driver share {os.cpu_count()} cores; "
        f"load before: {os.getloadavg()[0]:.1f}. The store is under {wanted.folder}."
    )
    with tempfile.TemporaryDirectory(prefix="alertd-bench-", dir=wanted.folder) as folder:
        asyncio.run(run(console, Path(folder), quick=wanted.quick, only=wanted.only))
    console.print(f"{time.monotonic() - began:.0f} s in all; load after: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
