"""What rules found is done: kept before it is tried, in order, under keys that stay the same however often it is."""

import asyncio
import hashlib
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.notices import Notices
from alertd.core.raising import Raised, Raising
from alertd.core.words.notices import NotCleared, SensorsSilent
from alertd.domain.alert import AlertState
from alertd.domain.problems import Conflict, Forbidden, InFlight, Invalid, NotFound, Unavailable
from alertd.ingest.order import Order, Step
from alertd.ingest.post import Post
from alertd.ingest.record import Standing, dump, untold
from alertd.ingest.rules import EMPTY, Action, Stale
from alertd.ingest.trouble import Trouble
from alertd.ports.clock import Clock
from alertd.ports.stores.kept import KeptStore

RULE: Final = "rule/"
REST: Final = 30.0
"""Seconds until an order that met a fault of ours is tried again."""
SILENCE_REPEATED: Final = 3600.0
"""Seconds between two notices of a rule's silent sensors; what falls silent meanwhile is told together."""
COOL: Final = 300.0
"""Seconds until a matter that was refused is raised again, if it goes on."""


class Clerk:
    """Nothing here raises for a fault in one rule's work, except `save`."""

    def __init__(
        self,
        store: KeptStore,
        raising: Raising,
        notices: Notices,
        clock: Clock,
        log: FilteringBoundLogger,
        trouble: Trouble,
    ) -> None:
        self._store = store
        self._raising = raising
        self._notices = notices
        self._clock = clock
        self._log = log
        self._trouble = trouble

    async def act(self, post: Post) -> None:
        """Do what waits, in order. What cannot be done now waits for the next turn. What somebody else is keeping now
        is waited for: if that fails, it is not kept."""
        if not post.wants_work and not post.lock.locked():
            return
        async with post.lock:
            try:
                await self._work(post)
            except (Unavailable, InFlight) as error:
                self._log.error(
                    "what a rule found waits: the store takes nothing now", rule=post.rule.name, error=str(error)
                )
            except Exception:  # noqa: BLE001 - the other rules go on, and this one at the next turn
                self._trouble.faulted(post.rule.name)

    async def tell_silent(self, post: Post) -> None:
        """The officers hear of the sensors that fell silent, of one rule once an hour at most. Before its memory is
        kept, and under a key made of the evidence: a crash in between repeats nothing."""
        now = self._clock.monotonic()
        if not post.silent or (post.silence_told is not None and now - post.silence_told < SILENCE_REPEATED):
            return
        silent = post.still_silent() if post.rule.tell_officers else {}
        if silent:
            notice = SensorsSilent(post.rule.name, tuple(silent), tuple(silent.values()))
            digest = hashlib.sha256("\n".join(silent.values()).encode()).hexdigest()[:20]
            try:
                page = await self._notices.tell(f"sensors-{post.rule.name}-{digest}", notice)
            except Unavailable as error:
                self._log.error("a notice of silent sensors waits", rule=post.rule.name, error=str(error))
                return
            except Exception:  # noqa: BLE001 - the other rules have their turn
                self._trouble.faulted(post.rule.name)
                page = ""
            post.silence_told = now
            if page is None:  # there was nobody to tell: there may be, next time
                post.silent[:] = [Stale(post.rule.name, tuple(silent), tuple(silent.values()))]
                return
        post.silent.clear()

    async def save(self, post: Post) -> None:
        """Make durable what is remembered. Raises Unavailable."""
        async with post.lock:
            if post.dirty:
                await self._save(post)

    async def _work(self, post: Post) -> None:
        """What was done is kept once for many orders: done again after a crash, under its key, it changes nothing."""
        kept: dict[str, Order] = {}
        while True:
            order = post.next_order(self._clock.monotonic())
            if post.dirty and (post.due or order is None or kept.get(order.key) is not order):
                kept = {one.key: one for one in post.record.waiting}
                await self._save(post)
                continue
            if order is None:
                return
            post.begun.add(order.key)
            try:
                stands = await self._done(post, order)
            except (Unavailable, InFlight):
                raise
            except Exception:  # noqa: BLE001 - its other matters go on; this order is kept
                post.resting[order.key] = self._clock.monotonic() + REST
                self._trouble.faulted(post.rule.name, order)
            else:
                _settle(post, order, stands)

    async def _save(self, post: Post) -> None:
        record, due = post.record, post.due
        post.dirty = post.due = False
        try:
            content = await asyncio.to_thread(dump, record)
            await self._store.keep(RULE + post.rule.name, content)
        except BaseException:
            post.dirty, post.due = True, post.due or due
            raise

    async def _done(self, post: Post, order: Order) -> Standing | None:
        """What stands afterwards; where it can never be done, what stood."""
        standing = post.record.standing.get(order.matter)
        try:
            raised, asked = await self._step(post, order, standing)
        except InFlight:
            raise
        except (Invalid, Forbidden, NotFound, Conflict) as error:
            if order.step is Step.CLEAR and standing is not None:
                await self._uncleared(order, standing, error)
            self._refused(post, order, error)
            return None if order.step is Step.CLEAR else standing
        self._trouble.over(order.rule, order.matter)
        self._log.warning(
            "a rule acted",
            rule=order.rule,
            step=order.step,
            alert=raised.id if raised else None,
            evidence=list(order.evidence),
        )
        if order.step is Step.CLEAR or raised is None:
            return None
        # An Update that waits for an officer has followed nothing yet.
        also = standing.also if standing is not None and raised.state is AlertState.DRAFT else ()
        return Standing(raised.id, order.source, order.said_as, order.until, order.submission.info, asked, also)

    async def _uncleared(self, order: Order, standing: Standing, error: Exception) -> None:
        """Those who were told do not hear that it is over: a person must know. Raises Unavailable."""
        notice = NotCleared(order.rule, standing.alert_id, str(error), order.evidence)
        await self._notices.tell(f"clear-{order.key}", notice)
        self._trouble.uncleared(order.rule, order.matter)

    def _refused(self, post: Post, order: Order, error: Exception) -> None:
        """While it goes on it is raised again, but not with every word that repeats it."""
        self._trouble.refused(order.rule, order.matter, order.evidence, error)
        if order.step is Step.RAISE:
            post.cooling[order.matter] = self._clock.monotonic() + COOL
            memory = post.record.memory
            post.record = replace(
                post.record, memory=untold(memory, EMPTY._replace(sendings=memory.sendings), order.matter)
            )

    async def _step(self, post: Post, order: Order, standing: Standing | None) -> tuple[Raised | None, bool]:
        """And whether persons alone decide on the matter from now on. None for the end of what could not be told:
        nobody waits for it.

        A rule that no longer may, since a reload, sends nothing by itself.
        """
        raising, said, rule, key, evidence = self._raising, order.submission, order.rule, order.key, order.evidence
        asked = standing is not None and standing.asked
        alone = order.unattended and post.rule.action is Action.SEND and not asked
        if order.step is Step.RAISE or (standing is None and order.step is Step.CHANGE):
            raised = await raising.raise_alert(said, rule=rule, unattended=alone, evidence=evidence, key=key)
            return raised, asked
        if standing is None:
            return None, False
        about, also = standing.alert_id, standing.also
        if order.step is Step.CHANGE:
            try:
                raised = await raising.change(
                    about, said, also=also, rule=rule, unattended=alone, evidence=evidence, key=key
                )
            except InFlight:
                raise
            except (Invalid, Forbidden, NotFound, Conflict) as error:
                return await self._asked(order, about, error), True
            return raised, asked
        why = "; ".join(evidence)
        ended = await raising.all_clear(
            about, said, also=also, rule=rule, unattended=alone, evidence=evidence, key=key, reason=why
        )
        return ended, asked

    async def _asked(self, order: Order, about: str, error: Exception) -> Raised:
        """The alert cannot be changed, for a person has taken it over: a person is asked, with a draft of its own."""
        self._log.warning("a rule's alert cannot be changed: a draft is made", rule=order.rule, error=str(error))
        evidence = (*order.evidence, f"Alert {about} could not be changed: {error}")
        key = f"{order.key}.draft"
        return await self._raising.raise_alert(
            order.submission, rule=order.rule, unattended=False, evidence=evidence, key=key
        )


def _settle(post: Post, order: Order, stands: Standing | None) -> None:
    standing = {matter: kept for matter, kept in post.record.standing.items() if matter != order.matter}
    if stands is not None:
        standing[order.matter] = stands
    waiting = tuple(other for other in post.record.waiting if other.key != order.key)
    post.record, post.dirty = replace(post.record, standing=standing, waiting=waiting), True
    post.begun.discard(order.key)
    post.resting.pop(order.key, None)
