"""Single values out of a payload: numbers, times and texts. Each raises ValueError saying what is wrong, without
repeating more than a few characters of it."""

import re
from datetime import UTC, datetime
from typing import Any, Final

from alertd.domain.alert import Pair
from alertd.domain.texts import LIMITS, text_fault
from alertd.ingest.readers.received import Notes

LARGEST: Final = 1e15
MAX_WORD: Final = 300
FIRST_YEAR, LAST_YEAR = 1900, 2200

_DECIMAL = re.compile(r"[+-]?([0-9]{1,20}(\.[0-9]{0,20})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,2})?")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,12})?([Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def number(value: Any) -> float:
    """A finite number, or a text that is one in plain decimals; never a truth value, never beyond 1e15."""
    if type(value) is float and -LARGEST <= value <= LARGEST:
        return value
    if isinstance(value, str):
        text = value.strip()
        if not _DECIMAL.fullmatch(text):
            raise ValueError(f"{shown(value)} is not a number")
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a number")  # noqa: TRY004 - of the payload, not of the code
    if not abs(value) <= LARGEST:  # so that NaN is refused, and a long integer is not made a float
        raise ValueError(f"{shown(value)} is beyond any measurement")
    return float(value)


def moment(value: Any) -> datetime:
    """An RFC 3339 time, aware. Fractions finer than a microsecond are cut."""
    text, offset = _split(value)
    if not offset:
        raise ValueError(f"{shown(value)} has no offset")
    return _dated(text, value)


def utc_moment(value: Any) -> datetime:
    """The same, but a time without offset is UTC."""
    text, offset = _split(value)
    at = _dated(text if offset else f"{text}Z", value)
    return at if at.tzinfo is UTC else at.astimezone(UTC)


def _split(value: Any) -> tuple[str, str | None]:
    """The time as `datetime.fromisoformat` reads it, which cuts what is finer than a microsecond; and its offset."""
    text = value.strip() if isinstance(value, str) else ""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{shown(value)} is not a time such as 2026-11-22T06:00:00+01:00")
    offset = match[1]
    return (f"{text[:-1]}Z" if offset == "z" else text), offset


def _dated(text: str, value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{shown(value)} is no moment of the calendar") from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"{shown(value)} is not a year of ours")
    return at


def word(value: Any, limit: int = MAX_WORD) -> str:
    """A text that is not empty, one that XML and a terminal can take. Whole numbers stand for themselves."""
    if (
        type(value) is str
        and value.isascii()
        and value.isprintable()
        and len(value) <= limit
        and (text := value.strip())
    ):
        return text  # nearly all there are: nothing in it needs a closer look
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{shown(value)} is not a text")
    if fault := text_fault(value, limit):
        raise ValueError(fault)
    return value.strip()


def shown(value: Any) -> str:
    """A value as an error may show it."""
    text = repr(value) if isinstance(value, str | int | float | None) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}…"  # noqa: PLR2004


def facts_of(given: dict[str, Any], notes: Notes, where: str) -> tuple[Pair, ...]:
    """Texts and numbers a rule may match or a template may name. What is no text is left out in silence; what no
    template could carry is left out and noted."""
    facts = []
    for name, value in given.items():
        if isinstance(value, bool | float):
            value = str(value).lower()  # noqa: PLW2901
        if not isinstance(value, str | int) or value == "":
            continue
        try:
            facts.append(Pair(word(name, LIMITS["value_name"]), word(value, LIMITS["value"])))
        except ValueError as error:
            notes.odd(f"{where}.{name[:40]}", f"left out: {error}")
    return tuple(facts)


def line(value: Any, limit: int, notes: Notes, where: str) -> str:
    """A text for people, or nothing where there is none or it cannot be shown."""
    if value is None or value == "":
        return ""
    try:
        return word(value, limit)
    except ValueError as error:
        notes.odd(where, f"left out: {error}")
        return ""
