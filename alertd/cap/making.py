"""Values of the domain made fast.

A frozen dataclass sets each field through `object.__setattr__`, which was a third of the time of reading an alert. Here
a twin of the same slots that is not frozen is filled, and then becomes one of that class. Only for classes without
`__post_init__`, or whose checks were done for all values at once.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, field, fields, make_dataclass
from itertools import repeat
from typing import Any, TypeVar

_T = TypeVar("_T")


def maker(kind: type[_T]) -> Callable[[Mapping[str, Any]], _T]:
    """A function from field names and values to an object equal to `kind(**values)`."""
    known = fields(kind)  # type: ignore[arg-type]  # every kind is a dataclass
    columns = [(one.name, Any, field() if one.default is MISSING else field(default=one.default)) for one in known]
    twin: Any = make_dataclass(kind.__name__, columns, slots=True, eq=False)

    def make(values: Mapping[str, Any]) -> _T:
        made = twin(**values)
        made.__class__ = kind
        return made  # type: ignore[no-any-return]  # it is one now

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


def columns_maker(kind: type[_T], first: str, second: str) -> Callable[[Sequence[Any], Sequence[Any]], tuple[_T, ...]]:
    """The same for many, from two columns of equal length: no line of Python runs for a single one."""
    new = object.__new__
    put_first, put_second = getattr(kind, first).__set__, getattr(kind, second).__set__
    run = deque[None](maxlen=0).extend

    def make(ones: Sequence[Any], twos: Sequence[Any]) -> tuple[_T, ...]:
        made = tuple(map(new, repeat(kind, len(ones))))
        run(map(put_first, made, ones))
        run(map(put_second, made, twos))
        return made

    return make
