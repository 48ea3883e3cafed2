"""BENCHMARKS.md, and the same tables for the console."""

from collections.abc import Iterator, Sequence
from statistics import median

from tests.bench.measure import Contestant, Figure, Group, Run, Section, Series, spread
from tests.bench.ratios import measured
from tests.bench.results import Results

_HEAD = """# Benchmarks

Written by `make bench` (`tests/bench`), which starts the sinks, alertd and the peers on one machine, gives them the same
work in turns, and takes the median. **Only the ratios travel**: another machine, or the same one on another day, is
faster or slower for everybody. A ratio is taken round by round, then its median; *spread* is from the lowest round to
the highest, as a share of the median. `make bench-quick` compares ratios with those kept in `tests/bench/ratios.json`.
"""


def benchmarks(results: Results, failed: Sequence[str] = ()) -> str:
    """The whole file. `failed` are parts of the last run of which nothing new came."""
    lines = [f"**Failed in the last run, so older or missing here: {', '.join(failed)}.**\n"] if failed else []
    return "\n".join([_HEAD, *lines, *_where(results), *_asked(results), *_sections(results)]).rstrip() + "\n"


def section_text(section: Section) -> str:
    """One group in Markdown."""
    return "\n".join(_section(section, ""))


def _where(results: Results) -> Iterator[str]:
    yield "## Where\n"
    yield from _table(("", ""), list(results.machine.items()))
    yield "Everything ran on these cores: sinks, sender and whoever asks. Versions:\n"
    yield from _table(("", "version"), list(results.versions.items()))


def _asked(results: Results) -> Iterator[str]:
    yield "## What was asked, what came\n"
    rows = []
    for section in results.sections.values():
        for target, ratio in measured(section):
            bounded = target.least is not None or target.most is not None
            word = ("yes" if target.met(ratio.median) else "**no**") if bounded else ""
            rows.append(
                (section.group.title, target.name, target.asked, _number(ratio.median), f"{ratio.spread:.0%}", word)
            )
    yield from _table(("work", "ratio", "asked", "median", "spread", "met"), rows, right=(2, 3, 4))


def _sections(results: Results) -> Iterator[str]:
    for key, section in results.sections.items():
        yield from _section(section, results.when[key])


def _section(section: Section, when: str) -> Iterator[str]:
    group = section.group
    yield f"## {group.title}\n"
    yield f"{group.work}.{f' {when}.' if when else ''}\n"
    rows = [_row(section, contestant) for contestant in group.contestants if section.of(contestant.name)]
    if group.contestants:
        yield from _table(
            ("", group.unit, "spread", f"× {group.peer}", "CPU µs each", "also", "what it did"),
            rows,
            right=(1, 2, 3, 4),
        )
    for name, why in section.skipped.items():
        yield f"**Not measured: {name}.** {why}.\n"
    for series in section.series:
        yield from _series(series)
    for line in section.lines:
        yield f"{line}\n"
    if group.silent:
        yield "What this does not show:\n"
        yield from (f"- {line}" for line in group.silent)
        yield ""


def _row(section: Section, contestant: Contestant) -> Sequence[str]:
    group, runs = section.group, section.of(contestant.name)
    values = [run.value(group.figure) for run in runs]
    ratio = section.ratio(contestant.name, group.peer)
    name = contestant.name if contestant.peer else f"**{contestant.name}**"
    return (
        name,
        _value(group, median(values)),
        f"{spread(values):.0%}",
        _number(ratio.median) if ratio and contestant.name != group.peer else "",
        _cpu(runs),
        _also(runs),
        contestant.did,
    )


def _value(group: Group, value: float) -> str:
    return f"{value:,.0f}" if group.figure is Figure.RATE and value >= 100 else _number(value)


def _cpu(runs: Sequence[Run]) -> str:
    used = [run.cpu / run.count * 1e6 for run in runs if run.cpu is not None]
    return _number(median(used)) if used else ""


def _also(runs: Sequence[Run]) -> str:
    """The medians of the further figures, and the notes."""
    names = dict.fromkeys(name for run in runs for name in run.figures)
    words = [f"{name} {_number(median(run.figures[name] for run in runs if name in run.figures))}" for name in names]
    return "; ".join([*words, *dict.fromkeys(run.note for run in runs if run.note)])


def _series(series: Series) -> Iterator[str]:
    """A chart, which not every reader draws, and the table, which every reader does."""
    highest = max(max(values) for values in series.y.values())
    yield "```mermaid\nxychart-beta"
    yield f'    title "{series.title}"'
    yield f'    x-axis "{series.x_name}" [{", ".join(f"{chr(34)}{x:,.0f}{chr(34)}" for x in series.x)}]'
    yield f'    y-axis "{series.y_name}" 0 --> {highest * 1.1:.4g}'
    yield from (f"    line [{', '.join(f'{value:.4g}' for value in values)}]" for values in series.y.values())
    yield "```\n"
    rows = [(f"{x:,.0f}", *(_number(values[i]) for values in series.y.values())) for i, x in enumerate(series.x)]
    yield from _table(
        (series.x_name, *(f"{name}, {series.y_name}" for name in series.y)), rows, right=range(len(series.y) + 1)
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> Iterator[str]:
    if not rows:
        yield "Nothing was measured.\n"
        return
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('--:' if i in right else '---' for i in range(len(head)))}|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""


def _number(value: float) -> str:
    """Three digits that count."""
    if value == 0:
        return "0"
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 100
        else f"{value:.1f}"
        if size >= 10
        else f"{value:.2f}"
        if size >= 0.1
        else f"{value:.2g}"
    )
