"""The one place faults are gathered while a configuration is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from alertd.settings.errors import ConfigProblem
from alertd.settings.source import Key, Source


@dataclass(frozen=True, slots=True)
class Findings:
    """`source` knows where each key was written; `problems` grows."""

    source: Source
    problems: list[ConfigProblem] = field(default_factory=list)

    def refuse(self, key: Iterable[str], wrong: str, right: str = "", given: str | None = None) -> None:
        path: Key = tuple(key)
        self.problems.append(ConfigProblem(self.source.name(path), ".".join(path), wrong, right, given))
