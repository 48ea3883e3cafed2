"""What a page to the officers is made of, and how it is accepted: beside the API, its cohort given by the house."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from alertd.core.accepting import Acceptance, Idempotency, IntakeParts
from alertd.core.audience import of_officers
from alertd.core.submission import Accepted, Submission, identified
from alertd.core.words.notices import Notice, notice_infos
from alertd.core.words.paging import Speech
from alertd.core.words.together import TogetherSpeech
from alertd.domain.alert import Alert, AlertState, Info, MsgType, Purpose, Reference, Scope, Status
from alertd.domain.paging import PAGER, Together, ending_id, notice_id, page_id, together_id
from alertd.domain.problems import Conflict, NotFound
from alertd.domain.subscriber import Cohort
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import ChannelPlan, NewAlert, StoredAlert, Target
from alertd.ports.stores.pages import Outcome, Undecided

_EVERY_OFFICER: Final = (Target("*", 1, 4),)
"""Whatever zones and severity he asked for: those are about alerts, and this asks him for a decision."""

_ENDING_LASTS: Final = timedelta(hours=1)
_NOTICE_LASTS: Final = timedelta(hours=24)
_RESTRICTION: Final = "for the officers who decide on drafts"


@dataclass(frozen=True, slots=True)
class _Page:
    """`until`: nothing of it is sent later. `about` a draft, if any."""

    id: str
    infos: Sequence[Info]
    until: datetime
    about: str | None = None


class Paging:
    def __init__(self, parts: IntakeParts) -> None:
        self._ = parts
        self._acceptance = Acceptance(parts)

    async def page(self, draft: StoredAlert, number: int, last: str | None) -> bool:
        """Page the officers about a draft; False where there are none. Once, however often it is called.

        `last` is the page before this one. Raises Unavailable.
        """
        plans = of_officers(self._.carriers())
        if not await self._anybody(plans):
            return False
        infos = Speech(draft, self._.service(), number).infos()
        page = _Page(page_id(draft.alert.id, number), infos, draft.deadline, draft.alert.id)
        await self._accept(page, last, plans)
        return True

    async def end(self, draft: StoredAlert, last: str) -> None:
        """Say how it ended, to whoever was paged. Once, however often it is called. Raises Unavailable."""
        infos = Speech(draft, self._.service(), None).infos()
        until = self._.fittings.clock.now() + _ENDING_LASTS
        page = _Page(ending_id(last), infos, until, draft.alert.id)
        await self._accept(page, last, of_officers(self._.carriers()))

    async def together(
        self,
        named: Together,
        drafts: Sequence[Undecided],
        shown: Sequence[StoredAlert],
        outcomes: Sequence[Outcome],
        last: str | None,
    ) -> bool:
        """Page the officers about many drafts at once, or, without any, that none waits any more; False where there
        are no officers. `last` as in `page`, the rest as in `TogetherSpeech`. Raises Unavailable."""
        plans = of_officers(self._.carriers())
        if drafts and not await self._anybody(plans):
            return False
        infos = TogetherSpeech(drafts, shown, outcomes, self._.service(), named.number).infos()
        own = together_id(named) if drafts or last is None else ending_id(last)
        ended = self._.fittings.clock.now() + _ENDING_LASTS
        page = _Page(own, infos, max((draft.deadline for draft in drafts), default=ended))
        await self._accept(page, last, plans)
        return True

    async def notice(self, key: str, notice: Notice, after: str | None = None) -> str | None:
        """Tell the officers what asks for no decision; the id of the page, None where there is no officer. Once for
        each `key`, however often it is called. `after`: the notice it replaces. Raises Unavailable."""
        plans = of_officers(self._.carriers())
        if not await self._anybody(plans):
            return None
        own = notice_id(key)
        page = _Page(own, notice_infos(notice, self._.service()), self._.fittings.clock.now() + _NOTICE_LASTS)
        try:
            await self._accept(page, after, plans)
        except (NotFound, Conflict):  # the one before it is forgotten, or was replaced
            await self._accept(page, None, plans)
        return own

    async def _anybody(self, plans: tuple[ChannelPlan, ...]) -> bool:
        for plan in plans:
            if await self._.store.has_audience(
                plan.channel, cohort=Cohort.OFFICERS, purpose=Purpose.EMERGENCY, targets=_EVERY_OFFICER
            ):
                return True
        return False

    async def _accept(self, page: "_Page", last: str | None, plans: tuple[ChannelPlan, ...]) -> None:
        earlier = await self._.store.get_alert(last) if last is not None else None
        idempotency = Idempotency(page.id, page.id)
        token = Token(PAGER, "", frozenset(), frozenset({Status.SYSTEM.value}), self._.fittings.clock.now())
        new = self._acceptance.new(
            self._alert(page, earlier),
            token,
            _with_earlier(plans, earlier, self._broadcast()),
            idempotency,
        )
        new = replace(
            new,
            cohort=Cohort.OFFICERS,
            targets=_EVERY_OFFICER,
            deadline=page.until,
        )
        await self._acceptance.accept(walled(_following(new, earlier)), _encoded)

    def _alert(self, page: "_Page", earlier: StoredAlert | None) -> Alert:
        submission = Submission(
            purpose=Purpose.EMERGENCY,
            status=Status.SYSTEM,
            msg_type=MsgType.ALERT if earlier is None else MsgType.UPDATE,
            scope=Scope.RESTRICTED,
            restriction=_RESTRICTION,
            info=tuple(page.infos),
            incidents=page.about,
        )
        references = () if earlier is None else (_reference(earlier.alert),)
        return identified(submission, replace(self._acceptance.identity(), id=page.id), references)

    def _broadcast(self) -> frozenset[str]:
        return frozenset(c.name for c in self._.carriers() if c.broadcast)


def _following(new: NewAlert, earlier: StoredAlert | None) -> NewAlert:
    """It follows the page before it and the first of all, which names the thread; those between were followed in
    their turn, and a day of reminders must not cost the square of their number."""
    if earlier is None:
        return new
    return replace(
        new,
        ancestors=tuple(dict.fromkeys((earlier.alert.id, *earlier.ancestors[-1:]))),
        ends=AlertState.SUPERSEDED,
        priority=min(new.priority, earlier.priority),
    )


def _with_earlier(
    plans: tuple[ChannelPlan, ...], earlier: StoredAlert | None, broadcast: frozenset[str]
) -> tuple[ChannelPlan, ...]:
    """Whoever was paged on a channel that is gone hears of it there when it comes back; never on what is now a
    broadcast channel."""
    named = {plan.channel: plan for plan in plans}
    for plan in earlier.plans if earlier is not None else ():
        if plan.channel not in broadcast:
            named.setdefault(plan.channel, plan)
    return tuple(named.values())


def walled(new: NewAlert) -> NewAlert:
    """The wall at accept: a fault above must end in an error, never in public. Raises ValueError."""
    if not new.alert.is_page or new.cohort is not Cohort.OFFICERS or any(plan.broadcast for plan in new.plans):
        raise ValueError(f"{new.alert.id} is no page to the officers alone")
    return new


def _reference(alert: Alert) -> Reference:
    return Reference(alert.sender, alert.identifier, alert.sent)


def _encoded(accepted: Accepted) -> bytes:
    return accepted.id.encode()
