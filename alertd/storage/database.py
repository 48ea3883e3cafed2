"""The database as the store's parts use it: `read` and `write` take a function of a Connection."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from alertd.domain.problems import Unavailable
from alertd.storage.connect import connect
from alertd.storage.lock import DaemonLock, Gate
from alertd.storage.migrate import bring_up_to_date, is_current
from alertd.storage.problems import as_unavailable
from alertd.storage.queue import Job
from alertd.storage.readers import Readers
from alertd.storage.writer import Writer

T = TypeVar("T")

READERS: Final = 3
"""One of them for urgent reads alone."""
BUSY_SECONDS: Final = 5.0
WRITER_CACHE: Final = 16_384  # KiB: about the pages that planning, claims and receipts of a fan-out come back to
READER_CACHE: Final = 4_096


class Database:
    """Jobs from the event loop to the store's threads. A PostgreSQL edition would run the same jobs on a pool."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def write(
        self, work: Callable[[Connection], T], *, urgent: bool = False, meanwhile: Callable[[], None] | None = None
    ) -> T:
        """Run `work` in a transaction; returns once it is durable. `meanwhile` is called while the disk writes.

        Whatever `work` raises undoes its changes alone. Raises Unavailable where the database refuses. If the
        caller is cancelled the change is made all the same.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(work, future, urgent, meanwhile))
        result: T = await future
        return result

    async def read(self, work: Callable[[Connection], T], *, urgent: bool = False) -> T:
        """Run `work` on one snapshot. Raises Unavailable where the database cannot be read.

        `urgent` is for the short questions on the road of an alert: they wait for none of the others.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._readers.submit(work, future, urgent=urgent)
        result: T = await future
        return result

    def alive(self) -> bool:
        """Whether changes can still be made, as far as our own thread goes."""
        return self._writer.alive()


@asynccontextmanager
async def open_database(path: Path, *, exclusive: bool) -> AsyncIterator[Database]:
    """`exclusive` is the daemon; others share the file with it. Raises StoreBusy, StoreTooNew, Unavailable."""
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        _make_folder(path)
        lock = DaemonLock(path)
        stack.callback(lock.release)
        gate = Gate(path, busy_seconds=BUSY_SECONDS)
        stack.callback(gate.close)
        connections = await asyncio.to_thread(_prepare, path, lock, exclusive=exclusive)
        for connection in connections:
            stack.callback(_close, connection)
        readers = Readers(connections[1:], loop)
        stack.push_async_callback(asyncio.to_thread, readers.close)
        writer = Writer(connections[0], gate, path.with_name(path.name + "-wal"), loop)
        stack.push_async_callback(asyncio.to_thread, writer.close)
        yield Database(writer, readers)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(f"the store's folder {path.parent} cannot be made: {error.strerror}") from error


def _prepare(path: Path, lock: DaemonLock, *, exclusive: bool) -> list[Connection]:
    """Take the lock where we are the daemon, bring the schema to ours, and connect: the writer's first."""
    try:
        if exclusive or not is_current(path):
            lock.acquire()
            bring_up_to_date(path)
        if not exclusive:
            lock.release()
        writer = connect(path, busy_seconds=BUSY_SECONDS, cache_kib=WRITER_CACHE)
        return [writer, *(connect(path, busy_seconds=BUSY_SECONDS, cache_kib=READER_CACHE) for _ in range(READERS))]
    except Exception as error:
        raise as_unavailable(error) or error from error


def _close(connection: Connection) -> None:
    connection.close()
    connection.engine.dispose()
