"""What one channel in trouble costs the other two: their p99 from POST to receipt, well and ill in turns.

Every round begins alike: the same store, a new daemon, one warm-up alert. Then, in an ill round, the trouble
starts, and two things are timed on the two healthy channels: `together`, an alert to everybody on all three channels;
and `besides`, another to the two alone while the third still struggles with the first. `Together` an ill channel
leaves the others its share of the processors, which flatters; `besides` compares with a third channel at rest.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from alertd.sandbox.faults import Fault, Faults, Kind
from tests.acceptance.place import BOT, MAIL, PUSH
from tests.acceptance.town import MONTELUPO, Town, town
from tests.bench.figures import change, ms, noise, percent, quantile, verdict
from tests.bench.stage import CHANNELS, ELSEWHERE, StandIns, emergency, enrol
from statistics import median

TROUBLES = {
    "hangs": Fault(Kind.HANG),
    "drips": Fault(Kind.DRIP, seconds=1.0),
    "resets": Fault(Kind.RESET),
    "429": Fault(Kind.STATUS, status=429, retry_after=1),
}
EVERY_CASE = tuple((sick, trouble) for sick in CHANNELS for trouble in TROUBLES)
SOME_CASES = ((PUSH, "hangs"), (PUSH, "resets"), (MAIL, "drips"), (BOT, "429"))
HOW = ("together", "besides")
_WARM = 20
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


async def measure(
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
        await enrol(here, stand, _WARM, ELSEWHERE, start=citizens)
        await here.stop()
        pristine = folder / "pristine"
        shutil.copytree(here.state, pristine)
        for case in found:
            for number in range(rounds):
                tell(f"{case.sick} {case.trouble}: round {number + 1} of {rounds}")
                for rows, fault in ((case.well, None), (case.ill, _fault(case))):
                    async with asyncio.timeout(_PATIENCE):
                        rows.append(await _round(here, stand, pristine, case, fault, citizens))
    return found


def _fault(case: Case) -> Fault:
    if case.sick == MAIL and case.trouble == "429":
        return Fault(Kind.STATUS, status=451)  # how a relay says it
    return TROUBLES[case.trouble]


async def _round(here: Town, stand: StandIns, pristine: Path, case: Case, fault: Fault | None, citizens: int) -> Round:
    shutil.rmtree(here.state)
    shutil.copytree(pristine, here.state)
    await stand.remote.reset()
    await here.start()
    try:
        warm = await here.send(emergency(area=[{"zone": ELSEWHERE}]))
        await _received(here, warm, CHANNELS, _WARM)
        if fault is not None:
            await stand.remote.set_faults(**{case.sick: Faults(rules=(fault,))})
        times: Round = {}
        alert = await here.send(emergency())
        await _received(here, alert, case.others if fault else CHANNELS, citizens)
        times.update(_p99(here, "together", alert, case.others))
        alert = await here.send(emergency(channels=list(case.others)))
        await _received(here, alert, case.others, citizens)
        times.update(_p99(here, "besides", alert, case.others))
        if fault is not None:
            sick = (await stand.remote.stats())[case.sick]
            assert sick["requests"] > _WARM, "nobody tried the channel in trouble"
    finally:
        await here.kill()
    return times


async def _received(here: Town, alert: str, channels: Sequence[str], citizens: int) -> None:
    while True:
        receipts = await here.receipts(alert)
        if all(receipts.get(channel, {}).get("accepted") == citizens for channel in channels):
            return
        await asyncio.sleep(0.1)


def _p99(here: Town, how: str, alert: str, channels: Sequence[str]) -> Round:
    return {(how, c): quantile([seconds for (seconds,) in here.sql(_TIMES, alert, c)], 0.99) for c in channels}


def show(console: Console, cases: Sequence[Case]) -> None:
    title = "p99 POST → receipt of the channels that are well, medians, milliseconds"
    table = Table(title=title, title_justify="left")
    for name in ("in trouble", "other"):
        table.add_column(name)
    for how in HOW:
        for name in ("well", "ill", "change", "noise"):
            table.add_column(f"{how}\n{name}", justify="right")
        table.add_column(f"{how}\nverdict")
    for case in cases:
        for channel in case.others:
            cells = [cell for how in HOW for cell in _cells(*case.series(how, channel))]
            label = f"{case.sick} {case.trouble}" if channel == case.others[0] else ""
            table.add_row(label, channel, *cells, end_section=channel == case.others[-1])
    console.print(table)
    console.print(
        f"Rounds: {len(cases[0].well)} well and {len(cases[0].ill)} ill in turns, a new daemon for each. Noise: the "
        "slowest healthy round from the fastest, as a share of their median."
    )
    for how in HOW:
        console.print(f"Verdict, {how}: {_summary(cases, how)}")


def _cells(well: list[float], ill: list[float]) -> tuple[str, ...]:
    return ms(median(well)), ms(median(ill)), percent(change(well, ill)), f"{noise(well):.0%}", verdict(well, ill)


def _summary(cases: Sequence[Case], how: str) -> str:
    """How often each verdict fell, and the median change over every pair of neighbouring rounds."""
    series = [case.series(how, channel) for case in cases for channel in case.others]
    verdicts = [verdict(well, ill) for well, ill in series]
    counts = ", ".join(f"{verdicts.count(word)} {word}" for word in sorted(set(verdicts)))
    pairs = [ill / well - 1 for wells, ills in series for well, ill in zip(wells, ills, strict=True)]
    return f"{counts}; median change over all {len(pairs)} pairs of rounds {percent(median(pairs))}"
