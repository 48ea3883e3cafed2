"""Page: whoever decides on a rule's draft is told of it, and reminded until it is decided or expires.

A page is an alert of its own on the ordinary road: System, Restricted, to the cohort `officers` alone, on addressed
channels alone. Each reminder is an Update of the page before it, so that a device shows one; the last says how it
ended. Where too many drafts wait at once, one page tells of those that have none of their own (`core.storm`). All that
is known of pages is in the store, so a restart neither forgets one nor repeats it.
"""

from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from alertd.core.accepting import IntakeParts
from alertd.core.gathering import Gathering
from alertd.core.paging import Paging
from alertd.core.storm import Pages, Reminding, chosen, sorted_out
from alertd.domain.alert import AlertState
from alertd.domain.paging import before_ending, draft_and_number, is_ending, next_due
from alertd.domain.problems import Unavailable
from alertd.ports.stores.pages import OpenPage, PagerStore, Undecided

_STORE_PAUSE: Final = 1.0
_FAULT_PAUSE: Final = 10.0
_LOOK_AGAIN: Final = timedelta(minutes=1)
"""While there is nobody to page, after a fault, and for the wall clock may have been set."""

_MANY: Final = 1_000
_LOOKED_AT: Final = 20_000
"""Drafts a second at most, beyond the many."""
_LONGEST_REST: Final = 5.0
_CONCERN: Final = "pages"


class Pager:
    def __init__(self, store: PagerStore, parts: IntakeParts, reminding: Callable[[], Reminding]) -> None:
        """`reminding` is asked each time: SIGHUP changes it."""
        self._store = store
        self._fit = parts.fittings
        self._paging = Paging(parts)
        self._gathering = Gathering(store, parts, self._paging)
        self._reminding = reminding
        self._waiting = 0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._fit.bells.drafts.hush()
            try:
                due = await self.round()
                pause = (due - self._fit.clock.now()).total_seconds()
            except Unavailable as error:
                self._fit.readiness.refused(error)
                self._fit.log.error("pages to the officers wait for the store", error=str(error))
                pause = _STORE_PAUSE
            except Exception:  # a fault of ours: those who can be paged by the next round still are
                self._fit.log.exception("the pages to the officers failed")
                self._fit.readiness.concern(_CONCERN, "a fault keeps drafts from being paged to any officer")
                pause = _FAULT_PAUSE
            await self._fit.clock.sleep(_rest(self._waiting))
            await self._fit.bells.drafts.wait(self._fit.clock, pause)

    async def round(self) -> datetime:
        """Send every page that is due; when to look again. Raises Unavailable."""
        now, reminding = self._fit.clock.now(), self._reminding()
        drafts = await self._store.undecided(now)
        pages = sorted_out(await self._store.open_pages(now - reminding.every), now)
        first, rest = chosen(drafts, pages, reminding.one_by_one)
        apart = [*(one for one in drafts if one.alert_id in pages.own), *first]
        again, unpaged = await self._one_by_one(apart, pages, reminding, now)
        if rest or pages.together is not None:
            others = frozenset(one.alert_id for one in apart)
            due = await self._guarded("", self._gathering.tell(rest, others, pages, reminding, now))
            unpaged += len(rest) if due is None else 0
            again = min(again, due or again)
        self._tell(len(drafts), unpaged)
        return again

    async def _one_by_one(
        self, drafts: Sequence[Undecided], pages: Pages, reminding: Reminding, now: datetime
    ) -> tuple[datetime, int]:
        """Page about each that is due, and tell how those ended that wait no more. When to look again, and how many
        could not be paged about."""
        again = now + _LOOK_AGAIN
        own = dict(pages.own)
        unpaged = 0
        for draft in drafts:
            last = own.pop(draft.alert_id, None) or pages.resumed.get(draft.alert_id)
            step = self._remind(draft, last, reminding, now)
            due = await self._guarded(draft.alert_id, step)
            unpaged += due is None
            again = min(again, due or again)
        for draft_id, page in own.items():
            await self._guarded(draft_id, self._end(draft_id, page))
        return again, unpaged

    async def _guarded(self, draft_id: str, step: Coroutine[Any, Any, datetime | None]) -> datetime | None:
        """One draft that cannot be paged about keeps neither the others nor the daemon from their work."""
        try:
            return await step
        except Unavailable:
            raise
        except Exception:
            self._fit.log.exception("a page to the officers failed", alert=draft_id or "many drafts")
            return None

    async def _remind(
        self, draft: Undecided, last: OpenPage | None, reminding: Reminding, now: datetime
    ) -> datetime | None:
        """When its next page is due; None where nobody can be paged."""
        number = 1
        if last is not None:
            number += (draft_and_number(before_ending(last.alert_id)) or ("", 0))[1]
            due = next_due(last.accepted_at, reminding.every, now)
            if reminding.at_most is not None and number > reminding.at_most + 1 and not is_ending(last.alert_id):
                return draft.deadline
            if due > now:
                return min(due, draft.deadline)
        stored = await self._store.get_alert(draft.alert_id)
        if stored.state is not AlertState.DRAFT:
            return now  # decided while we looked: the next round says so
        if not await self._paging.page(stored, number, last.alert_id if last else None):
            self._fit.log.error(
                "a draft waits for a decision and there is no officer to page: enrol somebody in the cohort officers",
                alert=draft.alert_id,
                rule=stored.created_by,
                expires=draft.deadline.isoformat(),
            )
            return None
        self._fit.metrics.pages.labels("first" if number == 1 else "reminder").inc()
        return min(now + reminding.every, draft.deadline)

    async def _end(self, draft_id: str, last: OpenPage) -> datetime | None:
        await self._paging.end(await self._store.get_alert(draft_id), last.alert_id)
        self._fit.metrics.pages.labels("ending").inc()
        return None

    def _tell(self, waiting: int, unpaged: int) -> None:
        self._waiting = waiting
        self._fit.metrics.drafts_waiting.set(waiting)
        self._fit.metrics.drafts_unpaged.set(unpaged)
        concern = f"{unpaged} of {waiting} drafts waiting for a decision could not be paged to any officer"
        self._fit.readiness.concern(_CONCERN, concern if unpaged else None)


def _rest(waiting: int) -> float:
    """Seconds between two rounds. Every new draft rings, and a round looks at all of them: 3 s of work for 100,000."""
    return min(max(0, waiting - _MANY) / _LOOKED_AT, _LONGEST_REST)
