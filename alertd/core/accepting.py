"""What every acceptance has in common: identity, channels, the one transaction, and the answer told again."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from alertd.core.audience import Carrier, choose, cohort_of, refuse_channels, targets_of
from alertd.core.fittings import Fittings
from alertd.core.handover import Handover
from alertd.core.submission import Accepted, Identity, Submission, checked
from alertd.core.traced import traced
from alertd.core.vigil import LEASE
from alertd.domain.alert import Alert, AlertState, Purpose
from alertd.domain.priority import priority_of
from alertd.domain.problems import InFlight, Invalid, Problem, Unavailable
from alertd.domain.times import cap_time
from alertd.ports.adapter import Service
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import ChannelPlan, IdempotencyKey, IntakeStore, NewAlert, Origin, Stored, StoredAlert
from alertd.ports.territory import Territory

_NOT_YET: Final = 0  # the number of an alert whose row is being written
_SWEPT = timedelta(seconds=10)
"""The sweeper looks more often than this of itself; each time it is rung costs two transactions."""


@dataclass(frozen=True, slots=True)
class Idempotency:
    """The caller's key and a hash of what it came with."""

    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a rule raises an alert on: its evidence, for the audit log, and a draft of its own that this replaces. What
    another system updates although it never went out: `replaces`, drafts of anybody's."""

    evidence: tuple[str, ...] = ()
    supplants: str | None = None
    replaces: tuple[str, ...] = ()

    def under(self, new: NewAlert) -> NewAlert:
        return replace(new, evidence=self.evidence, supplants=self.supplants, replaces=self.replaces)


NO_GROUNDS = Grounds()
"""A person raises it."""

