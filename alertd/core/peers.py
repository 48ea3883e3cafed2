"""Messages of other systems: a CAP document becomes an alert of ours, follows one, or is kept as news of one.

Its own name (sender, identifier, sent) is kept with it, in the transaction that takes it: the same message again is
answered as it was, another one under that name is refused, and what refers to it finds it.

An Update or a Cancel of which nothing it follows is known is NotFound (404), and so is every repeat: whoever mistyped
what he cancels must not read that it is done. But it is remembered, and what it follows is not sent as if it were new
when it comes (see `alertd.core.overtaken`). An Ack or an Error of nothing known is NotFound and leaves nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from alertd.cap.moments import canonical
from alertd.core.accepting import Acceptance, Idempotency, IntakeParts, kept_key, same_key
from alertd.core.access import allow, allow_mode, holds
from alertd.core.intake import Intake
from alertd.core.overtaken import Message, overtaken, prevailing
from alertd.core.peer_acts import UNDECIDED, Acts, Answering, Call
from alertd.core.references import heads_of, listed, same
from alertd.core.submission import Accepted
from alertd.core.withholding import Withholding
from alertd.domain.alert import Alert, AlertState, MsgType, Reference, Status
from alertd.domain.problems import Conflict, InFlight, Invalid, NotFound, Overtaken, Problem
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.peers import News, PeerStore, Waiting

MAX_REFERENCES = 200
_TRIES = 8
_NEWS = frozenset({MsgType.ACK, MsgType.ERROR})
_SENT = frozenset({MsgType.ALERT, MsgType.UPDATE})


class Peers:
    def __init__(self, parts: IntakeParts, store: PeerStore, intake: Intake) -> None:
        self._ = parts
        self._store = store
        self._acts = Acts(parts, intake)
        self._acceptance = Acceptance(parts)
        self._in_flight: set[Reference] = set()
        self._withholding = Withholding(parts, store)
        self.submission = self._acts.submission

    async def take(
        self, message: Message, *, token: Token, idempotency: Idempotency | None, answering: Answering
    ) -> bytes:
        """An Alert is sent, an Update or a Cancel follows what it references, an Ack or an Error is noted.

        The answer, or the one this message got before. Raises as `Intake`, and InFlight; NotFound where nothing it
        references is known; Conflict where that may not be followed, its name is that of another message, or it was
        cancelled before it came.
        """
        alert = message.alert
        message = replace(message, origin=replace(message.origin, owner=token.name))
        if not holds(token, "alerts:draft"):  # a draft's author may take it back, or word it anew
            allow(token, "alerts:send")
        allow_mode(token, alert.status)
        with self._alone(message.origin.name):
            call = Call(token, idempotency, answering)
            for _ in range(_TRIES):
                try:
                    return await self._take(message, call)
                except Overtaken:
                    continue
            return await self._take(message, call)

    async def _take(self, message: Message, call: Call) -> bytes:
        """Raises Overtaken as well: something came in between, and is seen the next time."""
        if (told := await self._told_before(message, call.token)) is not None:
            return told
        alert = message.alert
        if alert.msg_type is MsgType.ALERT:
            return await self._first(message, call)
        known, unheard = await self._referenced(alert)
        if alert.msg_type in _NEWS:
            return await self._news(message, known, call)
        message = replace(message, origin=replace(message.origin, unheard=unheard))
        if alert.msg_type is MsgType.CANCEL:
            known, never = await self._acts.withdrawn(message, known, call)
            if never and not known:
                return await self._news(message, never, call)
        elif drafts := self._acts.outdated(message, known, call):
            return await self._instead(message, drafts, call)
        allow(call.token, "alerts:send")
        if not known:
            await self._remember(message)
        return await self._follow(message, heads_of(alert, known), call)

    async def _first(self, message: Message, call: Call) -> bytes:
        """A new Alert, unless something came before it."""
        try:
            said = await self._with_what_was_early(message)
        except InFlight:
            raise
        except Conflict as error:
            await self._withholding.withhold(message, str(error))
            raise
        with _of_another(said, message):
            return await self._acts.alert(said, call)

    async def _follow(self, message: Message, heads: Sequence[str], call: Call) -> bytes:
        """An Update or a Cancel of what is known, unless something came before it."""
        said = message
        if message.alert.msg_type is MsgType.UPDATE:
            said = await self._with_what_was_early(message)
        with _of_another(said, message):
            return await (self._acts.cancel if said.alert.msg_type is MsgType.CANCEL else self._acts.update)(
                said, heads, call
            )

    async def _instead(self, message: Message, drafts: Sequence[StoredAlert], call: Call) -> bytes:
        """An Update of drafts: they must not be approved any more, and neither has anybody approved what it says.
        Raises Conflict, when that is done, where the token may send: who reads 202 may rely on it."""
        said = await self._with_what_was_early(message)
        if said.alert.msg_type is MsgType.CANCEL:
            ids = ", ".join(one.alert.id for one in drafts)
            raise Conflict(f"{message.origin.name} was cancelled before it came, by {said.origin.by}: reject {ids}")
        with _of_another(said, message):
            answer = await self._acts.instead(said, drafts, call)
        return await self._told_before(message, call.token) or answer

    async def _with_what_was_early(self, message: Message) -> Message:
        """Raises Overtaken where what prevails waits no more."""
        early = await self._store.early(message.origin.name, message.alert.status)
        if not early:
            return message
        last = prevailing(message, early)
        if (said := await self._store.said(last.seq)) is None:
            raise Overtaken(f"{last.name} was taken or forgotten at the same time: post it again")
        return overtaken(message, early, last, said)

    async def _remember(self, message: Message) -> NoReturn:
        """It waits for what it follows, if it could follow it. Raises NotFound; Invalid, and then nothing waits."""
        alert = message.alert
        self._acts.check(alert)
        said = alert if message.whole else replace(alert, info=())
        await self._store.wait(Waiting(message.origin, said, self._.fittings.clock.now()))
        then = "that is not sent" if alert.msg_type is MsgType.CANCEL else "this is sent in its place"
        raise NotFound(
            f"{alert.msg_type} of nothing that is known here: {listed(alert.references)}. Nothing was sent or taken "
            f"back. It is remembered: should what it names come, {then}"
        )

    @contextmanager
    def _alone(self, name: Reference) -> Iterator[None]:
        """However its moment is spelt: two that go on together would both be sent."""
        key = replace(name, sent=canonical(name.sent))
        if key in self._in_flight:
            raise InFlight(f"the message {name} is still in flight")
        self._in_flight.add(key)
        try:
            yield
        finally:
            self._in_flight.discard(key)

    async def _told_before(self, message: Message, token: Token) -> bytes | None:
        """Raises Conflict where its name is known and it may not be answered as before."""
        name = message.origin.name
        for one in await self._store.remembered([name]):
            if not same(name, one.name):
                continue
            if one.answer is None:
                raise Conflict(f"{name} is alert {one.alert_id}, which was published here: nothing is sent again")
            if one.answer.fingerprint != message.origin.fingerprint:
                became = f"became alert {one.alert_id}" if one.alert_id else "waits for what it follows"
                raise Conflict(f"another message was posted as {name} and {became}")
            if one.alert_id is None:
                return None
            if message.alert.msg_type in _SENT and message.alert.status is not Status.DRAFT:
                await self._refuse_undecided(one.alert_id, token)
            return one.answer.body
        return None

    async def _refuse_undecided(self, alert_id: str, token: Token) -> None:
        """Whoever may send and is told 202 must be able to rely on it."""
        state = (await self._.store.get_alert(alert_id)).state
        if state in UNDECIDED and holds(token, "alerts:send"):
            what = "decide on that one" if state is AlertState.DRAFT else "nothing of it is sent"
            raise Conflict(f"this message is here as alert {alert_id}, which is {state}: {what}")

    async def _news(self, message: Message, known: Sequence[StoredAlert], call: Call) -> bytes:
        """An Ack, an Error, or a Cancel of what never went out: kept and audited; the answer speaks of the alert it is
        about."""
        if not known:
            about = message.alert
            raise NotFound(f"{about.msg_type} of nothing that is known here: {listed(about.references)}")
        house, subject = self._acceptance, known[0].alert
        with house.once(call.token, call.idempotency):
            if (stored := await house.replay(call.token, call.idempotency)) is not None:
                return stored
            accepted = Accepted(subject.id, subject.identifier, subject.sender, subject.sent, known[0].state, ())
            answer = call.answering(accepted, message.origin.violations)
            key = kept_key(call.token, call.idempotency)
            news = News(
                origin=replace(message.origin, answer=answer),
                about=tuple(one.alert.id for one in known),
                note=message.alert.note,
                actor=call.token.name,
                at=self._.fittings.clock.now(),
                idempotency=None if key is None else replace(key, body=answer),
            )
            before = await self._store.record(news)
        if before is not None and call.idempotency is not None:
            return same_key(before.fingerprint, call.idempotency.fingerprint, before.body)
        return answer

    async def _referenced(self, alert: Alert) -> tuple[Sequence[StoredAlert], tuple[Reference, ...]]:
        """What it references and is known here, each once, in its order; and what is not. Raises Invalid."""
        if not alert.references:
            raise Invalid(Problem(("references",), f"msgType {alert.msg_type} needs references to what it is about"))
        if len(alert.references) > MAX_REFERENCES:
            many = f"{len(alert.references)} of them; at most {MAX_REFERENCES} are taken"
            raise Invalid(Problem(("references",), many))
        named: defaultdict[tuple[str, str], list[tuple[str, Reference]]] = defaultdict(list)
        for one in await self._store.remembered(alert.references):
            if one.msg_type not in _NEWS and one.alert_id is not None:
                named[one.name.sender, one.name.identifier].append((one.alert_id, one.name))
        found: dict[str, None] = {}
        unheard = []
        for reference in alert.references:
            alike = named[reference.sender, reference.identifier]
            ids = [alert_id for alert_id, name in alike if same(reference, name)]
            found.update(dict.fromkeys(ids))
            if not ids:
                unheard.append(reference)
        stood = [await self._standing(alert_id) for alert_id in found]
        return list({one.alert.id: one for one in stood}.values()), tuple(unheard)

    async def _standing(self, alert_id: str) -> StoredAlert:
        """The alert, or the draft that took the place of one that never went out."""
        stored = await self._.store.get_alert(alert_id)
        while stored.state is AlertState.REJECTED and stored.followed_by is not None:
            stored = await self._.store.get_alert(stored.followed_by)
        return stored


@contextmanager
def _of_another(said: Message, message: Message) -> Iterator[None]:
    """Whoever posts a message is not told of faults in another one as if they were in his."""
    try:
        yield
    except Invalid as error:
        if said is message:
            raise
        told = f"{said.origin.by} came before {message.origin.name} and replaces it, but cannot be sent now: {error}"
        raise Conflict(told) from error
