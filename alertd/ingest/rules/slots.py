"""A bounded mapping in order of use that is never changed: the next one shares nearly all of it with the one before."""

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, Generic, Protocol, TypeVar

GRAIN: Final = 128
"""How many slots are copied with each change, at most; all of them only once in so many."""


class _Slot(Protocol):
    @property
    def told(self) -> Any: ...


Slot = TypeVar("Slot", bound=_Slot)


class Slots(Mapping[str, Slot], Generic[Slot]):
    """`old`, and over it the few that were used since, `new`. Neither is changed."""

    __slots__ = ("_count", "_new", "_old")

    def __init__(self, old: Mapping[str, Slot], new: Mapping[str, Slot], count: int) -> None:
        self._old = old
        self._new = new
        self._count = count

    def __getitem__(self, key: str) -> Slot:
        return self._new[key] if key in self._new else self._old[key]

    def get(self, key: str, default: Any = None) -> Any:
        """As every mapping's, without an exception for what is not there."""
        return self._new[key] if key in self._new else self._old.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._new or key in self._old

    def __iter__(self) -> Iterator[str]:
        """The one used longest ago first."""
        return chain((key for key in self._old if key not in self._new), self._new)

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"Slots({dict(self)!r})"

    def after(self, key: str, slot: Slot, most: int) -> "tuple[Slots[Slot], int]":
        """With this slot, the one used last; and how many gave way to keep to `most`."""
        new = dict(self._new)
        new.pop(key, None)
        new[key] = slot
        count = self._count + (key not in self)
        if len(new) <= GRAIN and count <= most:
            return Slots(self._old, new, count), 0
        every = {**{name: self._old[name] for name in self._old if name not in new}, **new}
        if count <= most:
            return Slots(every, {}, count), 0
        leaving = _leaving(every, count - max(1, most - GRAIN), key)
        for name in leaving:
            del every[name]
        return Slots(every, {}, len(every)), len(leaving)


def _leaving(every: Mapping[str, Slot], many: int, but: str) -> list[str]:
    """Those used longest ago; one that was told of only when no other is left. A few at once, so that the search is
    seldom."""
    others = [name for name in every if name != but]
    untold = [name for name in others if every[name].told is None]
    if len(untold) >= many:
        return untold[:many]
    return untold or others[:1]


def kept(slots: Mapping[str, Slot], key: str, slot: Slot, most: int) -> tuple[Slots[Slot], int]:
    """`Slots.after` of any mapping."""
    known = slots if isinstance(slots, Slots) else Slots(dict(slots), {}, len(slots))
    return known.after(key, slot, most)
