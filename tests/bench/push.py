"""100,000 web pushes of one alert, from its POST to the last durable receipt, against the libraries and h2load.

Everybody sends to the same sink on the same port, started anew for each play, so that nobody finds another's
connections. A daemon starts anew too, on a fresh copy of the same store.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.acceptance.town import MONTELUPO, free_port
from tests.bench import sinks
from tests.bench.measure import Bench, Contestant, Figure, Group, Meter, Outcome, Section, Target, rounds
from tests.bench.push_peers import AWAY, H2LOAD, H2LOAD_FAR, NPM, PYWEBPUSH, RECEIPTS, Peers
from tests.bench.pushtown import ENVELOPE_BYTES, SAMPLE, SAMPLE_ZONE, PushTown, push_town

READY, IMPATIENT, FAR = "alertd, ready", "alertd, ready, impatient sink", "alertd, ready, 50 ms away"
COLD, SECOND = "alertd, cold", "alertd, second alert"
DAILY = (READY, COLD, PYWEBPUSH, NPM, H2LOAD)
_WITHIN = 300.0
_SILENT = (
    "Nothing leaves the machine: the sink shares its cores with the sender and takes them from it. Real push services "
    "are further away, refuse, and slow senders down.",
    "Paths are short (/push/N); a real endpoint has 100 to 200 characters.",
    "The peers write no receipts unless the table says so, and are timed without their start. They send fewer messages; "
    "their rate does not depend on how many.",
    "h2load sends the same bytes to everybody and encrypts nothing. It cannot open a new connection when the server ends "
    "one, as nginx does after 1,000 requests by default; so on everybody's sink, but one, connections last.",
    "Ready means that an envelope was derived for every subscriber before the alert; cold is what follows when none was.",
)


async def measure(bench: Bench) -> list[Section]:
    size = bench.pick(100_000, 10_000)
    trust = sinks.authority(bench.folder)
    async with push_town(bench.folder / "town", size, free_port(), trust) as here:
        bench.tell(f"push: enrolling {size:,} browsers")
        enrolled = await here.settle_in()
        bench.tell("push: what arrives, read from nginx's log")
        text, protocol = await _prove(bench.folder, here, trust)
        work = _Work(bench, here, trust, text)
        section = await rounds(bench, work.group())
        section.lines += [
            f"Plaintext: {text} bytes for everybody. Enrolled {enrolled:,.0f} browsers a second.",
            f"Before the runs {SAMPLE} pushes were read back from nginx's log: one for each path, over {protocol}. In each "
            "run nginx's own counter says how many requests came; fewer than messages fails the run.",
        ]
        return [section]


async def _prove(folder: Path, here: PushTown, trust: sinks.Authority) -> tuple[int, str]:
    """One alert to a few, read back: everyone got exactly one. Bytes of plaintext in each, and the protocol."""
    async with sinks.nginx(folder / "proof", trust, port=here.port, log=True) as sink, here.day() as day:
        await day.fan_out(SAMPLE_ZONE, SAMPLE, within=60)
        log = sink.log
    assert log is not None
    paths, statuses, lengths, protocols = zip(*map(str.split, log.read_text().splitlines()), strict=True)
    assert len(set(paths)) == len(paths) == SAMPLE, f"{len(paths)} requests to {len(set(paths))} of {SAMPLE} paths"
    assert set(statuses) == {"201"}
    assert len(set(lengths)) == len(set(protocols)) == 1, f"not all alike: {set(lengths)}, {set(protocols)}"
    return int(lengths[0]) - ENVELOPE_BYTES, protocols[0]


@dataclass(frozen=True, slots=True)
class _Work:
    """The plays. `text` is the length of everybody's plaintext."""

    bench: Bench
    here: PushTown
    trust: sinks.Authority
    text: int

    def group(self) -> Group:
        size = self.here.size
        contestants = [*self._ours(), *Peers(self.bench, self.here, self.trust, self.text, self.sink).all()]
        if self.bench.quick:
            contestants = [one for one in contestants if one.name in DAILY]
        return Group(
            key="push",
            title="Web Push",
            work=f"{size:,} web pushes of one alert, encrypted for each browser (RFC 8291), to nginx over TLS",
            figure=Figure.RATE,
            unit="messages/s",
            peer=PYWEBPUSH,
            contestants=tuple(contestants),
            targets=(
                Target(READY, PYWEBPUSH, least=30),
                Target(READY, NPM, least=80),
                Target(READY, RECEIPTS),
                Target(READY, H2LOAD, least=0.5),
                Target(IMPATIENT, READY),
                Target(FAR, READY, least=0.8),
                Target(FAR, H2LOAD_FAR),
                Target(COLD, PYWEBPUSH, least=4),
                Target(SECOND, READY, least=0.8),
            ),
            silent=_SILENT,
        )

    def sink(self, *, delay: float = 0.0, patient: bool = True) -> AbstractAsyncContextManager[sinks.Nginx]:
        return sinks.nginx(
            self.bench.folder / "sink",
            self.trust,
            port=self.here.port,
            delay=delay,
            keepalive=sinks.PATIENT if patient else sinks.KEEPALIVE_REQUESTS,
        )

    def _ours(self) -> tuple[Contestant, ...]:
        road = "POST of the alert → last durable receipt; "
        return (
            Contestant(READY, road + "one envelope ready for each", partial(self._alertd, envelopes=1)),
            Contestant(
                IMPATIENT,
                road + "the sink ends each connection after 1,000 requests, as nginx does unless told otherwise",
                partial(self._alertd, envelopes=1, patient=False),
            ),
            Contestant(
                FAR,
                road + "the sink answers after 50 ms",
                partial(self._alertd, envelopes=1, delay=AWAY),
            ),
            Contestant(COLD, road + "no envelopes: derived while sending", partial(self._alertd, envelopes=0)),
            Contestant(
                SECOND,
                road + "at once after a first, of two envelopes each",
                partial(self._alertd, envelopes=2, alerts=2),
            ),
        )

    async def _alertd(self, *, alerts: int = 1, delay: float = 0.0, patient: bool = True, **settings: int) -> Outcome:
        """The last of so many alerts one after the other; `settings` are the channel's."""
        size = self.here.size
        async with self.sink(delay=delay, patient=patient) as receiver, self.here.day(**settings) as day:
            full = await day.full() if settings["envelopes"] else 0.0
            for _ in range(alerts - 1):
                await day.fan_out(MONTELUPO, size, within=_WITHIN)
            before = await receiver.requests()
            with Meter(receiver.pid) as other:
                done = await day.fan_out(MONTELUPO, size, within=_WITHIN)
            arrived = await receiver.requests() - before
        assert arrived >= size, f"{size:,} receipts, but nginx read {arrived:,} requests"
        figures = {"sink's CPU µs each": other.cpu / size * 1e6, "requests per message": arrived / size}
        if full:
            figures["seconds to full"] = full
        return Outcome(size, done.seconds, done.cpu, figures)
