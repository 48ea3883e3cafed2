"""How pages to the officers are named, and when the next one is due. A page is about one draft.

A page's name follows from its draft and its number, so that however often a daemon dies, none is ever sent twice.
"""

import re
from datetime import datetime, timedelta

PAGER = "pager"
"""Who pages, in `created_by` and in the audit log; no token may have the name."""

RULE = "rule:"
"""Rules act under this and their name; no token's name may begin so."""

_NAMED = re.compile(r"(.+)-page-(\d+)")


def page_id(draft_id: str, number: int) -> str:
    """The id of a page; they count from 1. Fit to be a CAP identifier where the draft's is."""
    return f"{draft_id}-page-{number}"


def ending_id(draft_id: str) -> str:
    """The id of the last page of all: it says how it ended."""
    return f"{draft_id}-page-end"


def notice_id(key: str) -> str:
    """The id of a page that asks for no decision; whatever the `key`, never that of a page about a draft."""
    return f"{key}-notice"


def draft_and_number(page: str) -> tuple[str, int] | None:
    """What a page is about and its number; None for the last of all."""
    named = _NAMED.fullmatch(page)
    return (named[1], int(named[2])) if named else None


def next_due(last: datetime, remind: timedelta, now: datetime) -> datetime:
    """When the page after this one is due. At once where the clock was set back: silence would be longer than asked."""
    return now if last > now else last + remind


def reserved(name: str) -> bool:
    """Whether a name is the house's own."""
    return name == PAGER or name.startswith(RULE)
