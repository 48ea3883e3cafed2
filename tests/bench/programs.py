"""Programs run to their end, and the CPU time that they and what they start use."""

import asyncio
import contextlib
import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

_TICKS = os.sysconf("SC_CLK_TCK")
_FIELDS_AFTER_NAME = (11, 12, 13, 14)  # utime, stime, cutime, cstime of /proc/PID/stat, proc(5)


class Skipped(Exception):
    """A contestant that cannot take part here: why, and what to install."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`cpu` is its own and that of all it started and waited for."""

    stdout: str
    stderr: str
    seconds: float
    cpu: float


async def command(
    argv: Sequence[str | Path], *, seconds: float, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Run it to its end; RuntimeError where it fails, TimeoutError after `seconds`. Whatever happens, it is gone.

    One at a time, or the CPU seconds of two would be mixed up.
    """
    before, began = _children(), time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *map(str, argv),
        cwd=cwd,
        env={**os.environ, **(env or {})},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        limit=1 << 24,
    )
    try:
        async with asyncio.timeout(seconds):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    ended = Ended(
        out.decode(errors="replace"), err.decode(errors="replace"), time.perf_counter() - began, _children() - before
    )
    if process.returncode:
        raise RuntimeError(f"{argv[0]} ended with {process.returncode}: {ended.stderr[-2000:] or ended.stdout[-2000:]}")
    return ended


async def report_of(argv: Sequence[str | Path], *, seconds: float, **more: Any) -> tuple[dict[str, Any], Ended]:
    """`command` for a script whose last line is one JSON object."""
    ended = await command(argv, seconds=seconds, **more)
    return json.loads(ended.stdout.strip().rpartition("\n")[2]), ended


def program(name: str, install: str) -> Path:
    """Where it is. Skipped says how to get it. Debian keeps some in /usr/sbin."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise Skipped(f"{name} is not installed: {install}")
    return Path(found)


class Meter:
    """`with Meter(pid) as meter:` wall and CPU seconds of these processes and their descendants meanwhile."""

    def __init__(self, *pids: int) -> None:
        self._pids = pids
        self.seconds = 0.0
        self.cpu = 0.0

    def __enter__(self) -> Self:
        self._cpu, self._began = cpu_seconds(*self._pids), time.perf_counter()
        return self

    def __exit__(self, *exc: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.cpu = cpu_seconds(*self._pids) - self._cpu


def cpu_seconds(*pids: int) -> float:
    """User and system time so far of these and all they started, ended and waited for ones included."""
    parents: dict[int, list[int]] = {}
    ticks: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                pid = int(entry.name)
                parents.setdefault(int(fields[1]), []).append(pid)
                ticks[pid] = sum(int(fields[i]) for i in _FIELDS_AFTER_NAME)
    tree, waiting = set(), list(pids)
    while waiting:
        pid = waiting.pop()
        if pid not in tree:
            tree.add(pid)
            waiting += parents.get(pid, ())
    return sum(ticks.get(pid, 0) for pid in tree) / _TICKS


def resident(pid: int) -> int:
    """Bytes of memory it holds now."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def end(process: asyncio.subprocess.Process, seconds: float = 10.0) -> None:
    """SIGTERM, and SIGKILL to what has not ended after so many seconds."""
    if process.returncode is None:
        process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
