"""Readers: a few threads, each with its own connection that cannot write. They never wait for the writer.

One is kept for urgent jobs, so that an alert's road never waits behind listings, previews and exports.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from alertd.storage.connect import driver
from alertd.storage.problems import as_unavailable

_Work = tuple[Callable[[Connection], Any], asyncio.Future[Any]]


class _Waiting:
    """Jobs for two kinds of thread: the reserved one takes urgent jobs only, the others those first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._for_reserved = threading.Condition(self._lock)
        self._for_others = threading.Condition(self._lock)
        self._urgent: deque[_Work] = deque()
        self._ordinary: deque[_Work] = deque()
        self._reserved_idle = False
        self._closed = False

    def put(self, job: _Work, *, urgent: bool) -> None:
        """Raises RuntimeError once closed."""
        with self._lock:
            if self._closed:
                raise RuntimeError("the store is closed")
            (self._urgent if urgent else self._ordinary).append(job)
            if urgent and self._reserved_idle:
                self._reserved_idle = False
                self._for_reserved.notify()
            else:
                self._for_others.notify()

    def take(self, *, reserved: bool) -> _Work | None:
        """The next job; None once closed and done. Whoever is busy looks here again before it waits."""
        mine = self._for_reserved if reserved else self._for_others
        with self._lock:
            while True:
                if self._urgent:
                    return self._urgent.popleft()
                if self._ordinary and not reserved:
                    return self._ordinary.popleft()
                if self._closed:
                    return None
                self._reserved_idle = self._reserved_idle or reserved
                mine.wait()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._for_reserved.notify_all()
            self._for_others.notify_all()


class Readers:
    """One thread for each connection it is given, the first reserved. Every job sees one consistent snapshot."""

    def __init__(self, connections: Sequence[Connection], loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting = _Waiting()
        self._threads = [
            threading.Thread(target=self._run, args=(one, i == 0), name=f"alertd-store-reader-{i}", daemon=True)
            for i, one in enumerate(connections)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Connection], Any], future: asyncio.Future[Any], *, urgent: bool) -> None:
        """Raises RuntimeError once closed."""
        self._waiting.put((work, future), urgent=urgent)

    def close(self) -> None:
        """Finish what is queued and end the threads (blocking)."""
        self._waiting.close()
        for thread in self._threads:
            thread.join()

    def _run(self, connection: Connection, reserved: bool) -> None:  # noqa: FBT001 - what a thread is started with
        driver(connection).execute("PRAGMA query_only = 1")
        while (job := self._waiting.take(reserved=reserved)) is not None:
            work, future = job
            value, error = _read(connection, work)
            with contextlib.suppress(RuntimeError):  # the loop has gone: nobody is listening
                self._loop.call_soon_threadsafe(_resolve, future, value, error)


def _read(connection: Connection, work: Callable[[Connection], Any]) -> tuple[Any, BaseException | None]:
    raw = driver(connection)
    try:
        raw.execute("BEGIN")
        value = work(connection)
        raw.execute("COMMIT")
    except Exception as error:  # noqa: BLE001 - it goes to the caller
        with contextlib.suppress(Exception):
            raw.execute("ROLLBACK")
        return None, as_unavailable(error) or error
    return value, None


def _resolve(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)
