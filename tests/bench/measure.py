"""The frame of `make bench`: contestants do the same work in turns, at least three rounds, and ratios are taken per round.

How a group is written (push.py is the example; mail.py, broadcast.py, telegram.py and growth.py are siblings):

    async def measure(bench: Bench) -> list[Section]: ...

A module makes what the work needs (sinks, a daemon, data), builds a `Group` with its `Contestant`s and calls
`await rounds(bench, group)`, which plays everyone once, then everyone again, `bench.rounds` times; then it takes down
what it made. `programme.py` lists the modules under PARTS. `bench.folder` is an empty folder of the module's own,
`bench.tell("…")` shows where it is, `bench.pick(whole, quick)` chooses a size.

    group = Group(
        key="mail", title="Mail", work="100,000 mails to Postfix smtp-sink, one per recipient, 1 kB of text",
        figure=Figure.RATE, unit="mails/s", peer="nodemailer, pooled",
        contestants=(
            Contestant("alertd", "POST of the alert → last durable receipt", play_alertd),
            Contestant("nodemailer, pooled", "2,000 messages, extrapolated", play_nodemailer, peer=True),
        ),
        targets=(Target("alertd", "nodemailer, pooled", least=20.0),),
        silent=("Nothing leaves the machine: no relay, no DNS.",),
    )
    return [await rounds(bench, group)]

`play` is an async function without arguments that does one round of the work and returns an `Outcome`: how many it did
(count), in how many seconds, CPU seconds of the process tree if known, further figures by name (all become columns,
e.g. {"p99 ms": 3.2}), and a note. What it must not do: time its own start-up or set-up. It raises `Skipped("why, and
how to install it")` where a peer is not there (`program("smtp-source", "apt install postfix")` does that); the
contestant is then left out of all rounds, loudly, here and in BENCHMARKS.md. Any other exception fails the group.

`Figure.RATE` compares count / seconds (more is better), `Figure.SECONDS` compares seconds (less is better; a latency:
count = how many were timed, seconds = their median). A ratio is always ours / peer of that figure.

CPU: `with Meter(pid, …) as meter:` gives `meter.seconds` and `meter.cpu`, the CPU time which those processes and all
their descendants used meanwhile. `await command([…], seconds=20)` runs a program to its end in a session of its own,
bounded, ended by its group, and gives `Ended(stdout, stderr, seconds, cpu)`; RuntimeError with its words if it failed.
`await report_of([…], seconds=20)` is for a peer's script that prints one JSON object as its last line.

A section may carry a `Series` (growth: x, y by name) which report.py draws, and `lines` of text.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from statistics import median
from typing import Self

# What a part needs of programs.py comes from here too.
from tests.bench.programs import Ended, Meter, Skipped, command, cpu_seconds, program, report_of, resident

SKIPPED = "SKIPPED"
"""How `tell` is told something that must not be overlooked."""


class Figure(StrEnum):
    RATE = "rate"
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one play gave. `seconds` is for `count`; nothing is scaled, and `note` says if a peer did fewer."""

    count: int
    seconds: float
    cpu: float | None = None
    figures: Mapping[str, float] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class Contestant:
    """`did`: one sentence for the table, what exactly it did. `peer`: not ours. `play`: one round."""

    name: str
    did: str
    play: Callable[[], Awaitable[Outcome]]
    peer: bool = False


@dataclass(frozen=True, slots=True)
class Target:
    """Ours / against must be at least, or at most, so much (in a whole run; a quick one only shows it).

    `against` may be several names: the best of them in each round counts.
    """

    ours: str
    against: str | tuple[str, ...]
    least: float | None = None
    most: float | None = None

    @property
    def peers(self) -> tuple[str, ...]:
        return (self.against,) if isinstance(self.against, str) else self.against

    @property
    def name(self) -> str:
        return f"{self.ours} / {' or '.join(self.peers)}"

    @property
    def asked(self) -> str:
        return f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}" if self.most is not None else "–"

    def met(self, ratio: float) -> bool:
        return (self.least is None or ratio >= self.least) and (self.most is None or ratio <= self.most)


@dataclass(frozen=True, slots=True)
class Group:
    """One work, done by all its contestants. `peer` is whom the table's ratios are taken to."""

    key: str
    title: str
    work: str
    figure: Figure
    unit: str
    peer: str
    contestants: tuple[Contestant, ...]
    targets: tuple[Target, ...] = ()
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run:
    """One contestant's one round."""

    group: str
    name: str
    round: int
    count: int
    seconds: float
    cpu: float | None
    figures: Mapping[str, float]
    note: str

    def value(self, figure: Figure) -> float:
        return self.count / self.seconds if figure is Figure.RATE else self.seconds


@dataclass(frozen=True, slots=True)
class Series:
    """A curve: y by name over x. `linear` draws a chart; the table is always there."""

    title: str
    x_name: str
    y_name: str
    x: tuple[float, ...]
    y: Mapping[str, tuple[float, ...]]


@dataclass(slots=True)
class Section:
    """What a group gave."""

    group: Group
    runs: list[Run] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    series: list[Series] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)

    def of(self, name: str) -> list[Run]:
        return [run for run in self.runs if run.name == name]

    def values(self, name: str) -> list[float]:
        return [run.value(self.group.figure) for run in self.of(name)]

    def ratio(self, ours: str, peers: str | Iterable[str]) -> "Ratio | None":
        """Ours / the best of the peers, round by round. None where either did not take part."""
        best = max if self.group.figure is Figure.RATE else min
        others = [self.values(peer) for peer in ((peers,) if isinstance(peers, str) else peers)]
        others = [values for values in others if values]
        mine = self.values(ours)
        if not mine or not others:
            return None
        return Ratio.of([a / best(b) for a, *b in zip(mine, *others, strict=True)])


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median over the rounds, and from the lowest to the highest as a share of it."""

    median: float
    spread: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(median(values), spread(values))


@dataclass(frozen=True, slots=True)
class Bench:
    """Where and how large. `tell` shows what is going on."""

    folder: Path
    quick: bool
    rounds: int
    tell: Callable[[str], None]

    def pick(self, whole: int, quick: int) -> int:
        return quick if self.quick else whole


def spread(values: Sequence[float]) -> float:
    return (max(values) - min(values)) / median(values) if values else 0.0


async def rounds(bench: Bench, group: Group) -> Section:
    """Everyone once, then everyone again; every second round in the opposite order, so that nobody always follows
    the same neighbour."""
    section = Section(group)
    for number in range(bench.rounds):
        for contestant in group.contestants[:: -1 if number % 2 else 1]:
            if contestant.name in section.skipped:
                continue
            bench.tell(f"{group.key}, round {number + 1} of {bench.rounds}: {contestant.name}")
            try:
                found = await contestant.play()
            except Skipped as why:
                section.skipped[contestant.name] = str(why)
                section.runs = [run for run in section.runs if run.name != contestant.name]
                bench.tell(f"{SKIPPED} {group.key}: {contestant.name}: {why}")
                continue
            section.runs.append(
                Run(
                    group.key,
                    contestant.name,
                    number + 1,
                    found.count,
                    found.seconds,
                    found.cpu,
                    found.figures,
                    found.note,
                )
            )
    return section
