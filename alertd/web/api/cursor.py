"""Where a list goes on: opaque to the caller, a number of one list to us."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated

from fastapi import Query

from alertd.domain.problems import Invalid, Problem

Limit = Annotated[int, Query(ge=1, le=500, description="How many at most")]
Cursor = Annotated[str | None, Query(max_length=100, description="`next` of the page before")]

_LARGEST = 2**63 - 1


def write(kind: str, number: int) -> str:
    """`kind` keeps the cursor of one list from being used on another."""
    return urlsafe_b64encode(f"{kind}:{number}".encode()).decode().rstrip("=")


def read(kind: str, cursor: str | None) -> int | None:
    """The number in a cursor of this kind; None for none. Raises Invalid."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found, _, number = urlsafe_b64decode(padded.encode("ascii")).decode("ascii").partition(":")
    except ValueError:
        found, number = "", ""
    if found != kind or not number.isdigit() or int(number) > _LARGEST:
        raise Invalid(Problem(("query", "cursor"), "this is not a cursor that this list gave out"))
    return int(number)
