"""An HTTP/2 server on the `h2` library, over real TLS, that misbehaves on purpose.

It keeps a record of every request that arrived and of what became of it, so that a test can say whether a
message was lost, doubled or answered by nobody. How it misbehaves is in the scripts (`h2_scripts.py`).
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from random import Random

from tests.support.h2_link import Link, Request, Script


class HostileServer:
    """All connections of one run, their scripts and the record."""

    def __init__(self, tls: ssl.SSLContext, scripts: Sequence[Script], random: Random) -> None:
        self.tls = tls
        self.scripts = scripts
        self.random = random
        self.links: list[Link] = []
        self.faults: list[str] = []
        self.port = 0

    def ask(self, hook: str, *about: object) -> bool:
        """Whether a script dealt with it; the first that does is the last that is asked."""
        return any(getattr(script, hook)(*about) for script in self.scripts)

    def requests(self) -> Iterator[Request]:
        """Every request of every connection, whole or not."""
        for link in self.links:
            yield from link.requests.values()

    def processed(self) -> dict[bytes, list[Request]]:
        """By path, the requests whose body arrived whole and whose sender was not told otherwise."""
        found: dict[bytes, list[Request]] = {}
        for request in self.requests():
            if request.processed:
                found.setdefault(request.path, []).append(request)
        return found

    def all_faults(self) -> list[str]:
        """Every rule the client broke so far."""
        return self.faults + [fault for link in self.links if not link.gone for fault in link.ledger.faults]


@asynccontextmanager
async def hostile_server(
    tls: ssl.SSLContext, *scripts: Script, seed: int = 1, port: int = 0
) -> AsyncIterator[HostileServer]:
    """A server on the loopback; all its connections are gone afterwards."""
    server = HostileServer(tls, scripts, Random(seed))
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Link(server, len(server.links)), "127.0.0.1", port, backlog=256)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for link in server.links:
            link.abort()
        while not all(link.gone for link in server.links):
            await asyncio.sleep(0)
        await listening.wait_closed()
