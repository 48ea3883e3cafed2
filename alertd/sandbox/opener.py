"""Opens sealed messages in one thread, as many at a time as are waiting: a hop between threads costs as much
as a key agreement, so it is shared, and the event loop stays free to answer."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from alertd.sandbox.keyring import Keyring
from alertd.sandbox.unseal import UnreadableError, unseal

_AT_ONCE = 64


class _Waiting(NamedTuple):
    number: int
    body: bytes
    opened: asyncio.Future[bytes]


class Opener:
    """`open` from any number of tasks; then `close`."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "unseal")

    async def close(self) -> None:
        """What still waits is never opened."""
        if self._working is not None:
            self._working.cancel()
            await asyncio.gather(self._working, return_exceptions=True)
        self._thread.shutdown(cancel_futures=True)

    async def open(self, index: int, body: bytes) -> bytes:
        """The plaintext of a message to subscription `index`; raises UnreadableError."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[bytes] = loop.create_future()
        self._waiting.append(_Waiting(index, body, opened))
        if self._working is None or self._working.done():
            self._working = loop.create_task(self._work())
        return await opened

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            results = await loop.run_in_executor(self._thread, self._open_all, batch)
            for waiting, result in zip(batch, results, strict=True):
                if waiting.opened.done():  # its client left
                    continue
                if isinstance(result, UnreadableError):
                    waiting.opened.set_exception(result)
                else:
                    waiting.opened.set_result(result)

    def _open_all(self, batch: list[_Waiting]) -> list[bytes | UnreadableError]:
        return [self._open(waiting) for waiting in batch]

    def _open(self, waiting: _Waiting) -> bytes | UnreadableError:
        try:
            return unseal(self._keyring.keys(waiting.number), waiting.body)
        except UnreadableError as error:
            return error
