"""The one writer: a thread with the only writing connection, committing jobs in groups.

One fsync serves every job that was waiting, so many small changes cost little more than one. A job's answer
is given only after the COMMIT that holds it.
"""

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, Final

from sqlalchemy import Connection

from alertd.domain.problems import Unavailable
from alertd.storage.checkpoint import Checkpointer
from alertd.storage.connect import driver
from alertd.storage.lock import Gate
from alertd.storage.problems import as_unavailable
from alertd.storage.queue import Job, JobQueue

logger = logging.getLogger(__name__)

MAX_JOBS: Final = 64
MAX_SECONDS: Final = 0.005
MAX_URGENT_GROUPS: Final = 4
STUCK_SECONDS: Final = 30.0
"""A group or a checkpoint that takes longer will not come back: a dead disk, a bug."""
_AFTER_BUG_SECONDS: Final = 0.1


@dataclass(slots=True)
class _Done:
    """A job that ran, and what came of it; not yet durable."""

    job: Job
    value: Any = None
    error: BaseException | None = None


class _GroupLost(Exception):
    """The transaction is gone; nothing in it was stored."""


class Writer:
    """Runs jobs on its own thread until closed. `connection` must not be used by anyone else meanwhile.

    `log` is the write-ahead log's file.
    """

    def __init__(self, connection: Connection, gate: Gate, log: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._connection = connection
        self._raw = driver(connection)
        self._gate = gate
        self._loop = loop
        self._queue = JobQueue()
        self._checkpointer = Checkpointer(self._raw, gate, log)
        self._urgent_groups = 0
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="alertd-store-writer", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Raises RuntimeError once closed, Unavailable where the thread has ended on its own."""
        if not self._thread.is_alive() and not self._queue.closed:
            raise Unavailable("the store's writer has ended: restart the daemon")
        self._queue.put(job)

    def alive(self) -> bool:
        """Whether the thread runs and is not held up in one group or checkpoint for longer than STUCK_SECONDS."""
        since = self._busy_since
        return self._thread.is_alive() and (since is None or monotonic() - since <= STUCK_SECONDS)

    def close(self) -> None:
        """Finish what is queued and end the thread (blocking)."""
        self._queue.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._guarded(self._turn):
            pass
        self._guarded(self._checkpoint)

    def _guarded(self, step: Callable[[], bool]) -> bool:
        """Whatever goes wrong in a step, the next one is tried: without this thread nothing is accepted any more."""
        try:
            return step()
        except Exception:
            logger.exception("a bug in the store's writer; it goes on")
            sleep(_AFTER_BUG_SECONDS)
            return False
        finally:
            self._busy_since = None

    def _turn(self) -> bool:
        """One group, or a checkpoint where nothing waits. True: closed, and all is done."""
        closed = self._queue.closed  # asked before: a job may come between the wait and the closing
        if self._queue.wait(self._checkpointer.patience):
            self._busy_since = monotonic()
            self._commit_group()
            self._checkpointer.after_group(pressed=self._queue.urgent_waiting)
            return False
        return closed or self._checkpoint()

    def _checkpoint(self) -> bool:
        self._busy_since = monotonic()
        self._checkpointer.when_idle()
        return False

    def _commit_group(self) -> None:
        done: list[_Done] = []
        try:
            with self._gate.writing():
                self._raw.execute("BEGIN IMMEDIATE")
                self._fill(done)
                self._tell(done)
                self._raw.execute("COMMIT")
        except Exception as error:  # noqa: BLE001 - whatever it was, every job of the group must hear of it
            self._abandon(done, error)
        self._answer(done)

    def _fill(self, done: list[_Done]) -> None:
        """Run jobs until the group is full. One that has urgent jobs closes as soon as no more of them wait."""
        ends = perf_counter() + MAX_SECONDS
        urgent = False
        while len(done) < MAX_JOBS and perf_counter() < ends:
            job = self._next(first=not done, urgent_only=urgent)
            if job is None:
                break
            self._run_job(job, done)
            urgent = urgent or job.urgent
        self._urgent_groups = self._urgent_groups + 1 if urgent else 0

    def _tell(self, done: list[_Done]) -> None:
        """The loop has a processor to itself now, until the disk has written."""
        for entry in done:
            if entry.job.meanwhile is not None and entry.error is None:
                with contextlib.suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(entry.job.meanwhile)

    def _next(self, *, first: bool, urgent_only: bool) -> Job | None:
        """Urgent jobs first, but ordinary ones are not left for ever."""
        if first and self._urgent_groups >= MAX_URGENT_GROUPS:
            self._urgent_groups = 0
            starved = self._queue.take_ordinary()
            if starved is not None:
                return starved
        urgent = self._queue.take_urgent()
        return urgent if urgent is not None or urgent_only else self._queue.take_ordinary()

    def _run_job(self, job: Job, done: list[_Done]) -> None:
        """One job; if it fails, it alone is undone. Raises _GroupLost where the database itself refuses."""
        alone = not done
        entry = _Done(job)
        done.append(entry)
        if not alone:
            self._raw.execute("SAVEPOINT job")
        try:
            entry.value = job.work(self._connection)
        except Exception as error:  # noqa: BLE001 - it goes to the caller
            refused = as_unavailable(error)
            if refused is not None or not self._raw.in_transaction:
                raise _GroupLost from refused or error
            entry.error = error
            self._undo(alone=alone)
        else:
            if not alone:
                self._raw.execute("RELEASE job")

    def _undo(self, *, alone: bool) -> None:
        if alone:
            self._raw.execute("ROLLBACK")
            self._raw.execute("BEGIN IMMEDIATE")
        else:
            self._raw.execute("ROLLBACK TO job")
            self._raw.execute("RELEASE job")

    def _abandon(self, done: list[_Done], error: Exception) -> None:
        """Roll back and give every job of the group the reason (its own where it had failed before)."""
        with contextlib.suppress(Exception):
            if self._raw.in_transaction:
                self._raw.execute("ROLLBACK")
        if not done:  # not even begun: whoever waits hears it now, not one lock timeout after another
            done.extend(_Done(job) for job in self._queue.drain())
        cause = error.__cause__ if isinstance(error, _GroupLost) else error
        refusal = as_unavailable(cause or error) or Unavailable(f"the store did not take it: {cause}")
        for entry in done:
            if isinstance(cause, Unavailable):
                entry.error = entry.error or cause
            else:
                entry.error = entry.error or refusal

    def _answer(self, done: list[_Done]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has gone: nobody is listening
            self._loop.call_soon_threadsafe(_resolve, done)


def _resolve(done: list[_Done]) -> None:
    for entry in done:
        future = entry.job.future
        if future.done():
            continue  # its caller was cancelled; the change stays made
        if entry.error is None:
            future.set_result(entry.value)
        else:
            future.set_exception(entry.error)
