"""Hostile CAP documents: what each costs, in CPU milliseconds and MiB, each in a process of its own.

The documents are those of the tests (tests/unit/cap_hostile.py) and the shared samples that are attacks. Promised are
100 ms and 10 MB for reading one; checking it (`alertd cap check`) is bounded alike.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.bench.measure import Bench, Figure, Group, Section, report_of
from tests.unit.cap_hostile import READ, REFUSED, WORST

_SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "cap" / "hostile"
_MOST_MILLISECONDS, _MOST_MEGABYTES = 100.0, 10.0


async def measure(bench: Bench) -> list[Section]:
    costs: dict[str, Mapping[str, float]] = {}
    for name, document in _documents().items():
        bench.tell(f"cap_hostile: {name}")
        file = bench.folder / "document.xml"
        file.write_bytes(document)
        told, _ = await report_of([sys.executable, "-m", "tests.bench.cap_cost", str(file)], seconds=60)
        costs[name] = {"octets": len(document), **told, "MB": told["grew"] * 2**20 / 1e6}
    group = Group(
        key="cap-hostile",
        title="Hostile CAP documents",
        work=f"{len(costs)} documents made to cost dear, each read and checked in a process of its own",
        figure=Figure.SECONDS,
        unit="ms",
        peer="",
        contestants=(),
        silent=("CPU time of this machine as it was: a busy one needs up to twice as much for the same.",),
    )
    return [Section(group, lines=[_verdict(costs), _table(costs)])]


def _documents() -> dict[str, bytes]:
    samples = {f"sample {file.name}": file.read_bytes() for file in sorted(_SAMPLES.glob("*"))}
    return samples | {name: make() for name, make in {**REFUSED, **READ, **WORST}.items()}


def _verdict(costs: Mapping[str, Mapping[str, float]]) -> str:
    over = [
        name
        for name, cost in costs.items()
        if max(cost["read"], cost["check"]) >= _MOST_MILLISECONDS or cost["MB"] >= _MOST_MEGABYTES
    ]
    bound = f"{_MOST_MILLISECONDS:g} ms to read, as much to check, and {_MOST_MEGABYTES:g} MB"
    return f"Each costs less than {bound}." if not over else f"**Above {bound}: {', '.join(over)}.**"


def _table(costs: Mapping[str, Mapping[str, float]]) -> str:
    head = ["| document | octets | read ms | check ms | MB |", "|---|--:|--:|--:|--:|"]
    rows = sorted(costs.items(), key=lambda one: -one[1]["read"])
    return "\n".join(
        [
            *head,
            *(
                f"| {name} | {cost['octets']:,.0f} | {cost['read']:.1f} | {cost['check']:.1f} | {cost['MB']:.1f} |"
                for name, cost in rows
            ),
        ]
    )
