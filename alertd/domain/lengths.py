"""Lengths of time as people write them in a configuration: 30s, 90m, 24h, 2d, or a number of seconds."""

import re
from datetime import timedelta
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WRITTEN: Final = re.compile(r"(\d{1,9})(?:\.(\d{1,6}))?\s*([smhd]?)", re.ASCII)
"""So many digits that any length a timedelta holds to its microsecond can be written, and no number that overflows."""


def written_length(value: object, *, decimals: int = 6) -> object:
    """`value` as a timedelta where it is a text or a number, else as it is, for whoever checks its type.

    At most so many `decimals`. Raises ValueError where it is no length of time.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return value
    match = _WRITTEN.fullmatch(str(value).strip())
    if match is None or len(match[2] or "") > decimals:
        raise ValueError("is not a length of time; write it as 30s, 90m, 24h or 2d")
    return timedelta(seconds=float(f"{match[1]}.{match[2] or 0}") * _SECONDS[match[3] or "s"])
