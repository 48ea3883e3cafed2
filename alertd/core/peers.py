"""Messages of other systems: a CAP document becomes an alert of ours, follows one, or is kept as news of one.

Its own name (sender, identifier, sent) is kept with it, in the transaction that takes it: the same message again is
answered as it was, another one under that name is refused, and what refers to it finds it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from alertd.core.accepting import Acceptance, Encode, Idempotency, IntakeParts, kept_key, same_key
from alertd.core.access import allow, allow_mode, holds
from alertd.core.geocodes import nowhere, zoned
from alertd.core.intake import Intake
from alertd.core.references import heads_of, listed, same
from alertd.core.submission import Accepted, Submission
from alertd.domain.alert import Alert, AlertState, MsgType, Reference, Scope, Status
from alertd.domain.problems import Conflict, InFlight, Invalid, NotFound, Problem
from alertd.domain.signal import Violation
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import Origin, StoredAlert
from alertd.ports.stores.peers import News, PeerStore

MAX_REFERENCES = 200
_NEWS = frozenset({MsgType.ACK, MsgType.ERROR})
_UNDECIDED = frozenset({AlertState.DRAFT, AlertState.REJECTED})


@dataclass(frozen=True, slots=True)
class Message:
    """`alert` as it was read; of its infos nothing is kept where they were not `whole`."""

    alert: Alert
    origin: Origin
    whole: bool = True


Answering = Callable[[Accepted, Sequence[Violation]], bytes]
"""Makes the answer, which also tells what was wrong with the document."""


@dataclass(frozen=True, slots=True)
class _Call:
    """Who posts it, and how the answer is made."""

    token: Token
    idempotency: Idempotency | None
    answering: Answering

    def encode(self, origin: Origin) -> Encode:
        return lambda accepted: self.answering(accepted, origin.violations)


class Peers:
    def __init__(self, parts: IntakeParts, store: PeerStore, intake: Intake) -> None:
        self._ = parts
        self._store = store
        self._intake = intake
        self._acceptance = Acceptance(parts)
        self._in_flight: set[Reference] = set()

    async def take(
        self, message: Message, *, token: Token, idempotency: Idempotency | None, answering: Answering
    ) -> bytes:
        """An Alert is sent, an Update or a Cancel follows what it references, an Ack or an Error is noted.

        The answer, or the one this message got before. Raises as `Intake`, and InFlight; NotFound where nothing it
        references is known; Conflict where that may not be followed, or its name is that of another message.
        """
        alert = message.alert
        if alert.msg_type in {MsgType.UPDATE, MsgType.CANCEL} or not holds(token, "alerts:draft"):
            allow(token, "alerts:send")
        allow_mode(token, alert.status)
        with self._alone(message.origin.name):
            if (told := await self._told_before(message, token)) is not None:
                return told
            call = _Call(token, idempotency, answering)
            if alert.msg_type is MsgType.ALERT:
                return await self._alert(message, call)
            known = await self._referenced(alert)
            if alert.msg_type in _NEWS:
                return await self._news(message, known, call)
            heads = heads_of(alert, known)
            return await (self._cancel if alert.msg_type is MsgType.CANCEL else self._update)(message, heads, call)

    @contextmanager
    def _alone(self, name: Reference) -> Iterator[None]:
        if name in self._in_flight:
            raise InFlight(f"the message {name} is still in flight")
        self._in_flight.add(name)
        try:
            yield
        finally:
            self._in_flight.discard(name)

    async def _told_before(self, message: Message, token: Token) -> bytes | None:
        """Raises Conflict where its name is known and it may not be answered as before."""
        name = message.origin.name
        for one in await self._store.remembered([name]):
            if not same(name, one.name):
                continue
            if one.answer is None:
                raise Conflict(f"{name} is alert {one.alert_id}, which was published here: nothing is sent again")
            if one.answer.fingerprint != message.origin.fingerprint:
                raise Conflict(f"another message was posted as {name} and became alert {one.alert_id}")
            if message.alert.msg_type is MsgType.ALERT and message.alert.status is not Status.DRAFT:
                await self._refuse_undecided(one.alert_id, token)
            return one.answer.body
        return None

    async def _refuse_undecided(self, alert_id: str, token: Token) -> None:
        """Whoever may send and is told 202 must be able to rely on it."""
        state = (await self._.store.get_alert(alert_id)).state
        if state in _UNDECIDED and holds(token, "alerts:send"):
            raise Conflict(f"this message is here as alert {alert_id}, which is {state}: decide on that one")

    async def _alert(self, message: Message, call: _Call) -> bytes:
        return await self._intake.submit(
            self.submission(message.alert),
            token=call.token,
            idempotency=call.idempotency,
            encode=call.encode(message.origin),
            origin=message.origin,
        )

    async def _update(self, message: Message, heads: Sequence[str], call: _Call) -> bytes:
        return await self._intake.update(
            heads[0],
            self.submission(message.alert),
            token=call.token,
            idempotency=call.idempotency,
            encode=call.encode(message.origin),
            also=heads[1:],
            origin=message.origin,
        )

    async def _cancel(self, message: Message, heads: Sequence[str], call: _Call) -> bytes:
        """What is wrong with its words must not keep a false alarm alive: then it speaks with its original's."""
        alert = message.alert
        if alert.scope is not Scope.PUBLIC:
            raise Invalid(Problem(("scope",), f"{alert.scope}: none is ever widened; send Public"))
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

    async def _news(self, message: Message, known: Sequence[StoredAlert], call: _Call) -> bytes:
        """Kept and audited; the answer speaks of the alert it is about."""
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

    async def _referenced(self, alert: Alert) -> Sequence[StoredAlert]:
        """What it references and is known here, each once, in its order. Raises Invalid, NotFound."""
        if not alert.references:
            raise Invalid(Problem(("references",), f"msgType {alert.msg_type} needs references to what it is about"))
        if len(alert.references) > MAX_REFERENCES:
            many = f"{len(alert.references)} of them; at most {MAX_REFERENCES} are taken"
            raise Invalid(Problem(("references",), many))
        named: defaultdict[tuple[str, str], dict[str, Reference]] = defaultdict(dict)
        for one in await self._store.remembered(alert.references):
            if one.msg_type not in _NEWS:
                named[one.name.sender, one.name.identifier][one.alert_id] = one.name
        ids = {
            alert_id: None
            for reference in alert.references
            for alert_id, name in named[reference.sender, reference.identifier].items()
            if same(reference, name)
        }
        if not ids:
            raise NotFound(f"{alert.msg_type} of nothing that is known here: {listed(alert.references)}")
        return [await self._.store.get_alert(alert_id) for alert_id in ids]

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
