"""The kinds of value a rule is written with."""

import fnmatch
import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, FiniteFloat

from alertd.domain.alert import Severity
from alertd.domain.lengths import written_length
from alertd.domain.signal import Colour

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_LONGEST_GLOB: Final = 200


def _duration(value: object) -> object:
    """To the millisecond; what a rule measures is no finer."""
    return written_length(value, decimals=3)


def _measured(value: timedelta) -> timedelta:
    if not timedelta(seconds=1) <= value <= timedelta(days=31):
        raise ValueError("must be at least a second and at most 31 days")
    return value


def _name(value: str) -> str:
    if not _NAME.fullmatch(value):
        raise ValueError("is not a name: lower-case letters, digits, - and _, beginning with a letter, at most 32")
    return value


def _glob(value: str) -> str:
    if not value.strip() or len(value) > _LONGEST_GLOB or not value.isprintable():
        raise ValueError(f"must be one line of text, at most {_LONGEST_GLOB} characters, with * and ? as jokers")
    return value


def _in_any_case(value: object) -> object:
    """`severe`, `SEVERE` and `Severe` are the same word; so are `Rossa` and `rossa`."""
    words = {word.casefold(): word for kind in (Severity, Colour) for word in kind}
    return words.get(value.casefold(), value) if isinstance(value, str) else value


def glob(text: str) -> re.Pattern[str]:
    """A compiled pattern of the shell's kind (`*`, `?`, `[…]`), upper and lower case alike."""
    return re.compile(fnmatch.translate(text), re.IGNORECASE)


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_measured)]
Name = Annotated[str, AfterValidator(_name)]
Glob = Annotated[str, AfterValidator(_glob)]
AnyCaseSeverity = Annotated[Severity, BeforeValidator(_in_any_case)]
AnyCaseColour = Annotated[Colour, BeforeValidator(_in_any_case)]
Positive = Annotated[FiniteFloat, Field(gt=0)]
