"""Times of CAP documents (3.3.2) → aware datetimes."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

_STRICT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", re.ASCII)
_XML = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[-+]\d\d:\d\d)", re.ASCII)  # xs:dateTime, with its offset
_MIDNIGHT = re.compile(r"T24:00:00(?:\.0+)?(?=[Z+-])")
_YEARS: Final = range(1900, 3000)
_DAY: Final = timedelta(days=1)


class Moment(NamedTuple):
    """`at` is None where it cannot be known; `fault` says what is wrong either way."""

    at: datetime | None
    fault: str = ""


def strict(text: str) -> datetime | None:
    """A time just as CAP 1.2 writes it, which nearly all are; None for every other, whatever it is."""
    if _STRICT.fullmatch(text):
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return None
        if at.year in _YEARS:
            return at
    return None


def moment(text: str, *, exact: bool = True) -> Moment:
    """`exact`: as CAP 1.2 wants it; 1.1 and 1.0 take a fraction and Z as well."""
    if _STRICT.fullmatch(text):
        fault = ""
    else:
        text = text.strip()
        if _STRICT.fullmatch(text) or (not exact and _XML.fullmatch(text)):
            fault = ""
        elif _XML.fullmatch(text):
            fault = "has a fraction or a Z; CAP 1.2 writes 2026-11-22T06:00:00+01:00"
        else:
            return Moment(None, "is not a time with its offset, as 2026-11-22T06:00:00+01:00; it is not read")
    try:
        at = datetime.fromisoformat(text) if "T24" not in text else _next_day(text)
    except (ValueError, OverflowError):
        at = None
    if at is None or at.year not in _YEARS:
        return Moment(None, "is no time of the calendar; it is not read")
    return Moment(at, fault)


def canonical(text: str) -> str:
    """One spelling for all of the same moment, to look names up by; a text that is no time stands for itself."""
    at = moment(text, exact=False).at
    return text if at is None else at.astimezone(UTC).isoformat()


def _next_day(text: str) -> datetime:
    """xs:dateTime may call midnight 24:00:00."""
    return datetime.fromisoformat(_MIDNIGHT.sub("T00:00:00", text)) + _DAY
