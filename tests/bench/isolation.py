"""What one channel in trouble costs the other two: their p99 from POST to receipt, well and ill in turns.

Every pair of rounds begins alike: the same store, a new daemon, one warm-up alert to everybody. The first round is
well; then the trouble starts, and the second is ill. A round times two things on the two healthy channels:
`together`, an alert to everybody on all three channels; and `besides`, another to the two alone while the third has
come to rest (well) or still struggles with the first (ill). `Together` an ill channel leaves the others its share of
the processors, which flatters; `besides` compares with a third channel that needs nothing.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from alertd.sandbox.faults import Fault, Faults, Kind
from tests.acceptance.place import BOT, MAIL, PUSH
from tests.acceptance.town import MONTELUPO, Town, town
from tests.bench.figures import change, ms, noise, percent, quantile, verdict
from tests.bench.measure import Bench, Figure, Group, Section
from tests.bench.printed import printed
from tests.bench.stage import CHANNELS, StandIns, emergency, enrol, stand_ins

TROUBLES = {
    "hangs": Fault(Kind.HANG),
    "drips": Fault(Kind.DRIP, seconds=1.0),
    "resets": Fault(Kind.RESET),
    "429": Fault(Kind.STATUS, status=429, retry_after=1),
}
EVERY_CASE = tuple((sick, trouble) for sick in CHANNELS for trouble in TROUBLES)
SOME_CASES = ((PUSH, "hangs"), (PUSH, "resets"), (MAIL, "drips"), (BOT, "429"))
TITLES = {
    "together": "Together (an alert on all three channels)",
    "besides": "Besides (an alert on the other two, the third at rest or in trouble)",
}
HOW = tuple(TITLES)
_PATIENCE = 60.0
_SETTINGS = {PUSH: "timeout = 1.0", MAIL: "timeout = 1.0", BOT: "timeout = 1.0\nrate = 900"}
"""Short, so that what hangs comes back within the measurement; Telegram's pace must not hide a delay."""
_TIMES = """
SELECT (d.settled_at - a.accepted_at) / 1e6 FROM delivery d JOIN alert a ON a.seq = d.alert_seq
WHERE a.id = ? AND d.channel = ? AND d.state = 'accepted'
"""

Round = dict[tuple[str, str], float]  # (how, channel): p99 in seconds


@dataclass(slots=True)
class Case:
    sick: str
    trouble: str
    well: list[Round] = field(default_factory=list)
    ill: list[Round] = field(default_factory=list)

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(channel for channel in CHANNELS if channel != self.sick)

    def series(self, how: str, channel: str) -> tuple[list[float], list[float]]:
        return [r[how, channel] for r in self.well], [r[how, channel] for r in self.ill]


async def measure(bench: Bench) -> list[Section]:
    """The part of `make bench`. Its rounds are its own: well and ill in turns."""
    async with stand_ins(bench.folder / "stand-ins") as stand:
        cases = await every_case(
            bench.folder / "town",
            stand,
            citizens=bench.pick(120, 80),
            rounds=bench.pick(5, 3),
            cases=SOME_CASES if bench.quick else EVERY_CASE,
            tell=lambda what: bench.tell(f"isolation: {what}"),
        )
    section = Section(
        Group(
            key="isolation",
            title="A channel in trouble",
            work="What a channel that hangs, drips, resets or answers 429 costs the other two",
            figure=Figure.SECONDS,
            unit="s",
            peer="",
            contestants=(),
        )
    )
    section.lines = [printed(lambda console: show(console, cases))]
    return [section]


