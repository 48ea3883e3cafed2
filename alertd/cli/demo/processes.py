"""The demo's own processes: each in its own group, and none outlives the demo."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

_INHERITED_BY_NONE = ("STATE_DIRECTORY", "CREDENTIALS_DIRECTORY", "NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID")
_LAST_LINES = 15

Process = asyncio.subprocess.Process


@asynccontextmanager
async def alertd(arguments: Sequence[str], log: Path, *, patience: float) -> AsyncIterator[Process]:
    """Another `alertd` with these arguments; its stdout is a pipe, its stderr goes to the log.

    On the way out it is asked to stop, and after `patience` seconds made to.
    """
    with log.open("wb") as err:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "alertd.cli",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=err,
            env=_environment(),
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # Shielded: a second Ctrl-C must not leave a daemon behind.
        await asyncio.shield(_end(process, patience))


def last_words(log: Path) -> str:
    """The end of a log, for whoever must find out why."""
    lines = log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
    return "\n".join(f"    {line}" for line in lines) or "    (it said nothing)"


async def _end(process: Process, patience: float) -> None:
    _signal(process, signal.SIGTERM)
    try:
        async with asyncio.timeout(patience):
            await process.communicate()
    except TimeoutError:
        _signal(process, signal.SIGKILL)
        await process.wait()
    _signal(process, signal.SIGKILL)  # what it may have started itself


def _signal(process: Process, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _environment() -> dict[str, str]:
    """Ours without what configures an alertd or ties it to a service manager."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ALERTD_") and name not in _INHERITED_BY_NONE
    }
