"""The ratios kept in the repository (ratios.json), and whether a new run is worse. Absolute times are never compared."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Figure, Ratio, Section, Target

FILE = Path(__file__).with_name("ratios.json")
TOLERANCE = {"whole": 0.25, "quick": 0.40}
"""A ratio may be worse by this share before it counts as a regression: what runs of the same code differ by, and more
in a quick run, where 10,000 pushes last a fraction of a second."""


@dataclass(frozen=True, slots=True)
class Change:
    """`better`: 1.1 is ten per cent better than what is kept, whichever way better is."""

    group: str
    name: str
    kept: float
    now: float
    better: float
    tolerance: float

    @property
    def regressed(self) -> bool:
        return self.better < 1 - self.tolerance

    def __str__(self) -> str:
        word = "REGRESSION" if self.regressed else "ok"
        return (
            f"{word}: {self.group}: {self.name}: {self.now:.3g}, kept {self.kept:.3g} (tolerance {self.tolerance:.0%})"
        )


def measured(section: Section) -> Iterator[tuple[Target, Ratio]]:
    """The group's ratios whose sides both took part."""
    for target in section.group.targets:
        ratio = section.ratio(target.ours, target.peers)
        if ratio is not None:
            yield target, ratio


def changes(sections: Iterable[Section], size: str) -> tuple[list[Change], list[str]]:
    """Against what is kept for runs of this size; and the names of kept ratios that could not be measured."""
    kept = _read().get(size, {})
    found: list[Change] = []
    missing: list[str] = []
    for section in sections:
        key, now = section.group.key, {target.name: ratio for target, ratio in measured(section)}
        for name, was in kept.get(key, {}).items():
            if name not in now:
                missing.append(f"{key}: {name}")
                continue
            factor = now[name].median / was["median"]
            better = factor if section.group.figure is Figure.RATE else 1 / factor
            found.append(Change(key, name, was["median"], now[name].median, better, TOLERANCE[size]))
    return found, missing


def keep(sections: Iterable[Section], size: str) -> None:
    """Write them down, in place of what was kept of these groups. A group of which nothing was measured stays."""
    kept = _read()
    for section in sections:
        now = {t.name: {"median": round(r.median, 3), "spread": round(r.spread, 3)} for t, r in measured(section)}
        if now:
            kept.setdefault(size, {})[section.group.key] = now
    FILE.write_text(json.dumps(kept, indent=2, ensure_ascii=False, sort_keys=True) + "\n")


def _read() -> dict[str, dict[str, dict[str, dict[str, float]]]]:
    return json.loads(FILE.read_text()) if FILE.exists() else {}
