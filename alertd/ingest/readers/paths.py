"""JSONPath (RFC 9535) in the configuration: checked when it is read, compiled once."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Final

from jsonpath import JSONPath, JSONPathEnvironment, JSONPathError
from pydantic import AfterValidator

_KEPT: Final = 1024
MAX_PATH: Final = 500


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


def every(path: str, document: Any) -> Sequence[Any]:
    """All the values the path leads to. Raises ValueError where a filter cannot be evaluated."""
    try:
        return _compiled(path).findall(document)
    except (JSONPathError, TypeError, RecursionError) as error:
        raise ValueError(f"{path}: {error.args[0] if error.args else 'cannot be followed'}") from None


def only(path: str, document: Any) -> Any:
    """The value the path leads to, None where there is none. Raises ValueError where there are several."""
    found = every(path, document)
    if len(found) > 1:
        raise ValueError(f"{path} leads to {len(found)} values; which one is meant cannot be known")
    return found[0] if found else None
