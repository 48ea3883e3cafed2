"""pywebpush at its best: `python pywebpush_peer.py SUBSCRIPTIONS PLAINTEXT_BYTES AT_ONCE CA_FILE [RECEIPTS_DB]`.

`webpush_async` over one shared aiohttp session, the key read once, AT_ONCE messages at a time. With RECEIPTS_DB, an
SQLite row for each message as well, committed (synchronous = FULL) a thousand at a time in a thread. Prints one line
of JSON: how many, in how many seconds, from the first message to the last answer or commit.
"""

import asyncio
import json
import sqlite3
import ssl
import sys
import time
from pathlib import Path

import aiohttp
import uvloop
from py_vapid import Vapid02
from pywebpush import webpush_async

_BATCH = 1_000


class Receipts:
    """One row for each message, durable a thousand at a time. An empty path keeps none."""

    def __init__(self, path: str) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False) if path else None
        self._waiting: list[tuple[int, int]] = []
        self._commits: set[asyncio.Future[None]] = set()
        self._lock = asyncio.Lock()
        if self._db:
            self._db.executescript(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                "CREATE TABLE receipt (number INTEGER PRIMARY KEY, status INTEGER NOT NULL, at REAL NOT NULL)"
            )

    def note(self, number: int, status: int) -> None:
        if self._db:
            self._waiting.append((number, status))
            if len(self._waiting) >= _BATCH:
                self._start()

    async def all_durable(self) -> None:
        self._start()
        await asyncio.gather(*self._commits)

    def _start(self) -> None:
        if self._waiting:
            rows, self._waiting = self._waiting, []
            self._commits.add(asyncio.ensure_future(self._commit(rows)))

    async def _commit(self, rows: list[tuple[int, int]]) -> None:
        async with self._lock:
            await asyncio.to_thread(self._write, rows)

    def _write(self, rows: list[tuple[int, int]]) -> None:
        assert self._db
        now = time.time()
        self._db.execute("BEGIN IMMEDIATE")
        self._db.executemany("INSERT INTO receipt VALUES (?, ?, ?)", [(*row, now) for row in rows])
        self._db.execute("COMMIT")


async def send_all(
    subscriptions: list[dict], text: str, at_once: int, tls: ssl.SSLContext, receipts: Receipts
) -> tuple[float, float]:
    """Wall and CPU seconds."""
    key = Vapid02()
    key.generate_keys()
    waiting = iter(enumerate(subscriptions))
    connector = aiohttp.TCPConnector(ssl=tls, limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def sender() -> None:
            for number, subscription in waiting:
                answer = await webpush_async(
                    subscription,
                    text,
                    vapid_private_key=key,
                    vapid_claims={"sub": "mailto:bench@comune.example.it"},
                    ttl=86_400,
                    headers={"Urgency": "high", "Topic": "0123456789abcdef0123456789abcdef"},
                    aiohttp_session=session,
                    timeout=aiohttp.ClientTimeout(total=30),
                )
                assert answer.status == 201, answer.status
                receipts.note(number, answer.status)

        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(sender() for _ in range(at_once)))
        await receipts.all_durable()
        return time.perf_counter() - began, time.process_time() - cpu


def main(subscriptions: str, size: str, at_once: str, ca_file: str, receipts: str = "") -> None:
    rows = [json.loads(line) for line in Path(subscriptions).read_text().splitlines()]
    tls = ssl.create_default_context(cafile=ca_file)

    async def run() -> tuple[float, float]:
        return await send_all(rows, "x" * int(size), int(at_once), tls, Receipts(receipts))

    seconds, cpu = uvloop.run(run())
    print(json.dumps({"count": len(rows), "seconds": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
