"""100,000 mails to one relay: alertd's whole road against nodemailer, aiosmtplib and Postfix's own smtp-source.

Everyone sends to a Postfix smtp-sink (which takes and forgets) on the loopback, one recipient a message, messages of
the same length as alertd's; what the sink counted must be what the sender claims.
"""

import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

from tests.acceptance.place import MAIL, citizens, place
from tests.acceptance.town import Town, town
from tests.bench.measure import (
    Bench,
    Contestant,
    Figure,
    Group,
    Outcome,
    Section,
    Skipped,
    Target,
    command,
    program,
    report_of,
    rounds,
)
from tests.bench.population import found, mail_addresses, settle_in
from tests.bench.road import quiet, travel
from tests.bench.sinks import smtp_sink
from tests.bench.stage import newsletter

PEERS = Path(__file__).parent / "peers"
SENDER = "allerta@comune.example.it"
_SESSIONS = 16  # of smtp-source
_POOLS = (5, 16, 64)  # nodemailer's default, and more
_WARM_UP = 100  # mails a script sends before its clock starts
_PATIENCE = 300.0
_COUNTER = re.compile(rb"mesg=(\d+)\r")
_CHANNEL = """
[channels.mail]
adapter = "email"
host = "127.0.0.1"
port = {port}
from = "Protezione Civile <{sender}>"
"""


@dataclass(frozen=True, slots=True)
class Letter:
    """What alertd sends to one citizen, and its parts. `raw` has CRLF line ends."""

    raw: bytes
    subject: str
    text: str
    html: str
    sender: str

    @classmethod
    def of(cls, raw: bytes) -> "Letter":
        mail = message_from_bytes(raw, policy=policy.default)
        text, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None
        assert html is not None
        return cls(raw, str(mail["Subject"]), text.get_content(), html.get_content(), str(mail["From"]))

    @property
    def length(self) -> int:
        """Octets, the header included."""
        return len(self.raw)


async def measure(bench: Bench) -> list[Section]:
    count, fewer = bench.pick(100_000, 10_000), bench.pick(3_000, 1_000)
    letter = await sample(bench.folder / "sample")
    async with _sink(bench.folder / "sink") as sink, _ready(bench.folder / "town", sink.port, count) as here:
        relay = _Relay(sink, letter)

        async def alertd() -> Outcome:
            await quiet(here)
            with sink.expecting(count):
                done = await travel(here, newsletter(), MAIL, count, within=_PATIENCE)
            return Outcome(count, done.seconds, done.cpu)

        pools = tuple(
            Contestant(
                f"nodemailer, pool of {pool}",
                f"one pooled transport, sendMail for each; {fewer:,} messages, extrapolated",
                lambda pool=pool: relay.nodemailer(fewer, pool),
                peer=True,
            )
            for pool in _POOLS
        )
        group = Group(
            key="mail",
            title="Mail",
            work=f"{count:,} mails of about {letter.length:,} octets to Postfix smtp-sink, one recipient each",
            figure=Figure.RATE,
            unit="mails/s",
            peer=pools[0].name,
            contestants=(
                Contestant("alertd", "POST of the alert → last durable receipt", alertd),
                *pools,
                Contestant(
                    "aiosmtplib, pool of 16",
                    f"ready bytes, one sendmail for each; {fewer:,} messages, extrapolated",
                    lambda: relay.aiosmtplib(fewer, _SESSIONS),
                    peer=True,
                ),
                Contestant(
                    "Postfix smtp-source",
                    f"C, {_SESSIONS} sessions, the same octets for all, no receipts",
                    lambda: relay.smtp_source(count),
                    peer=True,
                ),
            ),
            targets=(
                Target("alertd", tuple(pool.name for pool in pools), least=20.0),
                Target("alertd", "Postfix smtp-source", least=1.0),
            ),
            silent=(
                "smtp-sink is one process and writes nothing: with a real relay its disk sets the pace for everyone.",
                "The loopback has no delay; pipelining gains more where there is one.",
            ),
        )
        return [await rounds(bench, group)]


