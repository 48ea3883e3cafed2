"""JSONPath (RFC 9535) in the configuration: checked when it is read, compiled once.

Nearly every path there is names one place (`$.uplink.level`, `$['rx'][0]`): that is walked, for asking the library
costs fifty times as much, and readings come in thousands a second.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Annotated, Any, Final

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from pydantic import AfterValidator

_KEPT: Final = 1024
MAX_PATH: Final = 500
_STEP: Final = (
    r"\.([A-Za-z_][A-Za-z0-9_]*)"
    r"|\[(0|[1-9][0-9]{0,8})\]"
    r"|\['([^'\\\x00-\x1f]*)'\]"
    r'|\["([^"\\\x00-\x1f]*)"\]'
)
_PLAIN: Final = re.compile(rf"\$(?:{_STEP})*")
_STEPS: Final = re.compile(_STEP)
_NOTHING: Final = object()


def _checked(path: str) -> str:
    if len(path) > MAX_PATH:
        raise ValueError(f"is {len(path)} characters long; a JSONPath has at most {MAX_PATH}")
    try:
        _compiled(path)
    except JSONPathError as error:  # its own text fails for a path that ends too early
        raise ValueError(f'is not a JSONPath (RFC 9535), e.g. "$.level": {error.args[0]}') from None
    return path


Path = Annotated[str, AfterValidator(_checked)]


@lru_cache(maxsize=_KEPT)
def _compiled(path: str) -> JSONPath:
    query = JSONPathEnvironment(strict=True).compile(path)
    if not isinstance(query, JSONPath):
        raise JSONPathError("two paths in one")
    return query


@lru_cache(maxsize=_KEPT)
def steps(path: str) -> tuple[str | int, ...] | None:
    """The names and indices of a path that leads to one place at most, without a wildcard, slice, filter or escape."""
    if not _PLAIN.fullmatch(path):
        return None
    return tuple(int(step[2]) if step[2] else step[step.lastindex or 0] for step in _STEPS.finditer(path))


def finder(path: str) -> Callable[[Any], Any]:
    """`only` of this path, made ready."""
    way = steps(path)
    if way is None or len(way) != 1 or not isinstance(way[0], str):
        return partial(only, path)
    name = way[0]
    return lambda document: document.get(name) if isinstance(document, dict) else None


def _walked(way: tuple[str | int, ...], document: Any) -> Any:
    """What is there; `_NOTHING` where nothing is. Names lead into objects only, indices into arrays only."""
    for step in way:
        if isinstance(document, dict):
            document = document.get(step, _NOTHING)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return _NOTHING
    return document


def every(path: str, document: Any) -> Sequence[Any]:
    """All the values the path leads to. Raises ValueError where a filter cannot be evaluated."""
    way = steps(path)
    if way is not None:
        found = _walked(way, document)
        return () if found is _NOTHING else (found,)
    if isinstance(document, str):  # the library would read it as JSON; a text has no parts
        return ()
    try:
        return _compiled(path).findall(document)
    except (JSONPathError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: {error.args[0] if error.args else 'cannot be followed'}") from None


def only(path: str, document: Any) -> Any:
    """The value the path leads to, None where there is none. Raises ValueError where there are several."""
    way = steps(path)
    if way is not None:
        value = _walked(way, document)
        return None if value is _NOTHING else value
    found = every(path, document)
    if len(found) > 1:
        raise ValueError(f"{path} leads to {len(found)} values; which one is meant cannot be known")
    return found[0] if found else None
