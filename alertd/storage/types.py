"""How values of the domain lie in columns: instants as microseconds, sets as bit masks, JSON as text."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator

from alertd.domain.alert import Purpose
from alertd.domain.times import micros

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

BigInt = BigInteger().with_variant(Integer(), "sqlite")
"""Eight bytes everywhere. SQLite's rowid needs the word INTEGER."""


def micros_or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def instant(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def instant_or_none(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else instant(microseconds)


def rfc3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")


class Instant(TypeDecorator[datetime]):
    """An aware datetime, in UTC when it comes out, kept as an integer of microseconds."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(BigInt)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        del dialect
        return micros_or_none(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        del dialect
        return instant_or_none(value)


class JsonText(TypeDecorator[Any]):
    """JSON as plain text, the same on every database."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else json_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        del dialect
        return None if value is None else orjson.loads(value)


def clean(text: str) -> str:
    """What a provider called a message, without what no database keeps: NUL, and halves of surrogate pairs.

    Takes anything that can be made text: one odd name must not cost the receipts it is written with.
    """
    text = str(text)
    if not text.isascii():
        text = text.encode(errors="ignore").decode()
    return text.replace("\0", "")


def json_text(value: object) -> str:
    """Canonical: sorted keys, no blanks, not escaped."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


_PURPOSE_BIT: Final[Mapping[Purpose, int]] = {Purpose.EMERGENCY: 1, Purpose.SERVICE: 2, Purpose.EVENT: 4}


def purpose_bit(purpose: Purpose) -> int:
    return _PURPOSE_BIT[purpose]


def purpose_mask(purposes: Collection[Purpose]) -> int:
    return sum(_PURPOSE_BIT[purpose] for purpose in set(purposes))


def purposes_of(mask: int) -> frozenset[Purpose]:
    return frozenset(purpose for purpose, bit in _PURPOSE_BIT.items() if mask & bit)
