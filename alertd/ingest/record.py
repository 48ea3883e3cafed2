"""What is kept of one rule: its memory, the alerts of its own that stand, and what is still to be done."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from alertd.domain.alert import Info
from alertd.ingest.order import Order
from alertd.ingest.rules import EMPTY, Memory, from_json, to_json


@dataclass(frozen=True, slots=True)
class Standing:
    """An alert the rule raised. `until`: it ends by itself then. `told`: what it says, for when it is over."""

    alert_id: str
    source: str
    said_as: str
    until: datetime | None = None
    told: tuple[Info, ...] = ()


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
