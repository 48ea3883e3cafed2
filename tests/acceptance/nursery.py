"""Daemons that start quickly: forked from a process that has been through it all once and keeps nothing open.

What is forked is what `alertd run` runs from there on: its own process, killed and waited for like any other.
"""

import multiprocessing
import os
import sys
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_PRELOAD = ["tests.acceptance.rehearsal", "tests.acceptance.nursery"]


def spawn(config: Path, log: Path, env: dict[str, str]) -> ForkServerProcess:
    """A started daemon. Its output goes to `log`, its exit code is the daemon's."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_PRELOAD)
    process = context.Process(target=_live, args=(str(config), str(log), env), daemon=False)
    process.start()
    return process


def _live(config: str, log: str, env: dict[str, str]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.environ.update(env)
    os.chdir(Path(config).parent)
    sys.argv = ["alertd", "run", "--config", config]
    from alertd.cli import main

    main()
