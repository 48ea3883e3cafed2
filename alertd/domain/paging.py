"""How pages to the officers are named, and when the next one is due. A page is about one draft, or about many together.

A page's name follows from its draft and its number, so that however often a daemon dies, none is ever sent twice. Pages
about many are named after the draft that came first among them when they began.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

PAGER = "pager"
"""Who pages, in `created_by` and in the audit log; no token may have the name."""

RULE = "rule:"
"""Rules act under this and their name; no token's name may begin so."""

_END = "-end"
_NAMED = re.compile(r"(.+)-page-(\d+)")
_TOGETHER = re.compile(r"(.+)-drafts-(\d+)-(\d+)-(\d+)")


class Gravity(NamedTuple):
    """How much a draft matters to who must decide; the greater the graver. `severity` is a rank, 4 the worst."""

    real: bool
    emergency: bool
    severity: int


class Together(NamedTuple):
    """The `number` of a page about many drafts, how many `drafts` it said that there were, and the number (`seq`) of
    the newest alert that it knew."""

    thread: str
    number: int
    drafts: int
    newest: int


def page_id(draft_id: str, number: int) -> str:
    """The id of a page; they count from 1. Fit to be a CAP identifier where the draft's is."""
    return f"{draft_id}-page-{number}"


def ending_id(last: str) -> str:
    """The id of the last page of all, which says how it ended: it follows the page `last`."""
    return f"{last}{_END}"


def before_ending(page: str) -> str:
    """The page that this one ended; itself where it ended none."""
    return page.removesuffix(_END)


def notice_id(key: str) -> str:
    """The id of a page that asks for no decision; whatever the `key`, never that of a page about a draft."""
    return f"{key}-notice"


def draft_and_number(page: str) -> tuple[str, int] | None:
    """What a page is about and its number; None for the last of all."""
    named = _NAMED.fullmatch(page)
    return (named[1], int(named[2])) if named else None


def together_id(together: Together) -> str:
    """The id of a page about many drafts; numbers count from 1."""
    return f"{together.thread}-drafts-{together.number}-{together.drafts}-{together.newest}"


def together(page: str) -> Together | None:
    """What a page says of many drafts; None for the last of all, and where it is about something else."""
    named = _TOGETHER.fullmatch(page)
    return Together(named[1], int(named[2]), int(named[3]), int(named[4])) if named else None


def is_ending(page: str) -> bool:
    """Whether it said how one draft ended."""
    return page.endswith(_END) and draft_and_number(before_ending(page)) is not None


def is_together_ending(page: str) -> bool:
    """Whether it said that none of many waits any more."""
    return page.endswith(_END) and together(before_ending(page)) is not None


def next_due(last: datetime, remind: timedelta, now: datetime) -> datetime:
    """When the page after this one is due. At once where the clock was set back: silence would be longer than asked."""
    return now if last > now else last + remind


def reserved(name: str) -> bool:
    """Whether a name is the house's own."""
    return name == PAGER or name.startswith(RULE)
