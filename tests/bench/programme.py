"""`python -m tests.bench [--quick] [--only PART …] [--check] [--keep]`: how fast, against whom, and whether it still is.

A whole run writes BENCHMARKS.md and ratios.json (see README.md here). `--check` writes neither: it compares the ratios
with those kept and ends with 1 if one has become worse. Everything stays on the loopback and in a folder that is
removed afterwards.
"""

import argparse
import asyncio
import importlib
import os
import signal
import tempfile
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from tests.acceptance.town import ROOT
from tests.bench import ratios, report, results
from tests.bench.measure import SKIPPED, Bench, Section

PARTS = {
    "push": "Web Push against its libraries",
    "mail": "mail against nodemailer and smtp-source",
    "broadcast": "POST to first webhook, 100 receivers",
    "telegram": "how much of the provider's 30 a second is used",
    "growth": "cost from 1,000 to 1,000,000 recipients, memory",
    "decrypt": "every push read, no envelope used twice, independent readers",
    "calm": "accepting alerts while 100,000 pushes go out",
    "readings": "accepting alerts while 10,000 sensor readings a second come over MQTT",
    "accept": "an emergency in the middle of a newsletter",
    "isolation": "what a channel in trouble costs the others",
    "cap": "reading CAP beside bare lxml parse and XSD validation",
    "feeds": "a feed of 10,000 alerts against nginx, and what it costs the loop",
    "cap_hostile": "what hostile CAP documents cost, one by one",
}
"""Modules here with `async def measure(bench) -> list[Section]`."""
DAILY = ("push", "mail", "broadcast")
"""What --quick does by itself, in some minutes."""
_WHOLE = {"whole": 90 * 60.0, "quick": 8 * 60.0}  # seconds after which something is wrong
_ROUNDS = {"whole": 3, "quick": 1}
_KEPT = ROOT / "build" / "bench"
_PAGE = ROOT / "BENCHMARKS.md"


class Evening:
    """One run of some parts. What a part has measured is told and kept when it ends, whatever becomes of the next."""

    def __init__(self, console: Console, wanted: argparse.Namespace) -> None:
        self.console = console
        self.size = "quick" if wanted.quick else "whole"
        self.parts: list[str] = wanted.only or list(DAILY if wanted.quick else PARTS)
        self.rounds: int = wanted.rounds or _ROUNDS[self.size]
        self.folder: str = wanted.folder
        self.check: bool = wanted.check
        self.keep: bool = wanted.keep
        self.failed: list[str] = []
        self.worse = False

    async def play(self, tell: "Teller") -> None:
        """Every part; one that fails is told and does not end the others. SIGTERM ends all, and what they started."""
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        async with asyncio.timeout(_WHOLE[self.size]):
            for part in self.parts:
                began = time.monotonic()
                try:
                    self._ended(await self._part(part, tell))
                except Exception:
                    self.failed.append(part)
                    self.console.print(traceback.format_exc(), style="red", markup=False)
                tell(f"{part}: {time.monotonic() - began:.0f} s", stays=True)

    async def _part(self, part: str, tell: "Teller") -> list[Section]:
        with tempfile.TemporaryDirectory(
            prefix=f"alertd-bench-{part}-", dir=self.folder, ignore_cleanup_errors=True
        ) as folder:
            os.chmod(folder, 0o755)  # smtp-sink and nginx may run as somebody else
            module = importlib.import_module(f"tests.bench.{part}")
            return await module.measure(Bench(Path(folder), self.size == "quick", self.rounds, tell))

    def _ended(self, sections: list[Section]) -> None:
        for section in sections:
            text = report.section_text(section)
            if self.console.is_terminal:
                self.console.print(Markdown(text))
            else:
                self.console.print(text, markup=False, soft_wrap=True)
        self.worse |= _compare(self.console, sections, self.size)
        if sections and not self.check:
            self._write(sections)

    def _write(self, sections: list[Section]) -> None:
        kept = results.load(_KEPT / f"{self.size}.json")
        kept.add(sections)
        kept.save(_KEPT / f"{self.size}.json")
        whole = self.size == "whole"
        if whole:
            _PAGE.write_text(report.benchmarks(kept, self.failed))
        if whole or self.keep:
            ratios.keep(sections, self.size)
            self.console.print(f"Kept: {ratios.FILE.relative_to(ROOT)}{' and BENCHMARKS.md' if whole else ''}")


class Teller:
    """Says what is going on: in one line that changes on a terminal, in many elsewhere."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("…") if console.is_terminal else None

    def __enter__(self) -> "Teller":
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._status:
            self._status.stop()

    def __call__(self, what: str, *, stays: bool = False) -> None:
        loud = what.startswith(SKIPPED)
        if self._status and not loud and not stays:
            self._status.update(what)
        else:
            self._console.print(
                f"{time.strftime('%H:%M:%S')} {what}", style="bold yellow" if loud else None, markup=False
            )


def main() -> int:
    wanted = _arguments()
    console = Console(width=None if os.isatty(1) else 160, highlight=False)
    evening = Evening(console, wanted)
    began, load = time.monotonic(), os.getloadavg()[0]
    with Teller(console) as tell:
        try:
            asyncio.run(evening.play(tell))
        except asyncio.CancelledError:
            return 128 + signal.SIGTERM
    console.print(
        f"{time.monotonic() - began:.0f} s on {os.cpu_count()} cores; load before {load:.1f}, after {os.getloadavg()[0]:.1f}."
    )
    if evening.failed:
        console.print(f"FAILED, and so not measured: {', '.join(evening.failed)}", style="bold red")
    return 1 if evening.failed or (wanted.check and evening.worse) else 0


def _compare(console: Console, sections: list[Section], size: str) -> bool:
    changes, missing = ratios.changes(sections, size)
    for change in changes:
        console.print(str(change), style="bold red" if change.regressed else None, markup=False)
    for name in missing:
        console.print(f"NOT COMPARED: {name}: somebody did not take part", style="bold yellow", markup=False)
    if not changes:
        console.print(f"No ratios of a {size} run are kept for this: --keep keeps them.")
    return any(change.regressed for change in changes)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help=f"small numbers, and only {', '.join(DAILY)} unless --only says else"
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, metavar="PART", help="; ".join(f"{k}: {v}" for k, v in PARTS.items())
    )
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a ratio is worse than the one kept")
    parser.add_argument("--keep", action="store_true", help="keep a quick run's ratios too")
    parser.add_argument("--rounds", type=int, help="how often everybody plays; 3, or once in a quick run")
    parser.add_argument("--folder", default="/var/tmp", help="on the disk whose fsync is to be measured")
    return parser.parse_args()
