"""What was measured, kept as JSON: each run of each contestant, so that a part can be measured anew by itself."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.machine import machine, versions
from tests.bench.measure import Contestant, Figure, Group, Outcome, Run, Section, Series, Target


@dataclass(slots=True)
class Results:
    """The sections by key, in the order they were first measured; `when` says when each was."""

    machine: dict[str, str]
    versions: dict[str, str]
    sections: dict[str, Section] = field(default_factory=dict)
    when: dict[str, str] = field(default_factory=dict)

    def add(self, sections: Iterable[Section]) -> None:
        """In place of what was known of them."""
        for section in sections:
            self.sections[section.group.key] = section
            self.when[section.group.key] = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {
            "machine": self.machine,
            "versions": self.versions,
            "when": self.when,
            "sections": [_section_out(section) for section in self.sections.values()],
        }
        path.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")


def load(path: Path) -> Results:
    """What is kept there if it was measured on this machine with these versions, though perhaps without a peer that was
    installed since; else nothing yet."""
    now = Results(machine(), versions())
    if path.exists():
        kept = json.loads(path.read_text())
        if kept["machine"] == now.machine and kept["versions"].items() <= now.versions.items():
            now.sections = {one["group"]["key"]: _section_in(one) for one in kept["sections"]}
            now.when = kept["when"]
    return now


def _section_out(section: Section) -> dict[str, Any]:
    group = section.group
    return {
        "group": {
            **{name: getattr(group, name) for name in ("key", "title", "work", "figure", "unit", "peer", "silent")},
            "contestants": [{"name": one.name, "did": one.did, "peer": one.peer} for one in group.contestants],
            "targets": [asdict(target) for target in group.targets],
        },
        "runs": [{**asdict(run), "figures": dict(run.figures)} for run in section.runs],
        "skipped": section.skipped,
        "series": [{**asdict(series), "y": dict(series.y)} for series in section.series],
        "lines": section.lines,
    }


def _section_in(told: Mapping[str, Any]) -> Section:
    group = told["group"]
    return Section(
        Group(
            **{
                **group,
                "figure": Figure(group["figure"]),
                "contestants": tuple(Contestant(play=_over, **one) for one in group["contestants"]),
                "targets": tuple(Target(**{**one, "against": _names(one["against"])}) for one in group["targets"]),
            }
        ),
        [Run(**run) for run in told["runs"]],
        told["skipped"],
        [Series(**series) for series in told["series"]],
        told["lines"],
    )


def _names(told: str | list[str]) -> str | tuple[str, ...]:
    return told if isinstance(told, str) else tuple(told)


async def _over() -> Outcome:
    raise RuntimeError("it was played in an earlier run")
