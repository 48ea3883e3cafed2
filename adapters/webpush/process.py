"""One worker process, as the daemon sees it."""

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final, NamedTuple

from adapters.webpush.frames import HELLO, PREFIX, fits, framed

PATIENCE: Final = 30.0
"""Seconds after which a worker that does not answer is taken for dead. A question is worth milliseconds."""
_PROGRAM: Final = "adapters.webpush.worker"


class Lost(Exception):
    """The worker died before its answer was received whole."""


class _Open(NamedTuple):
    content: bytes
    answer: asyncio.Future[bytes]
    alarm: asyncio.TimerHandle


class Worker:
    """Answers come in the order of the questions, also to whoever no longer waits for his."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._open: deque[_Open] = deque()
        self.lost = False

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ask(self, content: bytes) -> bytes:
        """The answer; only while `listen` runs. Lost."""
        if self.lost:
            raise Lost
        loop = asyncio.get_running_loop()
        asked = _Open(content, loop.create_future(), loop.call_later(PATIENCE, self.kill))
        self._open.append(asked)
        self._stdin.write(framed(content))  # the few questions that may be open fit into the pipe
        return await asked.answer

    async def greet(self) -> None:
        """Return once it is ready. Lost, TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            if await self._read() != HELLO:
                raise Lost

    async def listen(self, on_answer: Callable[[], None]) -> None:
        """Hand out the answers as they come, until the worker is lost: then every open question is."""
        try:
            while True:
                content = await self._read()
                if not self._open or not fits(content, of=self._open[0].content):
                    raise Lost
                asked = self._open.popleft()
                asked.alarm.cancel()
                if not asked.answer.done():
                    asked.answer.set_result(content)
                on_answer()
        finally:
            self.lost = True
            for asked in self._open:
                asked.alarm.cancel()
                if not asked.answer.done():
                    asked.answer.set_exception(Lost())
            self._open.clear()

    async def _read(self) -> bytes:
        try:
            prefix = await self._stdout.readexactly(PREFIX)
            return await self._stdout.readexactly(int.from_bytes(prefix))
        except (asyncio.IncompleteReadError, OSError) as fault:
            raise Lost from fault

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """It has nothing to keep, so it is killed; returns when it is gone."""
        self._stdin.close()
        self.kill()
        await self._process.wait()


@asynccontextmanager
async def working(kindness: int) -> AsyncIterator[Worker]:
    """A process of its own, gone on the way out. OSError where none can be started.

    Its environment says where to import from and nothing else, hence no secret. In a session of its own it gets no
    Ctrl-C meant for the daemon, which still needs it while it drains. Nobody hears its stderr: the log is the daemon's.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-S", "-P", "-m", _PROGRAM, str(kindness)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        start_new_session=True,
    )
    worker = Worker(process)
    try:
        yield worker
    finally:
        await worker.end()