async def sample(folder: Path) -> Letter:
    """One newsletter as a citizen gets it."""
    async with place(folder, only=(MAIL,)) as (here, sandbox):
        await here.start()
        await here.enrol(citizens(sandbox, 1, only=(MAIL,)))
        await here.settled(await here.send(newsletter()))
        (body,) = sandbox.mail.ledger.bodies.values()
        return Letter.of(body)


@asynccontextmanager
async def _ready(folder: Path, port: int, count: int) -> AsyncIterator[Town]:
    """A daemon with that many subscribers of mail, its connections warm."""
    async with town(folder, _CHANNEL.format(port=port, sender=SENDER)) as here:
        await found(here)
        settle_in(here.state, MAIL, mail_addresses(count))
        await here.start()
        yield here


@dataclass(frozen=True, slots=True)
class _Sink:
    """An smtp-sink that counts, and its counters: `sess=… quit=… mesg=…` again and again."""

    port: int
    counters: Path

    @property
    def messages(self) -> int:
        counts = _COUNTER.findall(_end_of(self.counters))
        return int(counts[-1]) if counts else 0

    @contextmanager
    def expecting(self, count: int) -> Iterator[None]:
        """AssertionError unless exactly so many messages come meanwhile."""
        before = self.messages
        yield
        found = self.messages - before
        assert found == count, f"smtp-sink counted {found:,} of {count:,}"


@asynccontextmanager
async def _sink(folder: Path) -> AsyncIterator[_Sink]:
    async with smtp_sink(folder, "-c", "-m", "512") as sink:
        yield _Sink(sink.port, folder / "smtp-sink.out")


def _end_of(file: Path) -> bytes:
    with file.open("rb") as counters:
        counters.seek(max(0, file.stat().st_size - 200))
        return counters.read()


@dataclass(frozen=True, slots=True)
class _Relay:
    """How the peers reach the sink."""

    sink: _Sink
    letter: Letter

    async def nodemailer(self, count: int, connections: int) -> Outcome:
        node = program("node", "apt install nodejs npm")
        if not (PEERS / "node_modules" / "nodemailer").is_dir():
            raise Skipped("nodemailer is not installed: make bench-peers")
        parts = {
            "from": self.letter.sender,
            "subject": self.letter.subject,
            "text": self.letter.text,
            "html": self.letter.html,
        }
        job = {**self._job(count, connections), **parts}
        return await self._script([node, PEERS / "nodemailer_peer.js", json.dumps(job)], count)

    async def aiosmtplib(self, count: int, connections: int) -> Outcome:
        head, _, tail = self.letter.raw.decode("ascii").partition("citizen0@example.org")
        job = {**self._job(count, connections), "sender": SENDER, "content": head + "{to}" + tail}
        return await self._script([sys.executable, PEERS / "aiosmtplib_peer.py", json.dumps(job)], count)

    def _job(self, count: int, connections: int) -> dict[str, int]:
        return {"port": self.sink.port, "warm_up": _WARM_UP, "count": count, "connections": connections}

    async def _script(self, argv: list[str | Path], count: int) -> Outcome:
        with self.sink.expecting(_WARM_UP + count):
            told, ended = await report_of(argv, seconds=_PATIENCE, cwd=PEERS)
        return Outcome(count, told["seconds"], ended.cpu, note="CPU includes the start and warm-up")

    async def smtp_source(self, count: int) -> Outcome:
        source = program("smtp-source", "apt install postfix")
        how = ["-d", "-N", "-s", str(_SESSIONS), "-m", str(count), "-l", str(self.letter.length), "-f", SENDER]
        with self.sink.expecting(count):
            ended = await command(
                [source, *how, "-t", "citizen@example.org", f"127.0.0.1:{self.sink.port}"], seconds=_PATIENCE
            )
        return Outcome(count, ended.seconds, ended.cpu)
