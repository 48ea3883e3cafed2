"""Which CAP messages belong together, where each names only those before it, and which of them are over or superseded.

An Update that references an Update speaks of the matter the first of them began, in whatever order they come: a Cancel
heard before what it cancels is remembered, and of what a later message references nothing more is told. What is not
Actual has matters of its own, so has what is unproven, and what is simulated has none.
"""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from alertd.domain.alert import Status
from alertd.domain.signal import Signal

V = TypeVar("V", str, datetime)

MOST: Final = 5_000
"""Messages of one source. The one heard of longest ago is forgotten first."""

_KEPT: Final = TypeAdapter(tuple[dict[str, str], dict[str, datetime], dict[str, datetime]])


class Threads:
    """Of one source. `roots` lead from a message towards the one that stands for its matter; `over` says when a matter
    ended, `past` when a message was superseded. `renamed`: keys known when last asked, and what each became."""

    def __init__(self) -> None:
        self._roots: OrderedDict[str, str] = OrderedDict()
        self._over: OrderedDict[str, datetime] = OrderedDict()
        self._past: OrderedDict[str, datetime] = OrderedDict()
        self.changed = False
        self.renamed: dict[str, str] = {}

    def follow_all(self, signals: Sequence[Signal], known: Sequence[str]) -> list[Signal]:
        """The signals under the keys their matters are known by, the oldest first. To be called once with all that
        came together, of one payload or of several fetched in one go: every Cancel and Update of it is entered before
        anything is told, so that of an Alert and its Cancel nothing is left to raise. `known` are the keys, so far, of
        matters of which an alert stands: a Cancel ends all of its message's, an Update those it no longer names."""
        messages = list(_by_message(sorted(signals, key=lambda signal: signal.at)))
        joined = [not said[-1].simulated and self._enter(said) for said in messages]
        self.renamed = {key: named for key in known if (named := self._named(key)) != key}
        standing: dict[str, list[str]] = {}
        for key in dict.fromkeys(self.renamed.get(key, key) for key in known):
            standing.setdefault(self._root(_parted(key)[0]), []).append(key)
        found: list[Signal] = []
        for said, joins in zip(messages, joined, strict=True):
            if said[-1].simulated:
                found += said
                continue
            root = self._root(_name(said[-1]))
            keys = standing.get(root, [])
            if joins and root in self._over and not _cancels(said[-1]):
                found += (said[-1]._replace(key=key, ended=True, at=self._over[root]) for key in keys)
            found += self._told(said, root, keys)
        return found

    def _told(self, said: Sequence[Signal], root: str, known: Sequence[str]) -> list[Signal]:
        """What is still to be told of one message, every message being entered."""
        last, kind = said[-1], _fact(said[-1], "msg_type")
        cancel = _cancels(last)
        if not cancel and (_identity(last) in self._past or (root in self._over and self._over[root] >= last.at)):
            return []
        keyed = [] if _bare(last) else [signal._replace(key=_known_as(root, signal, known)) for signal in said]
        if not cancel and kind != "Update":
            return keyed
        places = {_parted(signal.key)[1] for signal in keyed}
        gone = [key for key in known if _parted(key)[1] not in places]
        return [*keyed, *(last._replace(key=key, ended=True) for key in gone)]

    def _enter(self, said: Sequence[Signal]) -> bool:
        """Note what one message says of others; whether matters were found to be one."""
        last = said[-1]
        mine, root = _identity(last), self._root(_name(last))
        joined = False
        if mine and (own := self._root(mine)) != root:
            if mine in self._past:  # a later one was heard before it, and its matter keeps the name
                joined = self._join(root, own)
                root = own
            else:
                self._join(own, root)
        if not _cancels(last) and _fact(last, "msg_type") != "Update":
            return joined
        for earlier in {_name(last): None, **dict.fromkeys(_references(last))}:
            if earlier == mine:
                continue
            if (other := self._root(earlier)) != root:
                joined = self._join(other, root) or joined
            if earlier not in self._past:
                self._note(self._past, earlier, last.at)
        if _cancels(last):
            self._end(root, last.at)
        return joined

    def _named(self, key: str) -> str:
        """The key by which what was said under this one is known now."""
        message, place = _parted(key)
        root = self._root(message)
        return f"{root}#{place}" if place else root

    def _root(self, name: str) -> str:
        """The message that stands for the matter."""
        seen = {name}
        while (further := self._roots.get(name, name)) not in seen:
            seen.add(further)
            name = further
        return name

    def _join(self, root: str, into: str) -> bool:
        """Two matters are one, and over when the later of them was."""
        self._note(self._roots, root, into)
        if (over := self._over.pop(root, None)) is not None:
            self._end(into, over)
        return True

    def _end(self, root: str, at: datetime) -> None:
        if root not in self._over or self._over[root] < at:
            self._note(self._over, root, at)

    def _note(self, kept: OrderedDict[str, V], name: str, value: V) -> None:
        kept[name] = value
        kept.move_to_end(name)
        while len(kept) > MOST:
            kept.popitem(last=False)
        self.changed = True

    def dump(self) -> bytes:
        return _KEPT.dump_json((dict(self._roots), dict(self._over), dict(self._past)))

    def load(self, content: bytes) -> None:
        """Raises ValueError where it is not what `dump` wrote."""
        try:
            roots, over, past = _KEPT.validate_json(content)
        except ValidationError:
            raise ValueError("these are no threads of a source") from None
        self._roots, self._over, self._past = OrderedDict(roots), OrderedDict(over), OrderedDict(past)


def _by_message(signals: Sequence[Signal]) -> Iterator[list[Signal]]:
    """What one message says of several places stays together."""
    groups: dict[tuple[str, str], list[Signal]] = {}
    for signal in signals:
        groups.setdefault((_name(signal), _identity(signal) or signal.revision), []).append(signal)
    yield from groups.values()


def _bare(signal: Signal) -> bool:
    """A Cancel that names no place: it ends all its message said."""
    return signal.ended and not signal.zones and not signal.event


def _cancels(signal: Signal) -> bool:
    return _bare(signal) or _fact(signal, "msg_type") == "Cancel"


def _name(signal: Signal) -> str:
    """The message a key begins with."""
    return _of_status(signal, signal.key if _bare(signal) else _parted(signal.key)[0])


def _identity(signal: Signal) -> str:
    said = _fact(signal, "identity")
    return _of_status(signal, signal.apart(said)) if said else ""


def _references(signal: Signal) -> list[str]:
    return [_of_status(signal, signal.apart(earlier)) for earlier in _fact(signal, "references").split()]


def _of_status(signal: Signal, name: str) -> str:
    """An Exercise never touches what is Actual, though it names it."""
    status = _fact(signal, "status") or (signal.alert.status if signal.alert else Status.ACTUAL)
    return name if status == Status.ACTUAL else f"{status} {name}"


def _parted(key: str) -> tuple[str, str]:
    """The message and the place; an identifier may hold a `#` of its own."""
    message, mark, place = key.rpartition("#")
    return (message, place) if mark else (key, "")


def _known_as(root: str, signal: Signal, known: Sequence[str]) -> str:
    """The key under which an alert stands, if one does: of a matter known by several names, one."""
    place = _parted(signal.key)[1]
    key = f"{root}#{place}" if place else root
    return key if key in known else next((other for other in known if _parted(other)[1] == place), key)


def _fact(signal: Signal, name: str) -> str:
    return next((pair.value for pair in signal.facts if pair.value_name == name), "")
