"""Readers: a few threads, each with its own connection that cannot write. They never wait for the writer."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from alertd.storage.connect import driver
from alertd.storage.problems import as_unavailable

_Work = tuple[Callable[[Connection], Any], asyncio.Future[Any]]


class Readers:
    """One thread for each connection it is given. Every job sees one consistent snapshot."""

    def __init__(self, connections: Sequence[Connection], loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._closed = False
        self._jobs: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._run, args=(one,), name=f"alertd-store-reader-{i}", daemon=True)
            for i, one in enumerate(connections)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Callable[[Connection], Any], future: asyncio.Future[Any]) -> None:
        """Raises RuntimeError once closed."""
        if self._closed:
            raise RuntimeError("the store is closed")
        self._jobs.put((work, future))

    def close(self) -> None:
        """Finish what is queued and end the threads (blocking)."""
        self._closed = True
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self, connection: Connection) -> None:
        driver(connection).execute("PRAGMA query_only = 1")
        while (job := self._jobs.get()) is not None:
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
