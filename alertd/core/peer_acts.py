"""What a message of another system does: an Alert is sent, an Update or a Cancel follows alerts of ours."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from alertd.core.accepting import Acceptance, Encode, Grounds, Idempotency, IntakeParts
from alertd.core.access import allow
from alertd.core.geocodes import nowhere, zoned
from alertd.core.intake import Intake
from alertd.core.overtaken import Message
from alertd.core.references import heads_of
from alertd.core.submission import Accepted, Submission
from alertd.domain.alert import Alert, AlertState, MsgType, Scope, Status
from alertd.domain.paging import reserved
from alertd.domain.problems import Conflict, Invalid, Problem
from alertd.domain.signal import Violation
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import Origin, StoredAlert

UNDECIDED = frozenset({AlertState.DRAFT, AlertState.REJECTED})
Answering = Callable[[Accepted, Sequence[Violation]], bytes]
"""Makes the answer, which also tells what was wrong with the document."""


@dataclass(frozen=True, slots=True)
class Call:
    """Who posts it, and how the answer is made."""

    token: Token
    idempotency: Idempotency | None
    answering: Answering

    def encode(self, origin: Origin) -> Encode:
        return lambda accepted: self.answering(accepted, origin.violations)


class Acts:
    def __init__(self, parts: IntakeParts, intake: Intake) -> None:
        self._ = parts
        self._intake = intake
        self._acceptance = Acceptance(parts)

    def check(self, alert: Alert) -> None:
        """Whether an Update or a Cancel could follow something. Raises Invalid."""
        if alert.msg_type is MsgType.UPDATE:
            self._acceptance.checked(self.submission(alert))
        else:
            _refuse_narrow(alert)

    async def alert(self, message: Message, call: Call) -> bytes:
        return await self._intake.submit(
            self.submission(message.alert),
            token=call.token,
            idempotency=call.idempotency,
            encode=call.encode(message.origin),
            origin=message.origin,
        )

    async def update(self, message: Message, heads: Sequence[str], call: Call) -> bytes:
        return await self._intake.update(
            heads[0],
            self.submission(message.alert),
            token=call.token,
            idempotency=call.idempotency,
            encode=call.encode(message.origin),
            also=heads[1:],
            origin=message.origin,
        )

    def outdated(self, message: Message, known: Sequence[StoredAlert], call: Call) -> Sequence[StoredAlert]:
        """The drafts whose words an Update says anew, where nothing that it names ever went out; none otherwise, and
        none of a rule's, for those the officers are paged about, nor one that follows something.

        Raises Forbidden where one is another's and the token may not send, Invalid where one is of another status,
        Conflict where they are not of one purpose.
        """
        drafts = [one for one in known if one.state is AlertState.DRAFT]
        own = [one for one in drafts if not one.ancestors and not reserved(one.created_by)]
        if not drafts or own != drafts or any(one.state not in UNDECIDED for one in known):
            return ()
        if any(one.created_by != call.token.name for one in drafts):
            allow(call.token, "alerts:send")
        _refuse_other_status(message.alert, drafts)
        if len({one.alert.purpose for one in drafts}) > 1:
            ids = ", ".join(one.alert.id for one in drafts)
            raise Conflict(f"alerts {ids} differ in purpose: update each by itself")
        return drafts

    async def instead(self, message: Message, drafts: Sequence[StoredAlert], call: Call) -> bytes:
        """What an Update says, as a draft in place of those: nobody has approved any of it. Raises Overtaken where one
        was decided meanwhile."""
        ids = tuple(one.alert.id for one in drafts)
        told = Violation("document", f"{', '.join(ids)} never went out: this is a draft in its place")
        origin = replace(message.origin, violations=(*message.origin.violations, told))
        submission = self.submission(replace(message.alert, msg_type=MsgType.ALERT, purpose=drafts[0].alert.purpose))
        return await self._intake.submit(
            submission,
            token=replace(call.token, scopes=frozenset({"alerts:draft"})),
            idempotency=call.idempotency,
            encode=call.encode(origin),
            origin=origin,
            grounds=Grounds(replaces=ids),
        )

    async def withdrawn(
        self, message: Message, known: Sequence[StoredAlert], call: Call
    ) -> tuple[Sequence[StoredAlert], Sequence[StoredAlert]]:
        """Of what a Cancel names: what went out, and what never did. A draft among it is none any more, for nobody must
        approve what its author took back.

        Raises Conflict where one was decided meanwhile, and before any is taken back Forbidden, Invalid and Conflict
        for all that would keep the Cancel from being taken.
        """
        never = [one for one in known if one.state in UNDECIDED]
        if not never:
            return known, ()
        alert = message.alert
        out = [one for one in known if one.state not in UNDECIDED]
        drafts = [one for one in never if one.state is AlertState.DRAFT]
        _refuse_narrow(alert)
        if out or message.origin.unheard or any(one.created_by != call.token.name for one in drafts):
            allow(call.token, "alerts:send")
        if out:
            heads_of(alert, out)
        _refuse_other_status(alert, drafts)
        await self._acceptance.replay(call.token, call.idempotency)
        for draft in drafts:
            await self._take_back(draft.alert.id, draft.created_by, alert, call.token.name)
        return out, [await self._.store.get_alert(one.alert.id) for one in never]

    async def _take_back(self, draft: str, author: str, alert: Alert, actor: str) -> None:
        store, at, reason = self._.store, self._.fittings.clock.now(), alert.note or "cancelled by another system"
        if author == actor:
            await store.withdraw(draft, actor=actor, at=at, reason=reason)
        else:
            await store.decide(draft, approve=False, actor=actor, at=at, reason=reason)

    async def cancel(self, message: Message, heads: Sequence[str], call: Call) -> bytes:
        """What is wrong with its words must not keep a false alarm alive: then it speaks with its original's."""
        alert = message.alert
        _refuse_narrow(alert)
        cancel = partial(
            self._intake.cancel,
            heads[0],
            note=alert.note,
            token=call.token,
            idempotency=call.idempotency,
            also=heads[1:],
        )
        origin = message.origin
        infos = zoned(alert.info, self._.territory()) if message.whole else ()
        try:
            return await cancel(info=infos, encode=call.encode(origin), origin=origin)
        except Invalid as error:
            if not infos:
                raise
            unsaid = (Violation(".".join(map(str, p.loc)), f"not said: {p.msg}") for p in error.problems)
            origin = replace(origin, violations=(*origin.violations, *unsaid))
            return await cancel(info=(), encode=call.encode(origin), origin=origin)

    def submission(self, alert: Alert) -> Submission:
        """What an Alert or an Update asks for. Raises Invalid for areas that select nothing."""
        infos = zoned(alert.info, self._.territory())
        if problems := tuple(nowhere(infos)):
            raise Invalid(*problems)
        return Submission(
            purpose=alert.purpose,
            status=alert.status,
            msg_type=alert.msg_type,
            scope=alert.scope,
            info=infos,
            source=alert.source,
            restriction=alert.restriction,
            addresses=alert.addresses,
            note=alert.note,
            incidents=alert.incidents,
            code=alert.code,
        )


def _refuse_other_status(alert: Alert, drafts: Sequence[StoredAlert]) -> None:
    for draft in drafts:
        if draft.alert.status not in {alert.status, Status.DRAFT}:
            kept = f"{alert.msg_type} keeps its original's status, {draft.alert.status}"
            raise Invalid(Problem(("status",), kept))


def _refuse_narrow(alert: Alert) -> None:
    if alert.scope is not Scope.PUBLIC:
        raise Invalid(Problem(("scope",), f"{alert.scope}: none is ever widened; send Public"))
