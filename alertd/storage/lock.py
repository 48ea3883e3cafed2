"""Who may do what to the store's file, between processes, by flock (freed by the kernel when a process dies)."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from alertd.domain.problems import Unavailable
from alertd.storage.problems import StoreBusy

_POLL_SECONDS: Final = 0.002


class DaemonLock:
    """`<db>.lock`: held by the one daemon of this store, its process id inside."""

    def __init__(self, db: Path) -> None:
        self._path = db.with_name(db.name + ".lock")
        self._fd = -1

    def acquire(self) -> None:
        """Raises StoreBusy naming the process that holds it."""
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(fd)
            raise StoreBusy(
                f"{self._path} is held by process {holder}: another alertd runs on this store, stop it first"
            ) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        self._fd = fd

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class Gate:
    """`<db>.gate`: keeps checkpoints and writes of all processes apart.

    SQLite before 3.51.3 may lose frames when one connection checkpoints at the very moment another one starts
    the write-ahead log again (https://sqlite.org/wal.html, "the WAL-reset bug"). A writer passes the gate
    shared, a checkpoint has it alone.

    `busy_seconds` is how long a writer waits for another process's checkpoint: a process stopped in the middle
    of one (Ctrl-Z) must not hold up every accept for ever.
    """

    def __init__(self, db: Path, *, busy_seconds: float) -> None:
        self._path = db.with_name(db.name + ".gate")
        self._busy_seconds = busy_seconds
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Raises Unavailable where another process keeps the gate too long."""
        ends = monotonic() + self._busy_seconds
        while not self._try(fcntl.LOCK_SH):
            if monotonic() >= ends:
                raise Unavailable(f"the store cannot be used now: another process keeps {self._path} locked")
            sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def checkpointing(self) -> Iterator[bool]:
        """True where the gate is ours; False where somebody is writing, without waiting."""
        if not self._try(fcntl.LOCK_EX):
            yield False
            return
        try:
            yield True
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _try(self, lock: int) -> bool:
        try:
            fcntl.flock(self._fd, lock | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        os.close(self._fd)
