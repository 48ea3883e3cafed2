"""Configuration as it was written: the TOML file with the environment laid over it, nothing judged yet."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alertd.settings.errors import ConfigError, ConfigProblem

PREFIX = "ALERTD_"
SEPARATOR = "__"

Key = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """`tree` is the merged configuration, `written` the file alone.

    `overrides` says which key came from which environment variable.
    """

    file: Path | None
    tree: dict[str, Any]
    written: Mapping[str, Any] = field(default_factory=dict)
    overrides: Mapping[Key, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """What relative paths are relative to."""
        return self.file.parent if self.file else Path.cwd()

    def name(self, key: Key) -> str:
        """Where this key was written, for people."""
        for length in range(len(key), 0, -1):
            if variable := self.overrides.get(key[:length]):
                return f"environment variable {variable}"
        below = [variable for path, variable in self.overrides.items() if path[: len(key)] == key]
        if below and not _has(self.written, key):
            return f"environment variable {below[0]}"
        return str(self.file) if self.file else "the defaults (no configuration file)"

    def from_environment(self, key: Key) -> bool:
        return key in self.overrides


def read(file: Path | None, environ: Mapping[str, str], defaults: Mapping[str, Any]) -> Source:
    """The file, over the sections of `defaults` it does not have, under the environment.

    Raises ConfigError where the file cannot be read or is not TOML.
    """
    path = file.expanduser().resolve() if file else None
    written = _parse(path) if path else {}
    tree: dict[str, Any] = _copy({**defaults, **written})
    overrides: dict[Key, str] = {}
    for variable, wanted, text in _variables(environ):
        key = _as_written(tree, wanted)
        _put(tree, key, _value(text))
        overrides[key] = variable
    return Source(path, tree, written, overrides)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        wrong, right = (
            "there is no such file",
            "the path of an existing TOML file, given with --config or ALERTD_CONFIG",
        )
    except OSError as error:
        wrong, right = f"cannot be read: {error.strerror}", "a file that the user running alertd may read"
    except UnicodeDecodeError:
        wrong, right = "is not UTF-8 text", "a TOML file saved as UTF-8"
    except tomllib.TOMLDecodeError as error:
        wrong, right = f"is not TOML: {error}", 'lines like  key = "value"  under a [section]'
    raise ConfigError([ConfigProblem(str(path), "", wrong, right)])


def _variables(environ: Mapping[str, str]) -> Iterator[tuple[str, Key, str]]:
    """ALERTD_SECTION__KEY, shortest first: a longer path is laid into what a shorter one put there."""
    for variable in sorted(environ, key=lambda name: (name.count(SEPARATOR), name)):
        path = variable.removeprefix(PREFIX)
        if path != variable and SEPARATOR in path:
            yield variable, tuple(part.lower() for part in path.split(SEPARATOR)), environ[variable]


def _as_written(tree: Mapping[str, Any], key: Key) -> Key:
    """The key in the file's own spelling: an environment variable can have neither `-` nor lower case."""
    spelt: list[str] = []
    node: Any = tree
    for part in key:
        known = node if isinstance(node, Mapping) else {}
        spelt.append(next((k for k in known if k.lower().replace("-", "_") == part), part))
        node = known.get(spelt[-1])
    return tuple(spelt)


def _value(text: str) -> object:
    """Lists and tables are written as in TOML; anything else is text until its field's type is known."""
    if text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _put(tree: dict[str, Any], key: Key, value: object) -> None:
    for part in key[:-1]:
        if not isinstance(tree.get(part), dict):
            tree[part] = {}
        tree = tree[part]
    tree[key[-1]] = value


def _has(tree: Mapping[str, Any], key: Key) -> bool:
    node: Any = tree
    for part in key:
        if not isinstance(node, Mapping) or part not in node:
            return False
        node = node[part]
    return True


def _copy(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copy(value) if isinstance(value, Mapping) else value for key, value in tree.items()}
