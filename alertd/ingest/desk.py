"""Where what sources say meets the rules, and what the rules find becomes drafts and alerts.

A finding is kept (with the memory that knows of it) before it is acted on, and acted on under a key that stays the
same: a crash anywhere in between neither loses it nor raises it twice. What a reading merely added to a memory is kept
every few seconds.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.raising import Raising
from alertd.domain.alert import Info
from alertd.domain.problems import Conflict, Forbidden, Invalid, NotFound, Unavailable
from alertd.domain.signal import Heard, Signal
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.order import Order, Step
from alertd.ingest.record import Record, Standing, dump, load
from alertd.ingest.rules import (
    Action,
    Change,
    Clear,
    Doubted,
    Finding,
    Fire,
    Moment,
    Nothing,
    Ready,
    Rule,
    Stale,
    Tick,
    evaluate,
    forget,
    ready,
    resumed,
)
from alertd.ingest.source import CAP_FEED
from alertd.ingest.threads import Threads
from alertd.ports.clock import Clock
from alertd.ports.stores import KeptStore

KEEP_EVERY: Final = 10.0
"""Seconds between two looks at the clock: what fell silent, what is to be kept, what is to be tried again."""
_THREADED: Final = frozenset({"cap", CAP_FEED, "meteoalarm"})
_RULE, _THREADS = "rule/", "threads/"


@dataclass(slots=True)
class _Post:
    """A rule at work. `dirty`: its memory is ahead of what is kept."""

    ready: Ready
    record: Record = field(default_factory=Record)
    dirty: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def rule(self) -> Rule:
        return self.ready.rule


class Desk:
    """`new_key` makes a name nobody used before."""

    def __init__(
        self,
        store: KeptStore,
        raising: Raising,
        drafter: Drafter,
        clock: Clock,
        log: FilteringBoundLogger,
        gauges: Gauges,
        *,
        new_key: Callable[[], str],
    ) -> None:
        self._store = store
        self._raising = raising
        self._drafter = drafter
        self._clock = clock
        self._log = log
        self._gauges = gauges
        self._new_key = new_key
        self._posts: dict[str, _Post] = {}
        self._threads: dict[str, Threads] = {}
        self._kept: dict[str, bytes] = {}

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self, rules: Iterable[Rule]) -> None:
        """Remember what was kept; what was found and not acted on is acted on now. Raises Unavailable."""
        self._kept = dict(await self._store.kept())
        self.apply(rules)
        for post in self._posts.values():
            await self._act(post)

    def apply(self, rules: Iterable[Rule]) -> None:
        """From now on these rules. One that has another's name has its memory."""
        wanted = {rule.name: rule for rule in rules}
        for name, post in self._posts.items():
            if name not in wanted:
                self._kept[_RULE + name] = dump(post.record)
        self._posts = {name: self._post(rule) for name, rule in wanted.items()}

    def _post(self, rule: Rule) -> _Post:
        known = self._posts.get(rule.name)
        if known is not None:
            known.ready = ready(rule)
            return known
        content = self._kept.pop(_RULE + rule.name, None)
        return _Post(ready(rule), Record() if content is None else self._recalled(rule.name, content))

    def _recalled(self, rule: str, content: bytes) -> Record:
        try:
            record = load(content)
        except ValueError as error:
            self._log.error("a rule's memory cannot be read; it begins anew", rule=rule, error=str(error))
            return Record()
        return replace(record, memory=resumed(record.memory, Moment.of(self._clock)))

    async def run(self) -> None:
        """Look at the clock every so often, until cancelled."""
        while True:
            await self._clock.sleep(KEEP_EVERY)
            try:
                await self.tick()
            except Exception:  # noqa: BLE001 - a fault of ours here must not end the daemon
                self._log.exception("a fault in the rules' turn")

    async def tick(self) -> None:
        """Time went by: silence is found, what failed is tried again, what was remembered is kept."""
        now = Moment.of(self._clock)
        for post in tuple(self._posts.values()):
            self._lapse(post, now.at)
            self._evaluate(post, Tick(), now)
            await self._act(post)
        await self.keep()

    async def keep(self) -> None:
        """Make durable what was remembered since the last time."""
        try:
            for post in tuple(self._posts.values()):
                if post.dirty:
                    await self._save(post)
            for name, threads in self._threads.items():
                if threads.changed:
                    threads.changed = False
                    await self._store.keep(_THREADS + name, threads.dump())
        except Unavailable as error:
            self._log.error("what rules remember cannot be kept now", error=str(error))

    # --- what is said -----------------------------------------------------------------------------------------------

    async def take(self, hearing: Hearing, heard: Heard) -> bool:
        """Every signal against every rule; whether all that follows from them is durable. Never raises."""
        if not self._posts:
            return True
        durable = True
        for signal in self._threaded(hearing, heard.signals):
            for post in self._judge(signal):
                await self._act(post)
                durable = durable and not post.record.waiting
        return durable

    def _threaded(self, hearing: Hearing, signals: Sequence[Signal]) -> Iterable[Signal]:
        spec = hearing.spec
        if spec.reader not in _THREADED:
            return signals if len(signals) <= 1 else sorted(signals, key=lambda signal: signal.at)
        known = [
            standing.said_as
            for post in self._posts.values()
            for standing in post.record.standing.values()
            if standing.source == spec.name
        ]
        return tuple(self._thread(spec.name).follow(signals, known))

    def _thread(self, source: str) -> Threads:
        if source not in self._threads:
            threads = self._threads[source] = Threads()
            if content := self._kept.pop(_THREADS + source, None):
                try:
                    threads.load(content)
                except ValueError as error:
                    self._log.error("what a source's messages follow cannot be read", source=source, error=str(error))
        return self._threads[source]

    def _judge(self, signal: Signal) -> list[_Post]:
        """Without a pause, so that thousands of readings a second can pass; the rules that now have something to do."""
        busy = []
        now: Moment | None = None
        for post in self._posts.values():
            if not post.ready.source.holds(signal):
                continue
            now = now or Moment.of(self._clock)
            self._evaluate(post, signal, now)
            if post.record.waiting:
                busy.append(post)
        return busy

    def _evaluate(self, post: _Post, said: Signal | Tick, now: Moment) -> None:
        """A rule that fails on a signal is loud, and keeps no other rule from judging it."""
        try:
            memory, finding = evaluate(post.ready, post.record.memory, said, now)
            if memory is not post.record.memory:
                post.record, post.dirty = replace(post.record, memory=memory), True
            if not isinstance(finding, Nothing):
                self._found(post, finding, now.at)
        except Exception:  # noqa: BLE001 - see above
            self._gauges.refused.labels(post.rule.name).inc()
            self._log.exception("a rule failed", rule=post.rule.name)

    # --- what is found ----------------------------------------------------------------------------------------------

    def _found(self, post: _Post, finding: Finding, now: datetime) -> None:
        self._gauges.findings.labels(post.rule.name, type(finding).__name__.lower()).inc()
        match finding:
            case Stale(sensors=sensors, evidence=evidence):
                self._log.error(
                    "sensors are silent", rule=post.rule.name, sensors=list(sensors), evidence=list(evidence)
                )
            case Doubted(first=True, why=why, fault=fault):
                self._log.warning("a reading is not believed", rule=post.rule.name, fault=fault, why=list(why))
            case Doubted() | Nothing():
                return  # said once; the metric counts on
            case Fire() | Change() | Clear():
                self._order(post, finding, now)

    def _order(self, post: _Post, finding: Fire | Change | Clear, now: datetime) -> None:
        rule, signal = post.rule, finding.signals[-1]
        try:
            submission = self._drafter.draft(rule, finding, now, _told(post.record, finding.matter))
        except ValueError as error:
            self._refused(rule.name, finding.matter, finding.evidence, error)
            return
        ends = [info.expires for info in submission.info if info.expires]
        order = Order(
            step=_STEPS[type(finding)],
            key=self._new_key(),
            rule=rule.name,
            matter=finding.matter,
            source=signal.source,
            said_as=signal.key,
            submission=submission,
            unattended=finding.action is Action.SEND,
            evidence=finding.evidence,
            until=max(ends) if ends else None,
        )
        post.record = replace(post.record, waiting=(*post.record.waiting, order))

    async def _act(self, post: _Post) -> None:
        """Do what waits, in order. What cannot be done now waits for the next tick."""
        if not post.record.waiting:
            return
        async with post.lock:
            try:
                while post.record.waiting:
                    if post.dirty:
                        await self._save(post)
                    order = post.record.waiting[0]
                    stands = await self._done(order, post.record.standing.get(order.matter))
                    self._settled(post, order, stands)
                await self._save(post)
            except Unavailable as error:
                self._log.error(
                    "what a rule found waits: the store takes nothing now", rule=post.rule.name, error=str(error)
                )

    async def _done(self, order: Order, standing: Standing | None) -> Standing | None:
        """What stands afterwards; where it can never be done, what stood."""
        try:
            alert_id = await self._step(order, standing)
        except (Invalid, Forbidden, NotFound, Conflict) as error:
            self._refused(order.rule, order.matter, order.evidence, error)
            return None if order.step is Step.CLEAR else standing
        self._log.warning(
            "a rule acted", rule=order.rule, step=order.step, alert=alert_id, evidence=list(order.evidence)
        )
        if order.step is Step.CLEAR or alert_id is None:
            return None
        return Standing(alert_id, order.source, order.said_as, order.until, order.submission.info)

    async def _step(self, order: Order, standing: Standing | None) -> str | None:
        """The alert's id; None for the end of what could not be told: nobody waits for it."""
        raising, said, rule, key = self._raising, order.submission, order.rule, order.key
        alone, evidence = order.unattended, order.evidence
        if order.step is Step.RAISE or (standing is None and order.step is Step.CHANGE):
            return (await raising.raise_alert(said, rule=rule, unattended=alone, evidence=evidence, key=key)).id
        if standing is None:
            return None
        about = standing.alert_id
        if order.step is Step.CHANGE:
            return (await raising.change(about, said, rule=rule, unattended=alone, evidence=evidence, key=key)).id
        why = "; ".join(evidence)
        done = await raising.all_clear(about, said, rule=rule, unattended=alone, evidence=evidence, key=key, reason=why)
        return done.id

    def _settled(self, post: _Post, order: Order, stands: Standing | None) -> None:
        standing = {matter: kept for matter, kept in post.record.standing.items() if matter != order.matter}
        if stands is not None:
            standing[order.matter] = stands
        waiting = tuple(other for other in post.record.waiting if other.key != order.key)
        post.record, post.dirty = replace(post.record, standing=standing, waiting=waiting), True

    def _lapse(self, post: _Post, now: datetime) -> None:
        """What ended by itself no longer stands: if the matter goes on, it is told anew."""
        over = [matter for matter, kept in post.record.standing.items() if kept.until is not None and kept.until <= now]
        for matter in over:
            standing = {name: kept for name, kept in post.record.standing.items() if name != matter}
            memory = forget(post.record.memory, matter)
            post.record, post.dirty = replace(post.record, memory=memory, standing=standing), True

    async def _save(self, post: _Post) -> None:
        record, post.dirty = post.record, False
        try:
            content = await asyncio.to_thread(dump, record)
            await self._store.keep(_RULE + post.rule.name, content)
        except BaseException:
            post.dirty = True
            raise

    def _refused(self, rule: str, matter: str, evidence: Sequence[str], error: Exception) -> None:
        self._gauges.refused.labels(rule).inc()
        self._log.error(
            "no alert can be made of what a rule found",
            rule=rule,
            matter=matter,
            error=str(error),
            evidence=list(evidence),
        )


def _told(record: Record, matter: str) -> tuple[Info, ...]:
    """What people were last told of it, or are about to be."""
    waiting = [order.submission.info for order in record.waiting if order.matter == matter]
    standing = record.standing.get(matter)
    return waiting[-1] if waiting else standing.told if standing else ()


_STEPS: Final[Mapping[type, Step]] = {Fire: Step.RAISE, Change: Step.CHANGE, Clear: Step.CLEAR}
