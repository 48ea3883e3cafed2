"""Page together: one page for all drafts that have none of their own, repeated as any other is, until none is left."""

from collections.abc import Collection, Sequence
from datetime import datetime

from alertd.core.accepting import IntakeParts
from alertd.core.paging import Paging
from alertd.core.storm import Pages, Reminding, together_due
from alertd.core.words.together import SHOWN
from alertd.domain.paging import Together, before_ending, together
from alertd.domain.problems import Unavailable
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.pages import OpenPage, Outcome, PagerStore, Undecided


class Gathering:
    def __init__(self, store: PagerStore, parts: IntakeParts, paging: Paging) -> None:
        self._store = store
        self._fit = parts.fittings
        self._paging = paging
        self._waited: frozenset[str] | None = None
        """Drafts that waited at the last page or since. None until this daemon sent one: after a restart the next page
        does not say what became of them, for it would not know of all."""

    async def tell(
        self, rest: Sequence[Undecided], others: Collection[str], pages: Pages, reminding: Reminding, now: datetime
    ) -> datetime | None:
        """Page if it is due; when it is next, None where nobody can be paged. `others`: drafts that wait and have pages
        of their own. Raises Unavailable."""
        last, waiting = pages.together, frozenset(draft.alert_id for draft in rest)
        if self._waited is not None:
            self._waited |= waiting
        if not rest:
            return await self._end(last, others, now) if last is not None else now + reminding.every
        if (due := together_due(rest, pages, reminding, now)) is None:
            return min(draft.deadline for draft in rest)
        if due > now:
            return due
        last = last or pages.resumed_together
        named = _named(last, rest)
        outcomes = await self._outcomes(waiting.union(others))
        shown = await self._shown(rest)
        if not await self._paging.together(named, rest, shown, outcomes, last.alert_id if last else None):
            self._fit.log.error(
                "drafts wait for a decision and there is no officer to page: enrol somebody in the cohort officers",
                drafts=named.drafts,
            )
            return None
        self._waited = waiting
        self._fit.metrics.pages.labels("together").inc()
        return now + reminding.every

    async def _end(self, last: OpenPage, others: Collection[str], now: datetime) -> datetime:
        await self._paging.together(_named(last, ()), (), (), await self._outcomes(others), last.alert_id)
        self._waited = frozenset()
        self._fit.metrics.pages.labels("ending").inc()
        return now

    async def _outcomes(self, waiting: Collection[str]) -> Sequence[Outcome]:
        """What became of those that waited since the last page, and wait no more."""
        gone = (self._waited or frozenset()).difference(waiting)
        return await self._store.outcomes(gone) if gone else ()

    async def _shown(self, rest: Sequence[Undecided]) -> Sequence[StoredAlert]:
        """The gravest in full. One that cannot be read keeps the page about all the others from nobody."""
        found: list[StoredAlert] = []
        for draft in rest[: 2 * SHOWN]:
            try:
                found.append(await self._store.get_alert(draft.alert_id))
            except Unavailable:
                raise
            except Exception:
                self._fit.log.exception("a draft cannot be read", alert=draft.alert_id)
        return found[:SHOWN]


def _named(last: OpenPage | None, rest: Sequence[Undecided]) -> Together:
    before = together(before_ending(last.alert_id)) if last is not None else None
    newest = max((draft.seq for draft in rest), default=0)
    if before is None:
        return Together(min(rest).alert_id, 1, len(rest), newest)
    return Together(before.thread, before.number + 1, len(rest), newest)
