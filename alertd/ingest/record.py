"""What is kept of one rule: its memory, the alerts of its own that stand, and what is still to be done."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from alertd.domain.alert import Info
from alertd.ingest.order import Order, Step
from alertd.ingest.rules import EMPTY, Memory, from_json, renamed, to_json


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert the rule raised. `until`: it ends by itself then. `told`: what it says, for when it is over. `asked`: a
    person has taken the one before it over, so of this matter nothing goes out by itself any more. `also`: alerts of
    the rule that were found to be about the same matter; the next word of it goes to those who got them too."""

    alert_id: str
    source: str
    said_as: str
    until: datetime | None = None
    told: tuple[Info, ...] = ()
    asked: bool = False
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """`standing` by matter. `waiting` in the order in which it is to be done."""

    memory: Memory = EMPTY
    standing: Mapping[str, Standing] = field(default_factory=dict)
    waiting: tuple[Order, ...] = ()


@dataclass(frozen=True, slots=True)
class _Document:
    memory: str
    standing: dict[str, Standing]
    waiting: tuple[Order, ...]


_DOCUMENT: Final = TypeAdapter(_Document)


def dump(record: Record) -> bytes:
    return _DOCUMENT.dump_json(_Document(to_json(record.memory).decode(), dict(record.standing), record.waiting))


def load(content: bytes) -> Record:
    """Raises ValueError where it is not what `dump` wrote."""
    try:
        read = _DOCUMENT.validate_json(content)
    except ValidationError as error:
        raise ValueError(f"this is no record of a rule: {error.error_count()} faults") from None
    return Record(from_json(read.memory), read.standing, read.waiting)


def joined(record: Record, old: str, new: str, said_as: str) -> Record:
    """The record where the matter `old` is a part of `new`, whose signals have the key `said_as`. Of two alerts that
    stand, the one raised of the later word is the one that goes on; what would raise another changes it."""
    standing = dict(record.standing)
    found = sorted((m for m in standing if m in (old, new)), key=lambda matter: _at(record.memory, matter))
    alerts = [standing.pop(matter) for matter in found]
    if alerts:
        also = tuple(name for one in reversed(alerts) for name in (one.alert_id, *one.also))
        asked = any(one.asked for one in alerts)
        standing[new] = replace(alerts[-1], said_as=said_as, asked=asked, also=also[1:])
    waiting = tuple(_waiting(record.waiting, (old, new), new, said_as, stands=bool(alerts)))
    return Record(renamed(record.memory, old, new), standing, waiting)


def _waiting(
    orders: Sequence[Order], matters: Sequence[str], new: str, said_as: str, *, stands: bool
) -> Iterator[Order]:
    for order in orders:
        if order.matter not in matters:
            yield order
            continue
        again = stands and order.step is Step.RAISE
        stands = order.step is not Step.CLEAR
        yield replace(order, matter=new, said_as=said_as, step=Step.CHANGE if again else order.step)


def _at(memory: Memory, matter: str) -> float:
    """When the last word of it was said."""
    return memory.spoken[matter].at if matter in memory.spoken else 0.0


def untold(memory: Memory, before: Memory, matter: str) -> Memory:
    """What was learnt since `before`, but as told of the matter only what was told then: the next word that holds
    finds it again. Nothing was sent, so nothing counts as sent."""
    memory = memory._replace(sendings=before.sendings)
    if known := memory.matters.get(matter):
        told = before.matters[matter].told if matter in before.matters else None
        return memory._replace(matters={**memory.matters, matter: known._replace(told=told)})
    if said := memory.spoken.get(matter):
        told = before.spoken[matter].told if matter in before.spoken else None
        return memory._replace(spoken={**memory.spoken, matter: said._replace(told=told, revision="")})
    return memory
