"""What is wrong with a configuration, all of it at once, in words that do at three in the morning."""

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_LONGEST = 120
_SECRET_NAME = re.compile(r"token|secret|passw|private|credential|(^|_)key$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One fault. `source` is the file, or the environment variable; `key` the dotted path in it.

    `given` is the value as written, None where there is none to show; a secret's is never here.
    """

    source: str
    key: str
    wrong: str
    right: str = ""
    given: str | None = None

    def __str__(self) -> str:
        head = self.key if self.given is None else f"{self.key} = {self.given}"
        lines = [
            f"  {head}" if head else "  (the whole file)",
            f"      in:    {self.source}",
            f"      wrong: {self.wrong}",
        ]
        if self.right:
            lines.append(f"      right: {self.right}")
        return "\n".join(lines)


class ConfigError(ValueError):
    """The configuration cannot be used; `problems` says why, and is never empty."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        body = "\n\n".join(map(str, self.problems))
        super().__init__(f"The configuration cannot be used: {count}.\n\n{body}")


def nearest(key: str, valid: Iterable[str]) -> str:
    """Words that lead from a mistyped key to the one meant."""
    known = sorted(valid)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"one of: {', '.join(known)}" if known else "nothing may be set here"


def secret_name(path: Sequence[str | int]) -> bool:
    """Whether a key of this name may hold a secret, so that its value must not be repeated."""
    return any(isinstance(part, str) and _SECRET_NAME.search(part) for part in path[-2:])


def shown(value: object) -> str:
    """The value as TOML would write it, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
