"""Which drafts have pages of their own, and when one page speaks for all the others. Pure.

Sixteen hundred sensors may cross their threshold at once, and the page that matters must not drown. So a few drafts are
paged one by one, the gravest first, and one page tells of the rest. A place is free again only `window` after its
draft's end was told: else drafts that come and go, or are rejected one after the other, would each be paged twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from alertd.domain.paging import (
    Gravity,
    Together,
    before_ending,
    draft_and_number,
    is_ending,
    is_together_ending,
    next_due,
    together,
)
from alertd.ports.stores.pages import OpenPage, Undecided

_GROWN: Final = 10
"""So many times more drafts than the last page said are told at once: a storm has four such pages, not hundreds."""

_NOTHING: Final = Gravity(real=False, emergency=False, severity=-1)


@dataclass(frozen=True, slots=True)
class Reminding:
    """A reminder every `every`; at most `at_most`, None until the draft expires. At most `one_by_one` drafts have pages
    of their own; graver ones may take as many places again."""

    every: timedelta
    at_most: int | None = None
    one_by_one: int = 5


@dataclass(frozen=True, slots=True)
class Pages:
    """What the store knows of pages: the last `own` one of each draft, the last that told of many `together` with what
    it `said`, and when either kind told an end within the window. `resumed` are endings of drafts, `resumed_together`
    is the last one of many, told at a time that is still to come: the clock was set back, and what had expired may wait
    again. The next page about it follows them."""

    own: Mapping[str, OpenPage]
    together: OpenPage | None
    said: Together | None
    ended: Sequence[datetime]
    together_ended: Sequence[datetime]
    resumed: Mapping[str, OpenPage]
    resumed_together: OpenPage | None


class Choice(NamedTuple):
    """Drafts that no page of their own has told of yet, each gravest first: those to be paged now, and the rest."""

    first: Sequence[Undecided]
    rest: Sequence[Undecided]


def sorted_out(pages: Sequence[OpenPage], now: datetime) -> Pages:
    """An end told after `now` is one before the clock was set back: it takes no place."""
    later = [page for page in pages if page.accepted_at > now]
    many = [(page, said) for page in pages if (said := together(page.alert_id)) is not None]
    last, said = max(many, key=lambda one: one[0].accepted_at, default=(None, None))
    return Pages(
        own={about[0]: page for page in pages if (about := draft_and_number(page.alert_id))},
        resumed={about[0]: page for page in later if (about := draft_and_number(before_ending(page.alert_id)))},
        resumed_together=max(
            (page for page in later if is_together_ending(page.alert_id)),
            key=lambda page: page.accepted_at,
            default=None,
        ),
        together=last,
        said=said,
        ended=[at for page, at in pages if at <= now and is_ending(page)],
        together_ended=[at for page, at in pages if at <= now and is_together_ending(page)],
    )


def chosen(drafts: Sequence[Undecided], pages: Pages, limit: int) -> Choice:
    """A draft that is graver than all that the officers were told of, and that still wait, is paged at once even where
    no place is free; as many of them as there are places, for what flaps must end too. Drills take no place of a real
    one: a second real event must not wait for a reminder because there is an exercise."""
    untold = sorted((one for one in drafts if one.alert_id not in pages.own), key=_gravest_first)
    worst = max((one.gravity for one in drafts if _told(one, pages)), default=_NOTHING)
    drills = sum(one.alert_id in pages.own and not one.gravity.real for one in drafts)
    taken = len(pages.own) + len(pages.ended) - drills
    first: list[Undecided] = []
    rest: list[Undecided] = []
    for one in untold:
        if not one.gravity.real:  # the real ones came first
            taken, drills = taken + drills, 0
        if taken < limit or (taken < 2 * limit and one.gravity > worst):
            first.append(one)
            taken, worst = taken + 1, max(worst, one.gravity)
        else:
            rest.append(one)
    return Choice(first, rest)


def together_due(rest: Sequence[Undecided], pages: Pages, reminding: Reminding, now: datetime) -> datetime | None:
    """When the next page about all of the rest is due; None where that is the last reminder and no draft is new."""
    last, said = pages.together, pages.said
    if last is None or said is None:
        many = len(pages.together_ended) >= reminding.one_by_one
        return min(pages.together_ended) + reminding.every if many else now
    if len(rest) >= _GROWN * said.drafts:
        return now
    if reminding.at_most is not None and said.number > reminding.at_most and all(_told(one, pages) for one in rest):
        return None
    return next_due(last.accepted_at, reminding.every, now)


def _told(draft: Undecided, pages: Pages) -> bool:
    return draft.alert_id in pages.own or (pages.said is not None and draft.seq <= pages.said.newest)


def _gravest_first(draft: Undecided) -> tuple[int, int, int, int]:
    real, emergency, severity = draft.gravity
    return -real, -emergency, -severity, draft.seq
