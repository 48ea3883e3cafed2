"""What rules may do: raise a draft or an alert, change it, end it. In their own name, on evidence, and never twice.

A rule that may not send unattended makes drafts alone, of Updates and all-clears too. It touches nothing but what it
raised itself and nobody has taken over. Whatever does not fit is refused (Invalid, Conflict, Forbidden), never widened.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from alertd.core.accepting import Grounds, Idempotency
from alertd.core.bells import Bells
from alertd.core.intake import Intake
from alertd.core.submission import Accepted, Submission
from alertd.core.words.wording import clip, plain
from alertd.domain.alert import AlertState, MsgType, Status
from alertd.domain.paging import RULE
from alertd.domain.problems import Conflict, Forbidden, InFlight, Invalid, NotFound, Problem
from alertd.domain.texts import LIMITS
from alertd.ports.clock import Clock
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import IntakeStore, StoredAlert

_ENDED: Final = frozenset({AlertState.CANCELLED, AlertState.REJECTED})
_MOST_EVIDENCE: Final = 20
_LONGEST_EVIDENCE: Final = 500


@dataclass(frozen=True, slots=True)
class Raised:
    """What came of it: the alert that stands for the matter now, and where it stands."""

    id: str
    state: AlertState


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """In whose name, on what, and how far. `rule` is its name; `key` the same only for the same step of one matter,
    so that a step repeated changes nothing; without `unattended` everything waits for a person."""

    rule: str
    unattended: bool
    evidence: Sequence[str]
    key: str

    @property
    def actor(self) -> str:
        return f"{RULE}{self.rule}"

    @property
    def grounds(self) -> tuple[str, ...]:
        """The evidence, fit to be kept and shown."""
        return tuple(clip(plain(one), _LONGEST_EVIDENCE) for one in self.evidence[:_MOST_EVIDENCE] if plain(one))


class Raising:
    """Every method raises Invalid, Conflict, Forbidden, NotFound or Unavailable, and then has changed nothing."""

    def __init__(self, intake: Intake, store: IntakeStore, clock: Clock, bells: Bells) -> None:
        self._intake = intake
        self._store = store
        self._clock = clock
        self._bells = bells

    async def raise_alert(
        self, submission: Submission, *, rule: str, unattended: bool, evidence: Sequence[str], key: str
    ) -> Raised:
        """A new alert: a draft that pages the officers, or, `unattended`, one that goes out at once."""
        by = Authority(rule=rule, unattended=unattended, evidence=evidence, key=key)
        return await self._submit(submission, by, supplants=None)

    async def change(
        self,
        alert_id: str,
        submission: Submission,
        *,
        rule: str,
        unattended: bool,
        evidence: Sequence[str],
        key: str,
        also: Sequence[str] = (),
    ) -> Raised:
        """The matter is another now: an Update of what was sent; in place of a waiting draft a new one, which the
        store does in one transaction; after a rejected draft a new one too, for a person decided on other words.

        `also`: other alerts of the rule, about what turned out to be the same matter: it follows them too. Those that
        a person has ended or taken over are left as they are.
        """
        by = Authority(rule=rule, unattended=unattended, evidence=evidence, key=key)
        return await _looking_twice(lambda: self._change(alert_id, also, submission, by))

    async def all_clear(
        self,
        alert_id: str,
        submission: Submission,
        *,
        rule: str,
        unattended: bool,
        evidence: Sequence[str],
        key: str,
        reason: str,
        also: Sequence[str] = (),
    ) -> Raised:
        """The matter is over: an Update that says so where something was sent, else the waiting draft is withdrawn
        for `reason`. What a person has ended already stays as it is. `also` as in `change`."""
        by = Authority(rule=rule, unattended=unattended, evidence=evidence, key=key)
        return await _looking_twice(lambda: self._all_clear(alert_id, also, submission, by, reason))

    # --- steps ---

    async def _change(self, alert_id: str, also: Sequence[str], submission: Submission, by: Authority) -> Raised:
        stored = _alike(await self._latest(alert_id, by), submission)
        others = await self._others(also, submission, by, f"of one matter with {stored.alert.id}")
        supplants = stored.alert.id if stored.state is AlertState.DRAFT else None
        sent = await self._sent(stored, by)
        if sent is not None:
            others = list(dict.fromkeys((sent.alert.id, *others)))
        if others:
            return await self._update(others, submission, by, supplants=supplants)
        return await self._submit(submission, by, supplants=supplants)

    async def _all_clear(
        self, alert_id: str, also: Sequence[str], submission: Submission, by: Authority, reason: str
    ) -> Raised:
        stored = _alike(await self._latest(alert_id, by), submission)
        others = await self._others(also, submission, by, reason)
        if stored.state is AlertState.DRAFT:
            await self._withdraw(stored, by, reason)
            stored = await self._store.get_alert(stored.alert.id)
        sent = await self._sent(stored, by)
        if sent is not None and sent.state not in _ENDED:
            others = list(dict.fromkeys((sent.alert.id, *others)))
        if not others:
            return Raised((sent or stored).alert.id, (sent or stored).state)
        return await self._update(others, submission, by, supplants=None)

    async def _sent(self, stored: StoredAlert, by: Authority) -> StoredAlert | None:
        """The alert itself, or what went out before a draft of it; None where nothing did."""
        if stored.state not in (AlertState.DRAFT, AlertState.REJECTED):
            return stored
        return await self._latest(stored.ancestors[0], by) if stored.ancestors else None

    async def _others(self, also: Sequence[str], submission: Submission, by: Authority, reason: str) -> list[str]:
        """Those of them that went out and that nobody else has ended or taken over; a waiting draft is withdrawn."""
        found: list[str] = []
        for one in also:
            try:
                stored = _alike(await self._latest(one, by), submission)
                if stored.state is AlertState.DRAFT:
                    await self._withdraw(stored, by, reason)
                sent = await self._sent(stored, by)
            except (Conflict, Forbidden, NotFound):
                continue
            if sent is not None and sent.state not in _ENDED:
                found.append(sent.alert.id)
        return list(dict.fromkeys(found))

    async def _withdraw(self, draft: StoredAlert, by: Authority, reason: str) -> None:
        words = clip(plain(reason), _LONGEST_EVIDENCE)
        await self._store.withdraw(draft.alert.id, actor=by.actor, at=self._clock.now(), reason=words)
        self._bells.drafts.ring()

    async def _submit(self, submission: Submission, by: Authority, *, supplants: str | None) -> Raised:
        answer = await self._intake.submit(
            _on_evidence(replace(submission, msg_type=MsgType.ALERT), by),
            token=self._token(by),
            idempotency=_key(by),
            encode=_encoded,
            grounds=Grounds(by.grounds, supplants),
        )
        return await self._raised(answer)

    async def _update(
        self, alert_ids: Sequence[str], submission: Submission, by: Authority, *, supplants: str | None
    ) -> Raised:
        """Of the first of them; it replaces the others with it."""
        answer = await self._intake.update(
            alert_ids[0],
            _on_evidence(replace(submission, msg_type=MsgType.UPDATE), by),
            token=self._token(by),
            idempotency=_key(by),
            encode=_encoded,
            also=alert_ids[1:],
            grounds=Grounds(by.grounds, supplants),
        )
        return await self._raised(answer)

    async def _raised(self, answer: bytes) -> Raised:
        """As it stands now: the answer may be that of the first of several tries."""
        stored = await self._store.get_alert(answer.decode())
        return Raised(stored.alert.id, stored.state)

    async def _latest(self, alert_id: str, by: Authority) -> StoredAlert:
        """The rule's own alert, or its own Update that followed. Raises Forbidden, and Conflict where a person took
        the matter over."""
        stored = await self._store.get_alert(alert_id)
        if stored.created_by != by.actor:
            raise Forbidden(f"alert {alert_id} is of {stored.created_by}, not of {by.actor}")
        while stored.followed_by is not None and stored.state is not AlertState.CANCELLED:
            follower = await self._store.get_alert(stored.followed_by)
            if follower.created_by != by.actor:
                raise Conflict(f"{follower.created_by} has taken over alert {alert_id} with {follower.alert.id}")
            stored = follower
        return stored

    def _token(self, by: Authority) -> Token:
        scope = "alerts:send" if by.unattended else "alerts:draft"
        return Token(by.actor, "", frozenset({scope}), None, self._clock.now())


def _alike(stored: StoredAlert, submission: Submission) -> StoredAlert:
    """Raises Conflict where one is real and the other is not: neither may change or end the other."""
    if stored.alert.status is not submission.status:
        raise Conflict(f"alert {stored.alert.id} is {stored.alert.status} and what is said now is {submission.status}")
    return stored


async def _looking_twice(step: Callable[[], Awaitable[Raised]]) -> Raised:
    """A draft may be decided between our look at it and our change: the second look finds it so."""
    try:
        return await step()
    except InFlight:
        raise
    except Conflict:
        return await step()


def _on_evidence(submission: Submission, by: Authority) -> Submission:
    """With the evidence in its note. Raises Invalid where there is none, or where it could never go out."""
    if not by.grounds:
        raise Invalid(Problem(("evidence",), "is missing: nothing happens by itself without saying on what"))
    if submission.status is Status.DRAFT:
        raise Invalid(Problem(("status",), "Draft can never be approved: a rule raises Actual or Exercise"))
    note = "\n".join(part for part in (submission.note, *by.grounds) if part)
    return replace(submission, note=clip(note, LIMITS["note"]))


def _key(by: Authority) -> Idempotency:
    """The key says all: a repeat may word things anew, with later times, and still changes nothing."""
    return Idempotency(by.key, by.key)


def _encoded(accepted: Accepted) -> bytes:
    return accepted.id.encode()
