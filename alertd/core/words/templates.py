"""Templates on disk: `<folder>/<channel, adapter or default>/<language>.<title|text|html>.j2`.

All are read and compiled once, when the configuration is read; a message being sent touches no disk.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import Template
from jinja2.exceptions import TemplateSyntaxError

from alertd.core.words.template_language import compiled, written
from alertd.domain.texts import language_fault

Part = Literal["title", "text", "html"]
PARTS: tuple[Part, ...] = ("title", "text", "html")
SUFFIX = ".j2"
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Wording:
    """A compiled template and the file it came from."""

    file: Path
    part: Part
    template: Template

    def write(self, values: Mapping[str, object]) -> str:
        return written(self.template, values)


class Templates:
    """What the folders hold. The first folder that has a template wins; faults are kept, never raised."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._found: dict[tuple[str, str, Part], Wording] = {}
        self._faults: list[str] = []
        for folder in folders:
            for file in _files(folder):
                self._read(file)

    @property
    def faults(self) -> Sequence[str]:
        """Templates that cannot be used, by file and line."""
        return tuple(self._faults)

    def __iter__(self) -> Iterator[Wording]:
        return iter(self._found.values())

    def find(self, groups: Sequence[str], languages: Sequence[str], part: Part) -> Wording | None:
        """The nearest template: by group first (channel, adapter), then by language; `default` is tried last."""
        for group in (*groups, DEFAULT):
            for language in languages:
                wording = self._found.get((group, language.lower(), part))
                if wording is not None:
                    return wording
        return None

    def _read(self, file: Path) -> None:
        language, _, kind = file.name.removesuffix(SUFFIX).rpartition(".")
        part = next((known for known in PARTS if known == kind), None)
        if part is None or language_fault(language):
            self._fault(file, "a template is named <language>.<title|text|html>.j2, e.g. it.text.j2")
            return
        try:
            template = compiled(file.read_text("utf-8"), escaping=part == "html")
        except TemplateSyntaxError as error:
            self._fault(file, f"line {error.lineno}: {error.message}")
        except (OSError, UnicodeError, RecursionError, SyntaxError, ValueError, MemoryError) as error:
            self._fault(file, f"cannot be read: {error}")
        else:
            self._found.setdefault((file.parent.name, language.lower(), part), Wording(file, part, template))

    def _fault(self, file: Path, message: str) -> None:
        self._faults.append(f"{file}: {message}")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/*{SUFFIX}"))
