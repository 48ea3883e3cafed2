"""Which CAP messages belong together, where each names only the one before it, and which of them are over.

An Update that references an Update speaks of the matter the first of them began. A Cancel that comes before what it
cancels is remembered.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from alertd.domain.signal import Signal

V = TypeVar("V", str, datetime)

MOST: Final = 5_000
"""Messages of one source. The one heard of longest ago is forgotten first."""

_KEPT: Final = TypeAdapter(tuple[dict[str, str], dict[str, datetime]])


class Threads:
    """Of one source. `roots` lead from a message to the one its matter began with; `over` says when a matter ended."""

    def __init__(self) -> None:
        self._roots: OrderedDict[str, str] = OrderedDict()
        self._over: OrderedDict[str, datetime] = OrderedDict()
        self.changed = False

    def follow(self, signals: Sequence[Signal], known: Sequence[str]) -> Iterator[Signal]:
        """The signals under the keys their matters began with, the oldest first. `known` are the keys, so far, of
        matters of which an alert stands: a Cancel ends all of its message's, an Update those it no longer names."""
        for said in _by_message(sorted(signals, key=lambda signal: signal.at)):
            root = self._root(said)
            keyed = [_under(root, signal) for signal in said]
            last = said[-1]
            cancel = _bare(last) or _fact(last, "msg_type") == "Cancel"
            if cancel:
                self._end(root, last.at)
            elif root in self._over and self._over[root] >= last.at:
                continue  # it was over before this was heard
            if not _bare(last):
                yield from keyed
            if cancel or _fact(last, "msg_type") == "Update":
                named = {signal.key for signal in keyed}
                gone = [key for key in known if key.startswith(f"{root}#") and key not in named]
                yield from (replace(last, key=key, ended=True) for key in gone)

    def _root(self, said: Sequence[Signal]) -> str:
        """Where the matter began, and every message of it known by that from now on."""
        first = _message(said[0])
        root = self._roots.get(first, first)
        mine = _fact(said[0], "identity")
        if mine and mine != root and self._roots.get(mine) != root:
            self._note(self._roots, mine, root)
        return root

    def _end(self, root: str, at: datetime) -> None:
        if self._over.get(root) != at:
            self._note(self._over, root, at)

    def _note(self, kept: OrderedDict[str, V], name: str, value: V) -> None:
        kept[name] = value
        kept.move_to_end(name)
        while len(kept) > MOST:
            kept.popitem(last=False)
        self.changed = True

    def dump(self) -> bytes:
        return _KEPT.dump_json((dict(self._roots), dict(self._over)))

    def load(self, content: bytes) -> None:
        """Raises ValueError where it is not what `dump` wrote."""
        try:
            roots, over = _KEPT.validate_json(content)
        except ValidationError:
            raise ValueError("these are no threads of a source") from None
        self._roots, self._over = OrderedDict(roots), OrderedDict(over)


def _by_message(signals: Sequence[Signal]) -> Iterator[list[Signal]]:
    """What one message says of several places stays together."""
    groups: dict[tuple[str, str], list[Signal]] = {}
    for signal in signals:
        groups.setdefault((_message(signal), _fact(signal, "identity") or signal.revision), []).append(signal)
    yield from groups.values()


def _bare(signal: Signal) -> bool:
    """A Cancel that names no place: it ends all its message said."""
    return signal.ended and not signal.zones and not signal.event


def _message(signal: Signal) -> str:
    """The message a key begins with; an identifier may hold a `#` of its own."""
    return signal.key if _bare(signal) or "#" not in signal.key else signal.key.rpartition("#")[0]


def _under(root: str, signal: Signal) -> Signal:
    if _bare(signal) or "#" not in signal.key:
        return replace(signal, key=root)
    return replace(signal, key=f"{root}#{signal.key.rpartition('#')[2]}")


def _fact(signal: Signal, name: str) -> str:
    return next((pair.value for pair in signal.facts if pair.value_name == name), "")
