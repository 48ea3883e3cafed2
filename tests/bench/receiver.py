"""A hundred webhook receivers on one port, in a process of their own, which note when the first byte of a request came.

`python -m tests.bench.receiver` prints its port and ends with its standard input. The path names the receiver, a mark
(standins.mark) anywhere in the body the message. `GET /arrivals` tells all since the last time, as JSON: [path, number,
seconds of time.monotonic], which all processes of one Linux machine share.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from tests.acceptance.town import ROOT

Arrivals = dict[tuple[str, int], float]  # (path, number): when, the first time
_MARK = re.compile(rb"N(\d{6})N")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
_HEAD_END, _LAST_CHUNK = b"\r\n\r\n", b"0\r\n\r\n"
_START = 20.0


# --- the process --------------------------------------------------------------------------------------------------


class _Connection(asyncio.Protocol):
    """Just enough of HTTP/1.1 for clients that are known: one request after the other."""

    def __init__(self, arrivals: list[tuple[str, int, float]]) -> None:
        self._arrivals = arrivals
        self._held = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not self._held:
            self._began = time.monotonic()
        self._held += data
        end = self._end()
        if end is not None:
            request, self._held = self._held[:end], self._held[end:]
            assert not self._held, "a pipelined request would have no time of its own"
            self._answer(request)

    def _end(self) -> int | None:
        """Where the request ends; None while it has not come whole."""
        head = self._held.find(_HEAD_END)
        if head < 0:
            return None
        if _CHUNKED.search(self._held, 0, head):
            return len(self._held) if self._held.endswith(_LAST_CHUNK) else None
        length = _LENGTH.search(self._held, 0, head)
        end = head + len(_HEAD_END) + (int(length[1]) if length else 0)
        return end if len(self._held) >= end else None

    def _answer(self, request: bytes) -> None:
        method, path, _ = request.split(b" ", 2)
        body = b""
        if method == b"GET":
            body = json.dumps(self._arrivals).encode()
            self._arrivals.clear()
        elif found := _MARK.search(request):
            self._arrivals.append((path.decode(), int(found[1]), self._began))
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def _run() -> None:
    arrivals: list[tuple[str, int, float]] = []
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(arrivals), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


# --- the other end ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receiver:
    port: int
    _session: aiohttp.ClientSession
    _seen: Arrivals

    def url(self, place: int) -> str:
        return f"http://127.0.0.1:{self.port}/{place}"

    async def came(self, number: int, places: int, *, within: float = 20.0, look: float = 0.002) -> Arrivals:
        """The arrivals of message `number` once that many receivers have it."""
        async with asyncio.timeout(within):
            while True:
                async with self._session.get(f"http://127.0.0.1:{self.port}/arrivals") as answer:
                    for path, one, at in await answer.json(content_type=None):
                        self._seen.setdefault((path, one), at)
                found = {key: at for key, at in self._seen.items() if key[1] == number}
                if len(found) >= places:
                    for key in found:
                        del self._seen[key]
                    return found
                await asyncio.sleep(look)


@asynccontextmanager
async def receiver() -> AsyncIterator[Receiver]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.receiver", cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START):
            port = int(await process.stdout.readline())
        async with aiohttp.ClientSession() as session:
            yield Receiver(port, session, {})
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(_START):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


if __name__ == "__main__":
    asyncio.run(_run())
