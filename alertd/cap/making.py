"""Values of the domain made fast.

A frozen dataclass sets each field through `object.__setattr__`, which was a third of the time of reading an alert. Here
a twin of the same slots that is not frozen is filled, and then becomes one of that class. Only for classes without
`__post_init__`, or whose checks were done for all values at once.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any, TypeVar

_T = TypeVar("_T")


def maker(kind: type[_T]) -> Callable[[Mapping[str, Any]], _T]:
    """A function from field names and values to an object equal to `kind(**values)`."""
    twin = _twin(kind)

    def make(values: Mapping[str, Any]) -> _T:
        made = twin(**values)
        made.__class__ = kind
        return made  # type: ignore[no-any-return]  # it is one now

    return make


def blank(kind: type[_T]) -> Any:
    """A class whose objects have the fields of that kind, none of them set. Once all are, such an object may become one
    of that kind by its `__class__`: the cheapest way, for what stands in documents by the hundred."""
    return type(kind.__name__, (), {"__slots__": tuple(one.name for one in fields(kind))})  # type: ignore[arg-type]


def columns_maker(kind: type[_T]) -> Callable[[Iterable[Any], Iterable[Any]], tuple[_T, ...]]:
    """The same for many at once, from two columns."""
    twin = _twin(kind)

    def make(ones: Iterable[Any], twos: Iterable[Any]) -> tuple[_T, ...]:
        made = tuple(map(twin, ones, twos))
        for one in made:
            one.__class__ = kind
        return made

    return make


def _twin(kind: type[_T]) -> Any:
    known = fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
    columns = [(one.name, Any, field() if one.default is MISSING else field(default=one.default)) for one in known]
    return make_dataclass(kind.__name__, columns, slots=True, eq=False)