async def every_case(
    folder: Path,
    stand: StandIns,
    *,
    citizens: int,
    rounds: int,
    cases: Sequence[tuple[str, str]],
    tell: Callable[[str], None],
) -> list[Case]:
    found = [Case(sick, trouble) for sick, trouble in cases]
    async with town(folder, stand.channels(_SETTINGS)) as here:
        await here.start()
        await enrol(here, stand, citizens, MONTELUPO)
        await here.stop()
        pristine = folder / "pristine"
        shutil.copytree(here.state, pristine)
        for case in found:
            for number in range(rounds):
                tell(f"{case.sick} {case.trouble}: round {number + 1} of {rounds}")
                async with asyncio.timeout(_PATIENCE):
                    await _pair(here, stand, pristine, case, citizens)
    return found


def _fault(case: Case) -> Fault:
    if case.sick == MAIL and case.trouble == "429":
        return Fault(Kind.STATUS, status=451)  # how a relay says it
    return TROUBLES[case.trouble]


async def _pair(here: Town, stand: StandIns, pristine: Path, case: Case, citizens: int) -> None:
    shutil.rmtree(here.state)
    shutil.copytree(pristine, here.state)
    await stand.remote.reset()
    await here.start()
    try:
        warm = await here.send(emergency())
        await _received(here, warm, CHANNELS, citizens)
        case.well.append(await _round(here, case.others, CHANNELS, citizens))
        tried = (await stand.remote.stats())[case.sick]["requests"]
        await stand.remote.set_faults(**{case.sick: Faults(rules=(_fault(case),))})
        case.ill.append(await _round(here, case.others, case.others, citizens))
        assert (await stand.remote.stats())[case.sick]["requests"] > tried, "nobody tried the channel in trouble"
    finally:
        await here.kill()


async def _round(here: Town, others: Sequence[str], expected: Sequence[str], citizens: int) -> Round:
    together = await here.send(emergency())
    await _received(here, together, expected, citizens)
    besides = await here.send(emergency(channels=list(others)))
    await _received(here, besides, others, citizens)
    return _p99(here, "together", together, others) | _p99(here, "besides", besides, others)


async def _received(here: Town, alert: str, channels: Sequence[str], citizens: int) -> None:
    while True:
        receipts = await here.receipts(alert)
        if all(receipts.get(channel, {}).get("accepted") == citizens for channel in channels):
            return
        await asyncio.sleep(0.1)


def _p99(here: Town, how: str, alert: str, channels: Sequence[str]) -> Round:
    return {(how, c): quantile([seconds for (seconds,) in here.sql(_TIMES, alert, c)], 0.99) for c in channels}


def show(console: Console, cases: Sequence[Case]) -> None:
    rounds = len(cases[0].well)
    for how in HOW:
        title = f"{TITLES[how]}: p99 POST → receipt, medians of {rounds} well and {rounds} ill rounds in turns, ms"
        table = Table(title=title, title_justify="left")
        for name in ("in trouble", "the other"):
            table.add_column(name, no_wrap=True)
        for name in ("well", "ill", "change", "noise"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("verdict", no_wrap=True)
        for case in cases:
            for channel in case.others:
                label = f"{case.sick} {case.trouble}" if channel == case.others[0] else ""
                cells = _cells(*case.series(how, channel))
                table.add_row(label, channel, *cells, end_section=channel == case.others[-1])
        console.print(table)
        console.print(f"{how.capitalize()}: {_summary(cases, how)}")
    console.print("Noise: the slowest healthy round from the fastest, as a share of their median. Below 0 is faster.")


def _cells(well: list[float], ill: list[float]) -> tuple[str, ...]:
    return ms(median(well)), ms(median(ill)), percent(change(well, ill)), f"{noise(well):.0%}", verdict(well, ill)


def _summary(cases: Sequence[Case], how: str) -> str:
    """How often each verdict fell, and the median change over every pair of neighbouring rounds."""
    series = [case.series(how, channel) for case in cases for channel in case.others]
    verdicts = [verdict(well, ill) for well, ill in series]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in sorted(set(verdicts)))
    pairs = [ill / well - 1 for wells, ills in series for well, ill in zip(wells, ills, strict=True)]
    return f"{counts}; median change over all {len(pairs)} pairs of rounds {percent(median(pairs))}"
