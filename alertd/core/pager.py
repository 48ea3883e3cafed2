"""Page: whoever decides on a rule's draft is told of it, and reminded until it is decided or expires.

A page is an alert of its own on the ordinary road: System, Restricted, to the cohort `officers` alone, on addressed
channels alone. Each reminder is an Update of the page before it, so that a device shows one; the last says how it
ended. All that is known of pages is in the store, so a restart neither forgets one nor repeats it.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from alertd.core.accepting import IntakeParts
from alertd.core.paging import Paging
from alertd.domain.alert import AlertState
from alertd.domain.paging import draft_and_number, next_due
from alertd.domain.problems import Unavailable
from alertd.ports.stores.pages import OpenPage, PagerStore, Undecided

_STORE_PAUSE: Final = 1.0
_FAULT_PAUSE: Final = 10.0
_LOOK_AGAIN: Final = timedelta(minutes=1)
"""While there is nobody to page, after a fault, and for the wall clock may have been set."""

_CONCERN: Final = "pages"


@dataclass(frozen=True, slots=True)
class Reminding:
    """A reminder every `every`; at most `at_most`, None until the draft expires."""

    every: timedelta
    at_most: int | None = None


class Pager:
    def __init__(self, store: PagerStore, parts: IntakeParts, reminding: Callable[[], Reminding]) -> None:
        """`reminding` is asked each time: SIGHUP changes it."""
        self._store = store
        self._fit = parts.fittings
        self._paging = Paging(parts)
        self._reminding = reminding

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
            await self._fit.bells.drafts.wait(self._fit.clock, pause)

    async def round(self) -> datetime:
        """Send every page that is due; when to look again. Raises Unavailable."""
        now = self._fit.clock.now()
        pages = {about[0]: page for page in await self._store.open_pages() if (about := _about(page))}
        drafts = await self._store.undecided(now)
        again = now + _LOOK_AGAIN
        unpaged = 0
        for draft in drafts:
            due = await self._guarded(draft.alert_id, self._remind(draft, pages.pop(draft.alert_id, None), now))
            unpaged += due is None
            again = min(again, due or again)
        for draft_id, page in pages.items():
            await self._guarded(draft_id, self._end(draft_id, page))
        self._tell(len(drafts), unpaged)
        return again

    async def _guarded(self, draft_id: str, step: Coroutine[Any, Any, datetime | None]) -> datetime | None:
        """One draft that cannot be paged about keeps neither the others nor the daemon from their work."""
        try:
            return await step
        except Unavailable:
            raise
        except Exception:
            self._fit.log.exception("a page to the officers failed", alert=draft_id)
            return None

    async def _remind(self, draft: Undecided, last: OpenPage | None, now: datetime) -> datetime | None:
        """When its next page is due; None where nobody can be paged."""
        reminding = self._reminding()
        number = 1
        if last is not None:
            number += (_about(last) or ("", 0))[1]
            due = next_due(last.accepted_at, reminding.every, now)
            if reminding.at_most is not None and number > reminding.at_most + 1:
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
        self._fit.metrics.drafts_waiting.set(waiting)
        self._fit.metrics.drafts_unpaged.set(unpaged)
        concern = f"{unpaged} of {waiting} drafts waiting for a decision could not be paged to any officer"
        self._fit.readiness.concern(_CONCERN, concern if unpaged else None)


def _about(page: OpenPage) -> tuple[str, int] | None:
    return draft_and_number(page.alert_id)
