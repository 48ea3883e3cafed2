"""An SMTP server that does as the script says at each step, and keeps what it really took.

It reads its input strictly in order, as RFC 2920 wants, and with PIPELINING and CHUNKING offered or not. What it took is
what it had decided to take, whether its answer arrived or not.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import NamedTuple

Decide = Callable[[str, int], str | None]
"""decide(stage, number) → a reply, a fault, or None for the ordinary.

Stages: CONNECT, EHLO, MAIL, RCPT, DATA, CONTENT (in the middle of it), BODY (its answer), RSET. The number is the one in
the sender's or the recipient's address. Faults: "!close" and "!reset" hang up, "!hang" says nothing more, "!half" says half
an answer and hangs up, "!drip" answers a byte at a time for ever, "!took" takes the message and hangs up, "!twice"
answers twice.
"""
USUAL = {
    "CONNECT": "220 relay.test ESMTP",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go on",
    "BODY": "250 2.0.0 queued",
    "RSET": "250 2.0.0 ok",
}
_NUMBER = re.compile(rb"(\d+)@")


class Taken(NamedTuple):
    """One message, dots undoubled."""

    number: int
    sender: bytes
    recipients: tuple[bytes, ...]
    content: bytes


class HungUp(Exception):
    """The script says so."""


@dataclass
class Transaction:
    sender: bytes = b""
    recipients: list[bytes] = field(default_factory=list)


class SmtpServer:
    """`lax`: DATA is answered 354 though every recipient was refused. `sticky`: a BDAT that is refused leaves its
    transaction open, as RFC 3030 does not forbid; only RSET ends it.
    """

    def __init__(
        self,
        decide: Decide = lambda stage, number: None,
        *,
        extensions: tuple[str, ...] = ("PIPELINING",),
        lax: bool = False,
        sticky: bool = False,
    ) -> None:
        self.decide = decide
        self.extensions = extensions
        self.lax = lax
        self.sticky = sticky
        self.taken: list[Taken] = []
        self.empty = 0  # messages without a recipient or without content, that ended in a dot
        self.connections = 0
        self.open_now = 0
        self.most_open = 0
        self.ahead = 0  # commands that had come before the one before them was answered
        self.verbs: list[str] = []
        self.port = 0
        self.struck = asyncio.Event()
        self.mute = 0  # connections whose answer never comes

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["SmtpServer"]:
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 22)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        try:
            with suppress(HungUp, ConnectionError, asyncio.IncompleteReadError):
                await Dialogue(self, reader, writer).run()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self.open_now -= 1
            self._tasks.discard(task)
            writer.close()


class Dialogue:
    """One connection."""

    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.now: Transaction | None = None
        self.number = 0

    async def run(self) -> None:
        await self.answer("CONNECT")
        while line := await self.reader.readline():
            verb = line.split(maxsplit=1)[0].decode().upper()
            self.server.verbs.append(verb)
            if self.reader._buffer:  # type: ignore[attr-defined]
                self.server.ahead += 1
            if found := _NUMBER.search(line):
                self.number = int(found[1])
            await getattr(self, f"do_{verb}")(line)

    async def do_EHLO(self, _line: bytes) -> None:  # noqa: N802
        lines = ["relay.test", *self.server.extensions, "SIZE 10000000"]
        usual = "\r\n".join(f"250{'-' if i < len(lines) - 1 else ' '}{line}" for i, line in enumerate(lines))
        await self.answer("EHLO", usual)

    async def do_QUIT(self, _line: bytes) -> None:  # noqa: N802
        self.say("221 bye")
        raise HungUp

    async def do_NOOP(self, _line: bytes) -> None:  # noqa: N802
        self.say("250 ok")

    async def do_RSET(self, _line: bytes) -> None:  # noqa: N802
        self.now = None
        await self.answer("RSET")

    async def do_MAIL(self, line: bytes) -> None:  # noqa: N802
        if self.now is not None:
            self.say("503 5.5.1 nested MAIL")
        elif await self.answer("MAIL"):
            self.now = Transaction(line[11:-3])

    async def do_RCPT(self, line: bytes) -> None:  # noqa: N802
        if self.now is None:
            self.say("503 5.5.1 MAIL first")
        elif await self.answer("RCPT"):
            self.now.recipients.append(line[9:-3])

    async def do_DATA(self, _line: bytes) -> None:  # noqa: N802
        valid = self.now is not None and bool(self.now.recipients)
        if not valid and not self.server.lax:
            self.say("503 5.5.1 no valid recipients")
            return
        if not await self.answer("DATA", want="3"):
            return
        content = []
        while (line := await self.reader.readline()) != b".\r\n":
            if not line:
                raise HungUp
            await self.strike("CONTENT")
            content.append(line[1:] if line.startswith(b".") else line)
        await self.take(b"".join(content))
        self.now = None

    async def do_BDAT(self, line: bytes) -> None:  # noqa: N802
        _, size, last = line.split()
        assert last == b"LAST"
        await self.strike("CONTENT")
        if await self.take(await self.reader.readexactly(int(size))) or not self.server.sticky:
            self.now = None

    async def take(self, content: bytes) -> bool:
        """Decide about the message, answer, and say whether it was taken."""
        if self.now is None or not self.now.recipients:
            self.server.empty += not content
            self.say("554 5.5.1 no valid recipients")
            return False
        number = int(_NUMBER.search(self.now.recipients[-1])[1])  # type: ignore[index]
        message = Taken(number, self.now.sender, tuple(self.now.recipients), content)
        decided = self.server.decide("BODY", number) or ""
        if decided[:1] in ("", "2") or decided in ("!took", "!twice"):
            self.server.taken.append(message)  # before the answer, which may never arrive
        return await self.answer("BODY", number=number)

    async def strike(self, stage: str) -> None:
        decided = self.server.decide(stage, self.number)
        if decided is not None:
            await self.fault(decided, "")

    async def answer(self, stage: str, usual: str = "", *, want: str = "2", number: int | None = None) -> bool:
        """Whether the answer is the one hoped for."""
        reply = self.server.decide(stage, self.number if number is None else number)
        usual = usual or USUAL[stage]
        if reply is None:
            reply = usual
        elif reply.startswith("!"):
            await self.fault(reply, usual)
            return True
        self.say(reply)
        if reply.startswith("421"):
            await self.writer.drain()
            raise HungUp
        return reply.startswith(want)

    async def fault(self, fault: str, usual: str) -> None:
        self.server.struck.set()
        if fault == "!twice":
            self.say(usual)
            self.say(usual)
            return
        if fault == "!half":
            self.writer.write(usual[:2].encode())
        elif fault == "!reset":
            self.writer.transport.abort()
        elif fault == "!drip":
            with self.muted():
                while not self.writer.transport.is_closing():
                    self.writer.write(b"2")
                    await asyncio.sleep(0.02)
        elif fault == "!hang":
            with self.muted():
                await self.reader.read()
        raise HungUp

    @contextmanager
    def muted(self) -> Iterator[None]:
        self.server.mute += 1
        try:
            yield
        finally:
            self.server.mute -= 1

    def say(self, reply: str) -> None:
        self.writer.write(reply.encode() + b"\r\n")
