"""Values of the domain made fast.

A frozen dataclass sets each field through `object.__setattr__`, which was a third of the time of reading an alert. Here
the same slots are filled by their own descriptors, from a dictionary, with the class's own defaults. Only for classes
without `__post_init__`, or whose checks were done for all values at once.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any, TypeVar

_T = TypeVar("_T")


def maker(kind: type[_T]) -> Callable[[Mapping[str, Any]], _T]:
    """A function from field names and values to an object equal to `kind(**values)`."""
    new = object.__new__
    needed, optional = [], []
    for field in fields(kind):  # type: ignore[arg-type]  # every kind is a dataclass
        put = getattr(kind, field.name).__set__
        if field.default is MISSING:
            needed.append((field.name, put))
        else:
            optional.append((field.name, put, field.default))

    def make(values: Mapping[str, Any]) -> _T:
        made = new(kind)
        for name, put in needed:
            put(made, values[name])
        get = values.get
        for name, put, default in optional:
            put(made, get(name, default))
        return made

    return make


def pairs_maker(kind: type[_T], first: str, second: str) -> Callable[[Any, Any], _T]:
    """The same for a class of two fields."""
    new = object.__new__
    put_first, put_second = getattr(kind, first).__set__, getattr(kind, second).__set__

    def make(one: Any, two: Any) -> _T:
        made = new(kind)
        put_first(made, one)
        put_second(made, two)
        return made

    return make
