"""Intake: a first alert, an Update, a Cancel; each accepted whole or refused with every reason."""

from dataclasses import replace

from alertd.core.accepting import Acceptance, Encode, Idempotency, IntakeParts
from alertd.core.access import allow, allow_mode, holds
from alertd.core.audience import may_carry
from alertd.core.submission import Submission, checked, identified
from alertd.domain.alert import Alert, AlertState, Info, MsgType, Reference, Status
from alertd.domain.problems import Conflict, Invalid, Problem
from alertd.ports.stores import ChannelPlan, NewAlert, StoredAlert, Token

__all__ = ["Encode", "Idempotency", "Intake", "IntakeParts", "Submission"]

_NEVER_SENT = frozenset({AlertState.DRAFT, AlertState.REJECTED})


class Intake:
    def __init__(self, parts: IntakeParts) -> None:
        self._ = parts
        self._acceptance = Acceptance(parts)

    async def submit(
        self, submission: Submission, *, token: Token, idempotency: Idempotency | None, encode: Encode
    ) -> bytes:
        """Take a first alert; the encoded answer, or the stored one for a repeated key.

        A token with `alerts:draft` alone makes a draft, and so does CAP status Draft.
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
            new = house.new(alert, token, house.plans(ready), idempotency)
            await house.refuse_empty(new)
            if not sends or alert.status is Status.DRAFT:
                new = replace(new, state=AlertState.DRAFT)
            return await house.accept(new, encode)

    async def update(
        self, alert_id: str, submission: Submission, *, token: Token, idempotency: Idempotency | None, encode: Encode
    ) -> bytes:
        """Take an Update: it supersedes what is queued and goes to all who may have got the original.

        Its status and purpose are the original's and its channels include the original's. Raises as `submit`, and
        NotFound.
        """
        allow(token, "alerts:send")
        house = self._acceptance
        with house.once(token, idempotency):
            if (stored := await house.replay(token, idempotency)) is not None:
                return stored
            original = await self._followable(alert_id)
            allow_mode(token, original.alert.status)
            if submission.status is not original.alert.status:
                raise Invalid(Problem(("status",), f"an Update keeps its original's status, {original.alert.status}"))
            ready = house.checked(replace(submission, msg_type=MsgType.UPDATE, purpose=original.alert.purpose))
            alert = identified(ready, house.identity(), (_reference(original.alert),))
            new = house.new(alert, token, self._with_original(house.plans(ready), original), idempotency)
            return await house.accept(_following(new, original, AlertState.SUPERSEDED), encode)

    async def cancel(
        self,
        alert_id: str,
        *,
        note: str | None,
        info: tuple[Info, ...],
        token: Token,
        idempotency: Idempotency | None,
        encode: Encode,
    ) -> bytes:
        """Take a Cancel: it goes to those who may have got the original, and to nobody else.

        Without `info` it speaks with the original's. Refused only where there is nothing to cancel: NotFound, or
        Conflict for what never went out or was already followed.
        """
        allow(token, "alerts:send")
        house = self._acceptance
        with house.once(token, idempotency):
            if (stored := await house.replay(token, idempotency)) is not None:
                return stored
            original = await self._followable(alert_id)
            allow_mode(token, original.alert.status)
            alert = self._cancel(original.alert, note, info)
            new = house.new(alert, token, self._with_original((), original), idempotency)
            lasts = self._.lifetimes()[alert.purpose]
            new = replace(new, targets=(), deadline=new.accepted_at + lasts)
            return await house.accept(_following(new, original, AlertState.CANCELLED), encode)

    async def requeue(self, alert_id: str, *, token: Token) -> int:
        """Queue again what failed for retryable reasons; how many. Raises NotFound, Conflict, Forbidden."""
        allow(token, "alerts:send")
        allow_mode(token, (await self._.store.get_alert(alert_id)).alert.status)
        count = await self._.store.requeue(alert_id, actor=token.name, at=self._.fittings.clock.now())
        self._.fittings.bells.ring_all()
        return count

    async def _followable(self, alert_id: str) -> StoredAlert:
        original = await self._.store.get_alert(alert_id)
        if original.followed_by is not None:
            raise Conflict(f"alert {alert_id} was already followed by {original.followed_by}: act on that one")
        if original.state in _NEVER_SENT:
            raise Conflict(f"alert {alert_id} is {original.state}: it never went out, there is nothing to follow")
        if original.alert.msg_type is MsgType.CANCEL:
            raise Conflict(f"alert {alert_id} is itself a Cancel: send a new alert")
        return original

    def _cancel(self, original: Alert, note: str | None, info: tuple[Info, ...]) -> Alert:
        """It names what it takes back and says nothing of it again: neither its times nor what to do."""
        submission = Submission(
            purpose=original.purpose,
            status=original.status,
            msg_type=MsgType.CANCEL,
            scope=original.scope,
            info=info,
            note=note,
            incidents=original.incidents,
        )
        ready = checked(submission, self._.territory(), self._.fittings.clock.now())
        inherited = tuple(_taken_back(i) for i in original.info)
        spoken = replace(ready, info=ready.info or inherited)
        return identified(spoken, self._acceptance.identity(), (_reference(original),))

    def _with_original(self, plans: tuple[ChannelPlan, ...], original: StoredAlert) -> tuple[ChannelPlan, ...]:
        """Whoever got the original on a channel hears of what follows on the same one, even if it is gone now: then
        its deliveries wait for it to come back. Unless it is one that drills may no longer use."""
        named = {plan.channel for plan in plans}
        carriers = {c.name: c for c in self._.carriers()}
        status = original.alert.status
        inherited = (
            plan
            for plan in original.plans
            if plan.channel not in named and (plan.channel not in carriers or may_carry(carriers[plan.channel], status))
        )
        return (*plans, *inherited)


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


def _reference(alert: Alert) -> Reference:
    return Reference(alert.sender, alert.identifier, alert.sent)


def _following(new: NewAlert, original: StoredAlert, end: AlertState) -> NewAlert:
    """Its lane is at least as pressing as its original's, so that it cannot be overtaken by what it takes back."""
    return replace(
        new,
        ancestors=(original.alert.id, *original.ancestors),
        ends=end,
        priority=min(new.priority, original.priority),
    )
