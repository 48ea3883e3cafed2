"""Encrypting messages to browsers (RFC 8291 over RFC 8188) beside the event loop, never in it.

Whoever seals a message asks for it alone; what is asked for together goes to a thread as one batch, so that
the hop costs little under load and a single message waits for nobody.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.webpush.subscription import Keys

MAX_PLAINTEXT = 3_993
"""Bytes. A push service need not take a body over 4096 (RFC 8030, section 7.2), of which 103 are not text."""
THREADS = 2
BATCH = 16
A_TURN = 2
"""Messages handed out per turn of the loop: with 16 the loop was late by 45 ms at p99, with 2 by 8 to 26."""


class BadKeys(ValueError):
    """The subscription's keys are no keys."""


def encrypt(plaintext: bytes, keys: Keys) -> bytes:
    """One aes128gcm body under a fresh key pair and salt. BadKeys."""
    try:
        body: bytes = http_ece.encrypt(
            plaintext,
            private_key=ec.generate_private_key(ec.SECP256R1()),
            dh=keys.point,
            auth_secret=keys.auth,
            version="aes128gcm",
        )
    except ValueError as fault:
        raise BadKeys("the point is not on the curve") from fault
    return body


@dataclass(frozen=True, slots=True)
class _Order:
    plaintext: bytes
    keys: Keys
    done: asyncio.Future[bytes]


class Sealer:
    """Encrypts in a small pool of threads. Belongs to one event loop; `close` when nothing waits any more."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="webpush")
        self._waiting: deque[_Order] = deque()
        self._working = 0
        self._sealed: deque[tuple[_Order, bytes | BaseException]] = deque()

    async def seal(self, plaintext: bytes, keys: Keys) -> bytes:
        """The encrypted body. BadKeys."""
        loop = asyncio.get_running_loop()
        order = _Order(plaintext, keys, loop.create_future())
        self._waiting.append(order)
        # Not at once: what other tasks ask for in the same turn of the loop joins the batch.
        loop.call_soon(self._start, loop)
        return await order.done

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._waiting and self._working < THREADS:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._working += 1
            job = loop.run_in_executor(self._pool, _encrypt_all, [(o.plaintext, o.keys) for o in batch])
            job.add_done_callback(partial(self._finish, loop, batch))

    def _finish(
        self,
        loop: asyncio.AbstractEventLoop,
        batch: Sequence[_Order],
        job: asyncio.Future[list[bytes | BadKeys]],
    ) -> None:
        self._working -= 1
        self._start(loop)
        if job.cancelled():
            for order in batch:
                order.done.cancel()
            return
        fault = job.exception()
        results: Sequence[bytes | BaseException] = job.result() if fault is None else [fault] * len(batch)
        idle = not self._sealed
        self._sealed.extend(zip(batch, results, strict=True))
        if idle:
            self._hand_out(loop)

    def _hand_out(self, loop: asyncio.AbstractEventLoop) -> None:
        """A few at a time: each one handed out is a request built and written in the same turn of the loop."""
        for _ in range(min(A_TURN, len(self._sealed))):
            order, result = self._sealed.popleft()
            if not order.done.done():  # else its parcel was cancelled
                _answer(order.done, result)
        if self._sealed:
            loop.call_soon(self._hand_out, loop)


def _encrypt_all(orders: Sequence[tuple[bytes, Keys]]) -> list[bytes | BadKeys]:
    results: list[bytes | BadKeys] = []
    for plaintext, keys in orders:
        results.append(_encrypt_or_fault(plaintext, keys))
        # Hand the interpreter to the event loop after each message: left alone, a thread keeps it for 5 ms.
        time.sleep(0)
    return results


def _encrypt_or_fault(plaintext: bytes, keys: Keys) -> bytes | BadKeys:
    try:
        return encrypt(plaintext, keys)
    except BadKeys as fault:
        return fault


def _answer(future: asyncio.Future[bytes], result: bytes | BaseException) -> None:
    if isinstance(result, BaseException):
        future.set_exception(result)
    else:
        future.set_result(result)