Encode = Callable[[Accepted], bytes]
"""Makes the answer; it is stored with the alert, so that a repeat is answered word for word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeParts:
    """What intake is made of. `service`, `territory` and `carriers` are asked each time: SIGHUP changes them."""

    store: IntakeStore
    fittings: Fittings
    new_id: Callable[[datetime], str]
    service: Callable[[], Service]
    territory: Callable[[], Territory]
    carriers: Callable[[], list[Carrier]]
    lifetimes: Callable[[], Mapping[Purpose, timedelta]]
    handover: Handover


class Acceptance:
    """The steps; `alertd.core.intake` puts them in order."""

    def __init__(self, parts: IntakeParts) -> None:
        self._ = parts
        self._in_flight: set[tuple[str, str]] = set()

    @contextmanager
    def once(self, token: Token, idempotency: Idempotency | None) -> Iterator[None]:
        """Raises InFlight while another request with this key is being answered."""
        if idempotency is None:
            yield
            return
        mark = (token.name, idempotency.key)
        if mark in self._in_flight:
            raise InFlight("a request with this Idempotency-Key is still in flight")
        self._in_flight.add(mark)
        try:
            yield
        finally:
            self._in_flight.discard(mark)

    async def replay(self, token: Token, idempotency: Idempotency | None) -> bytes | None:
        """The answer already given for this key, if any; Invalid where it was given to another request."""
        if idempotency is None:
            return None
        stored = await self._.store.answer(token.name, idempotency.key)
        return same_key(stored.fingerprint, idempotency.fingerprint, stored.body) if stored else None

    def checked(self, submission: Submission) -> Submission:
        """Settled on the territory and lawful. Raises Invalid."""
        refuse_channels(self._.carriers(), submission.channels, submission.status)
        return checked(submission, self._.territory(), self._.fittings.clock.now())

    def plans(self, submission: Submission) -> tuple[ChannelPlan, ...]:
        return choose(
            self._.carriers(),
            purpose=submission.purpose,
            status=submission.status,
            wanted=submission.channels,
        )

    def identity(self) -> Identity:
        now = self._.fittings.clock.now()
        service = self._.service()
        sent = cap_time(now.astimezone(ZoneInfo(service.timezone)))
        return Identity(id=self._.new_id(now), sender=service.sender, sent=sent)

    def new(
        self,
        alert: Alert,
        token: Token,
        plans: tuple[ChannelPlan, ...],
        idempotency: Idempotency | None,
        origin: Origin | None = None,
    ) -> NewAlert:
        """All that the transaction writes, as for a first alert that goes out at once."""
        now = self._.fittings.clock.now()
        if origin is not None:
            alert = traced(alert, origin.by or origin.name)
        return NewAlert(
            alert=alert,
            state=AlertState.PENDING,
            priority=priority_of(alert),
            accepted_at=now,
            deadline=alert.expires or now + self._.lifetimes()[alert.purpose],
            actor=token.name,
            cohort=cohort_of(alert.status),
            plans=plans,
            targets=targets_of(alert),
            idempotency=kept_key(token, idempotency),
            origin=origin,
            on_word_of=token.digest,
        )

    async def refuse_empty(self, new: NewAlert) -> None:
        """Raises Invalid where nobody at all would get this: an officer must not believe he has warned."""
        what = f"{new.alert.status} {new.alert.purpose} messages"
        if not new.plans:
            raise Invalid(Problem(("channels",), f"no channel carries {what}: nobody would get this"))
        if any(plan.broadcast for plan in new.plans):
            return
        for plan in new.plans:
            if await self._.store.has_audience(
                plan.channel, cohort=new.cohort, purpose=new.alert.purpose, targets=new.targets
            ):
                return
        nobody = f"nobody of the {new.cohort} cohort is subscribed to {what} in these zones"
        raise Invalid(Problem(("info",), f"{nobody}: nobody would get this"))

    async def accept(self, new: NewAlert, encode: Encode) -> bytes:
        """The transaction. When this returns the alert survives kill -9 and power loss. Raises Unavailable."""
        alert = new.alert
        channels = tuple(plan.channel for plan in new.plans)
        answer = encode(Accepted(alert.id, alert.identifier, alert.sender, alert.sent, new.state, channels))
        if new.idempotency is not None:
            new = replace(new, idempotency=replace(new.idempotency, body=answer))
        if new.origin is not None:
            new = replace(new, origin=replace(new.origin, answer=answer))
        if new.state is AlertState.PENDING and not new.ancestors:
            posts = (plan.channel for plan in new.plans if plan.broadcast)
            new = replace(new, at_once=self._.handover.posters().intersection(posts), lease=LEASE)
        began = self._.fittings.clock.monotonic()
        self._.fittings.failpoint("accept")
        stored = await self._write(new)
        self._.fittings.failpoint("commit")
        if stored.answer is not None and new.idempotency is not None:
            return same_key(stored.answer.fingerprint, new.idempotency.fingerprint, stored.answer.body)
        self._.fittings.metrics.accept.observe(self._.fittings.clock.monotonic() - began)
        self._.fittings.metrics.alerts.labels(alert.purpose, alert.status, alert.msg_type).inc()
        self._.fittings.failpoint("wake")
        return answer

    async def _write(self, new: NewAlert) -> Stored:
        """Nothing of the ancestors starts from here on; if the commit fails they live on.

        The store commits even where our caller is cancelled meanwhile, so what follows a commit is done by the
        commit itself, not by whoever waited for it.
        """
        self._.fittings.revoked.add(_ended(new))
        words = partial(self._.handover.prepare, _stored(new, _NOT_YET), sorted(new.at_once))
        writing = asyncio.ensure_future(self._.store.accept(new, meanwhile=words if new.at_once else None))
        writing.add_done_callback(lambda done: self._written(done, new))
        return await asyncio.shield(writing)

    def _written(self, done: "asyncio.Future[Stored]", new: NewAlert) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        claimed = 0
        if error is not None:
            self._.fittings.revoked.restore(_ended(new))
        else:
            self._.fittings.readiness.took()
            claimed = self._announced(new, done.result())
        if isinstance(error, Unavailable):
            self._.fittings.readiness.refused(error)
        if claimed < len(new.plans):
            self._.fittings.bells.plan.ring()
        if error is not None or new.ancestors or new.deadline - self._.fittings.clock.now() < _SWEPT:
            self._.fittings.bells.sweep.ring()

    def _announced(self, new: NewAlert, stored: Stored) -> int:
        """Tell whom it concerns; how many posts are under way already."""
        if new.state is AlertState.DRAFT:
            self._.fittings.bells.drafts.ring()
            return 0
        self._.fittings.bells.published()
        self._.handover.give(_stored(new, stored.seq), stored.claims)
        return len(stored.claims)


def _ended(new: NewAlert) -> tuple[str, ...]:
    """What nothing may start of any more. A draft ends nothing before it is approved."""
    return () if new.state is AlertState.DRAFT else new.ancestors


def _stored(new: NewAlert, seq: int) -> StoredAlert:
    """As the store would tell it."""
    return StoredAlert(
        seq,
        new.alert,
        AlertState.ACTIVE,
        new.priority,
        new.accepted_at,
        new.deadline,
        new.actor,
        ancestors=new.ancestors,
        plans=new.plans,
    )


def kept_key(token: Token, idempotency: Idempotency | None) -> IdempotencyKey | None:
    """As the store keeps it, its answer still to come."""
    return IdempotencyKey(token.name, idempotency.key, idempotency.fingerprint, b"") if idempotency else None


def same_key(stored: str, given: str, body: bytes) -> bytes:
    """The answer stored for a key. Raises Invalid where it was given to another request."""
    if stored != given:
        raise Invalid(Problem(("header", "Idempotency-Key"), "this key was used for another request: use a new one"))
    return body
