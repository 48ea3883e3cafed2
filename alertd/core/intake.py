"""Intake: a first alert, an Update, a Cancel; each accepted whole or refused with every reason."""

from collections.abc import Sequence
from dataclasses import replace

from alertd.core.accepting import NO_GROUNDS, Acceptance, Encode, Grounds, Idempotency, IntakeParts
from alertd.core.access import allow, allow_mode, holds
from alertd.core.audience import may_carry
from alertd.core.submission import Submission, checked, identified
from alertd.domain.alert import Alert, AlertState, Info, MsgType, Reference, Status
from alertd.domain.blocks import MAX_BLOCKS
from alertd.domain.problems import Conflict, Invalid, Problem
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import ChannelPlan, NewAlert, Origin, StoredAlert

__all__ = ["Encode", "Idempotency", "Intake", "IntakeParts", "Submission"]

_NEVER_SENT = frozenset({AlertState.DRAFT, AlertState.REJECTED})


class Intake:
    def __init__(self, parts: IntakeParts) -> None:
        self._ = parts
        self._acceptance = Acceptance(parts)

    async def submit(
        self,
        submission: Submission,
        *,
        token: Token,
        idempotency: Idempotency | None,
        encode: Encode,
        origin: Origin | None = None,
        grounds: Grounds = NO_GROUNDS,
    ) -> bytes:
        """Take a first alert; the encoded answer, or the stored one for a repeated key.

        A token with `alerts:draft` alone makes a draft, and so does CAP status Draft. `origin`: the document it came
        as. `grounds`: what a rule raises it on.
        Raises Invalid, Forbidden, Conflict, Unavailable; then nothing was stored.
        """
        if submission.msg_type is not MsgType.ALERT:
            verb = "cancel" if submission.msg_type is MsgType.CANCEL else "update"
            raise Invalid(Problem(("msg_type",), f"{submission.msg_type} goes to /v1/alerts/{{id}}/{verb}"))
        sends = holds(token, "alerts:send")
        if not sends:
            allow(token, "alerts:draft")
        allow_mode(token, submission.status)
        house = self._acceptance
        with house.once(token, idempotency):
            if (stored := await house.replay(token, idempotency)) is not None:
                return stored
            ready = house.checked(submission)
            alert = identified(ready, house.identity())
            new = house.new(alert, token, house.plans(ready), idempotency, origin)
            await house.refuse_empty(new)
            new = grounds.under(new)
            if not sends or alert.status is Status.DRAFT:
                new = replace(new, state=AlertState.DRAFT)
            return await house.accept(new, encode)

    async def update(
        self,
        alert_id: str,
        submission: Submission,
        *,
        token: Token,
        idempotency: Idempotency | None,
        encode: Encode,
        also: Sequence[str] = (),
        origin: Origin | None = None,
        grounds: Grounds = NO_GROUNDS,
    ) -> bytes:
        """Take an Update: it supersedes what is queued and goes to all who may have got the original.

        Its status and purpose are the original's and its channels include the original's. `also`: other originals
        (ids) that it replaces with that one. A token with `alerts:draft` alone drafts it: then the original goes on
        until it is approved. `grounds` as in `submit`. Raises as `submit`, and NotFound.
        """
        sends = holds(token, "alerts:send")
        if not sends:
            allow(token, "alerts:draft")
        house = self._acceptance
        with house.once(token, idempotency):
            if (stored := await house.replay(token, idempotency)) is not None:
                return stored
            originals = await self._originals((alert_id, *also), token)
            first = originals[0].alert
            if submission.status is not first.status:
                raise Invalid(Problem(("status",), f"an Update keeps its original's status, {first.status}"))
            ready = house.checked(replace(submission, msg_type=MsgType.UPDATE, purpose=first.purpose))
            alert = identified(ready, house.identity(), _references(originals))
            plans = self._with_originals(house.plans(ready), originals)
            new = house.new(alert, token, plans, idempotency, origin)
            new = grounds.under(_following(new, originals, AlertState.SUPERSEDED))
            return await house.accept(new if sends else replace(new, state=AlertState.DRAFT), encode)

    async def cancel(
        self,
        alert_id: str,
        *,
        note: str | None,
        info: tuple[Info, ...],
        token: Token,
        idempotency: Idempotency | None,
        encode: Encode,
        also: Sequence[str] = (),
        origin: Origin | None = None,
    ) -> bytes:
        """Take a Cancel: it goes to those who may have got the original, and to nobody else.

        Without `info` it speaks with the original's. `also`: others (ids) that it takes back with that one. Refused
        only where there is nothing to cancel: NotFound, or Conflict for what never went out or was already followed.
        """
        allow(token, "alerts:send")
        house = self._acceptance
        with house.once(token, idempotency):
            if (stored := await house.replay(token, idempotency)) is not None:
                return stored
            originals = await self._originals((alert_id, *also), token)
            alert = self._cancel(originals, note, info)
            new = house.new(alert, token, self._with_originals((), originals), idempotency, origin)
            lasts = self._.lifetimes()[alert.purpose]
            new = replace(new, targets=(), deadline=new.accepted_at + lasts)
            return await house.accept(_following(new, originals, AlertState.CANCELLED), encode)

    async def requeue(self, alert_id: str, *, token: Token) -> int:
        """Queue again what failed for retryable reasons; how many. Raises NotFound, Conflict, Forbidden."""
        allow(token, "alerts:send")
        allow_mode(token, (await self._.store.get_alert(alert_id)).alert.status)
        count = await self._.store.requeue(alert_id, actor=token.name, at=self._.fittings.clock.now())
        self._.fittings.bells.ring_all()
        return count

    async def _originals(self, alert_ids: Sequence[str], token: Token) -> Sequence[StoredAlert]:
        """Those that one message follows together. Raises NotFound, Conflict, Forbidden."""
        found = [await self._.store.get_alert(alert_id) for alert_id in alert_ids]
        for original in found:
            if (why := unfollowable(original)) is not None:
                raise Conflict(why)
        allow_mode(token, found[0].alert.status)
        if len({(one.alert.status, one.alert.purpose) for one in found}) > 1:
            raise Conflict(f"alerts {', '.join(alert_ids)} differ in status or purpose: follow each by itself")
        return found

    def _cancel(self, originals: Sequence[StoredAlert], note: str | None, info: tuple[Info, ...]) -> Alert:
        """It names what it takes back and says nothing of it again: neither its times nor what to do."""
        first = originals[0].alert
        submission = Submission(
            purpose=first.purpose,
            status=first.status,
            msg_type=MsgType.CANCEL,
            scope=first.scope,
            info=info,
            note=note,
            incidents=first.incidents,
        )
        ready = checked(submission, self._.territory(), self._.fittings.clock.now())
        inherited = tuple(dict.fromkeys(_taken_back(i) for one in originals for i in one.alert.info))
        if len(inherited) > MAX_BLOCKS and not ready.info:
            raise Conflict(f"together they say {len(inherited)} things, over {MAX_BLOCKS}: cancel each by itself")
        spoken = replace(ready, info=ready.info or inherited)
        return identified(spoken, self._acceptance.identity(), _references(originals))

    def _with_originals(
        self, plans: tuple[ChannelPlan, ...], originals: Sequence[StoredAlert]
    ) -> tuple[ChannelPlan, ...]:
        """Whoever got an original on a channel hears of what follows on the same one, even if it is gone now: then
        its deliveries wait for it to come back. Unless it is one that drills may no longer use."""
        named = {plan.channel: plan for plan in plans}
        carriers = {c.name: c for c in self._.carriers()}
        status = originals[0].alert.status
        for plan in (plan for original in originals for plan in original.plans):
            if plan.channel not in carriers or may_carry(carriers[plan.channel], status):
                named.setdefault(plan.channel, plan)
        return tuple(named.values())


