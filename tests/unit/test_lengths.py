"""Lengths of time as a configuration writes them, wherever it does."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from alertd.domain.lengths import written_length
from alertd.ingest.rules import values as of_rules
from alertd.settings import values as of_settings

EVERY: list[TypeAdapter[timedelta]] = [
    TypeAdapter(kind) for kind in (of_rules.Duration, of_settings.Duration, of_settings.Span)
]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("30s", 30),
        ("90m", 5_400),
        ("24h", 86_400),
        ("2d", 172_800),
        (" 1.5 h ", 5_400),
        ("45", 45),
        (45, 45),
        (1.5, 1.5),
    ],
)
def test_everywhere_the_same(written: Any, seconds: float) -> None:
    assert written_length(written) == timedelta(seconds=seconds)
    assert {kind.validate_python(written) for kind in EVERY} == {timedelta(seconds=seconds)}


@pytest.mark.parametrize(
    "written",
    ["", "soon", "-5s", "5 weeks", "1h30m", "1.s", ".5s", "٣s", "1e3", "9" * 400, "9" * 400 + "d", 1e300, float("inf")],
)
def test_what_is_none_is_refused_and_never_overflows(written: Any) -> None:
    with pytest.raises(ValueError, match="is not a length of time"):
        written_length(written)
    for kind in EVERY:
        with pytest.raises(ValidationError, match="is not a length of time"):
            kind.validate_python(written)


@pytest.mark.parametrize("value", [True, None, ["30s"], timedelta(seconds=30)])
def test_what_is_neither_text_nor_number_is_left_to_others(value: object) -> None:
    assert written_length(value) is value


def test_each_keeps_its_own_bounds() -> None:
    rule, setting, span = EVERY
    for kind, good, bad in (
        (rule, ("1s", "31d", "1.125s"), ("0s", "0.5s", "32d", "1.0625s")),
        (setting, ("0.05s", "366d", "1.0625s"), ("0s", "367d", "1.1234567s", "999999999d")),
        (span, ("0s", "366d"), ("367d",)),
    ):
        for written in good:
            assert isinstance(kind.validate_python(written), timedelta)
        for written in bad:
            with pytest.raises(ValidationError):
                kind.validate_python(written)