def unfollowable(original: StoredAlert) -> str | None:
    """Why neither an Update nor a Cancel may follow this one; None where it may."""
    alert_id = original.alert.id
    if original.alert.is_page:
        return f"alert {alert_id} is a page to the officers: decide the draft it is about"
    if original.followed_by is not None:
        return f"alert {alert_id} was already followed by {original.followed_by}: act on that one"
    if original.state in _NEVER_SENT:
        return f"alert {alert_id} is {original.state}: it never went out, there is nothing to follow"
    if original.alert.msg_type is MsgType.CANCEL:
        return f"alert {alert_id} is itself a Cancel: send a new alert"
    return None


def _taken_back(info: Info) -> Info:
    """An Info a Cancel inherits: nobody must read "cancelled" and "go to the upper floors" in one message."""
    return replace(
        info,
        effective=None,
        onset=None,
        expires=None,
        description=None,
        instruction=None,
        response_type=(),
    )


def _references(originals: Sequence[StoredAlert]) -> tuple[Reference, ...]:
    alerts = (original.alert for original in originals)
    return tuple(Reference(alert.sender, alert.identifier, alert.sent) for alert in alerts)


def _following(new: NewAlert, originals: Sequence[StoredAlert], end: AlertState) -> NewAlert:
    """Its lane is at least as pressing as its originals', so that it cannot be overtaken by what it takes back."""
    heads = [original.alert.id for original in originals]
    older = (ancestor for original in originals for ancestor in original.ancestors)
    return replace(
        new,
        ancestors=tuple(dict.fromkeys((*heads, *older))),
        heads=len(heads),
        ends=end,
        priority=min(new.priority, *(original.priority for original in originals)),
    )
