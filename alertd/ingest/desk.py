"""Where what sources say meets the rules, and what the rules find becomes drafts and alerts.

A finding is kept (with the memory that knows of it) before it is acted on, and acted on under a key that stays the
same: a crash anywhere in between neither loses it nor raises it twice. What a reading merely added to a memory is kept
every few seconds. A fault in one rule keeps no other from its work, and the daemon from none.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.notices import Notices
from alertd.core.raising import Raising
from alertd.core.readiness import Readiness
from alertd.domain.problems import Unavailable
from alertd.domain.signal import Heard, Signal
from alertd.ingest.aside import Aside
from alertd.ingest.clerk import COOL, RULE, Clerk
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.order import Order, Step
from alertd.ingest.post import Post
from alertd.ingest.record import Record, load, untold
from alertd.ingest.rules import (
    Action,
    Change,
    Clear,
    Doubted,
    Finding,
    Fire,
    Memory,
    Moment,
    Nothing,
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
from alertd.ingest.trouble import Trouble
from alertd.ports.clock import Clock
from alertd.ports.stores.kept import KeptStore

KEEP_EVERY: Final = 10.0
"""Seconds between two looks at the clock: what fell silent, what is to be kept, what is to be tried again."""
TURN: Final = 0.001
"""Seconds of judging after which the rest of the daemon has its turn."""
_THREADED: Final = frozenset({"cap", CAP_FEED, "meteoalarm"})
_THREADS: Final = "threads/"
_STEPS: Final[Mapping[type, Step]] = {Fire: Step.RAISE, Change: Step.CHANGE, Clear: Step.CLEAR}


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
        readiness: Readiness,
        notices: Notices,
        new_key: Callable[[], str],
    ) -> None:
        self._store = store = Aside(store, log, readiness)
        self._drafter = drafter
        self._clock = clock
        self._log = log
        self._gauges = gauges
        self._new_key = new_key
        self._trouble = Trouble(clock, log, gauges, readiness)
        self._clerk = Clerk(store, raising, notices, clock, log, self._trouble)
        self._posts: dict[str, Post] = {}
        self._retired: dict[str, Post] = {}
        self._threads: dict[str, Threads] = {}
        self._kept: dict[str, bytes] = {}
        self._unstarted: tuple[Rule, ...] | None = None

    # --- life -------------------------------------------------------------------------------------------------------

    async def start(self, rules: Iterable[Rule]) -> None:
        """Remember what was kept; what was found and not acted on is acted on now. Never raises: while what was kept
        cannot be read no rule works, and it is tried again."""
        self._unstarted = tuple(rules)
        try:
            self._kept = dict(await self._store.kept())
        except Exception as error:  # noqa: BLE001 - people can warn without rules, but not without a daemon
            self._trouble.unknown(error)
            return
        wanted, self._unstarted = self._unstarted, None
        self._trouble.unknown(None)
        self.apply(wanted)
        for post in tuple(self._posts.values()):
            await self._clerk.act(post)

    def apply(self, rules: Iterable[Rule]) -> None:
        """From now on these rules. One that has another's name has its memory."""
        wanted = {rule.name: rule for rule in rules}
        if self._unstarted is not None:
            self._unstarted = tuple(wanted.values())
            return
        self._retired |= {name: post for name, post in self._posts.items() if name not in wanted}
        posts = {name: post for name, rule in wanted.items() if (post := self._post(rule)) is not None}
        self._posts = posts

    def _post(self, rule: Rule) -> Post | None:
        """None for a rule that fails before it has begun: it is left out, loudly."""
        try:
            made = ready(rule)
            if known := self._posts.get(rule.name):
                known.ready = made
                return known
            if back := self._retired.pop(rule.name, None):
                memory = resumed(back.record.memory, Moment.of(self._clock))
                back.ready, back.record, back.dirty = made, replace(back.record, memory=memory), True
                return back
            content = self._kept.get(RULE + rule.name)
            record = Record() if content is None else self._recalled(rule.name, content)
            self._kept.pop(RULE + rule.name, None)
            return Post(made, record, begun={order.key for order in record.waiting})
        except Exception:  # noqa: BLE001 - see above
            self._trouble.faulted(rule.name)
            return None

    def _recalled(self, rule: str, content: bytes) -> Record:
        try:
            record = load(content)
        except ValueError as error:
            self._store.unreadable(RULE + rule, content, error)
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
        if self._unstarted is not None:
            await self.start(self._unstarted)
        now = Moment.of(self._clock)
        for post in tuple(self._posts.values()):
            post.cooling = {matter: until for matter, until in post.cooling.items() if until > now.steady}
            try:
                self._lapse(post, now.at)
            except Exception:  # noqa: BLE001 - the other rules have their turn
                self._trouble.faulted(post.rule.name)
            self._evaluate(post, Tick(), now)
            await self._clerk.act(post)
            await self._clerk.tell_silent(post)
        self._trouble.look()
        await self.keep()

    async def keep(self) -> None:
        """Make durable what was remembered since the last time."""
        try:
            for name, threads in tuple(self._threads.items()):  # first: what follows from them rests on them
                if threads.changed:
                    await self._keep_threads(name, threads)
            for post in (*self._posts.values(), *self._retired.values()):
                await self._keep(post)
        except Unavailable as error:
            self._log.error("what rules remember cannot be kept now", error=str(error))

    async def _keep(self, post: Post) -> None:
        try:
            await self._clerk.save(post)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 - what the others remember is kept
            self._trouble.faulted(post.rule.name)

    async def _keep_followed(self, source: str) -> bool:
        """What belongs together is durable before what follows from it."""
        threads = self._threads.get(source)
        if threads is None or not threads.changed:
            return True
        try:
            await self._keep_threads(source, threads)
        except Unavailable as error:
            self._log.error("what a source's messages follow cannot be kept now", source=source, error=str(error))
            return False
        return True

    async def _keep_threads(self, name: str, threads: Threads) -> None:
        threads.changed = False
        try:
            await self._store.keep(_THREADS + name, threads.dump())
        except BaseException:
            threads.changed = True
            raise

    # --- what is said -----------------------------------------------------------------------------------------------

    async def take(self, hearing: Hearing, heard: Heard) -> bool:
        """Every signal against every rule; whether all that follows from them is durable. Never raises."""
        if self._unstarted is not None:
            return not self._unstarted
        if not self._posts:
            return True
        try:
            busy = await self._judge_all(hearing, heard.signals)
        except Exception:  # noqa: BLE001 - what one source says wrong keeps no other from being heard
            self._log.exception("what a source said could not be judged", source=hearing.spec.name)
            return False
        if not await self._keep_followed(hearing.spec.name):
            return False
        for post in busy:
            await self._clerk.act(post)
        return not any(post.due for post in busy)

    async def _judge_all(self, hearing: Hearing, signals: Sequence[Signal]) -> Sequence[Post]:
        """The rules that have something to do, once all was judged: what ends in the same breath is never begun."""
        busy: dict[str, Post] = {}
        began = self._clock.monotonic()
        for signal in self._threaded(hearing, signals):
            busy |= {post.rule.name: post for post in self._judge(signal)}
            if self._clock.monotonic() - began >= TURN:
                await asyncio.sleep(0)
                began = self._clock.monotonic()
        return tuple(busy.values())

    def _threaded(self, hearing: Hearing, signals: Sequence[Signal]) -> Iterable[Signal]:
        spec = hearing.spec
        if spec.reader not in _THREADED:
            return signals if len(signals) <= 1 else sorted(signals, key=lambda signal: signal.at)
        known = [key for post in self._posts.values() for key in post.known(spec.name)]
        threads = self._thread(spec.name)
        followed = threads.follow_all(signals, known)
        for post in self._posts.values():
            post.rename(spec.name, threads.renamed)
        return followed

    def _thread(self, source: str) -> Threads:
        if source not in self._threads:
            threads = self._threads[source] = Threads()
            if content := self._kept.pop(_THREADS + source, None):
                try:
                    threads.load(content)
                except ValueError as error:
                    self._store.unreadable(_THREADS + source, content, error)
        return self._threads[source]

    def _judge(self, signal: Signal) -> list[Post]:
        """Without a pause, so that thousands of readings a second can pass; the rules that now have something to do."""
        busy = []
        now: Moment | None = None
        for post in tuple(self._posts.values()):
            if not post.ready.source.holds(signal):
                continue
            now = now or Moment.of(self._clock)
            self._evaluate(post, signal, now)
            if post.due:
                busy.append(post)
        return busy

    def _evaluate(self, post: Post, said: Signal | Tick, now: Moment) -> None:
        """A rule that fails on a signal is loud, and keeps no other rule from judging it."""
        try:
            before = post.record.memory
            memory, finding = evaluate(post.ready, before, said, now)
            if isinstance(finding, (Fire, Change)) and post.cooling.get(finding.matter, now.steady) > now.steady:
                memory, finding = untold(memory, before, finding.matter), Nothing(post.rule.name, ("refused of late",))
            if memory.evicted and not before.evicted:
                self._trouble.forgetful(post.rule.name)
            if memory is not before:
                post.record, post.dirty = replace(post.record, memory=memory), True
            if not isinstance(finding, Nothing):
                self._found(post, finding, before, now)
        except Exception:  # noqa: BLE001 - see above
            self._trouble.faulted(post.rule.name)

    # --- what is found ----------------------------------------------------------------------------------------------

    def _found(self, post: Post, finding: Finding, before: Memory, now: Moment) -> None:
        self._gauges.findings.labels(post.rule.name, type(finding).__name__.lower()).inc()
        match finding:
            case Stale(sensors=sensors, evidence=evidence):
                post.silent.append(finding)
                self._log.error(
                    "sensors are silent", rule=post.rule.name, sensors=list(sensors), evidence=list(evidence)
                )
            case Doubted(first=True, why=why, fault=fault):
                self._log.warning("a reading is not believed", rule=post.rule.name, fault=fault, why=list(why))
            case Doubted() | Nothing():
                return  # said once; the metric counts on
            case Fire() | Change() | Clear():
                try:
                    order = self._order(post, finding, now.at)
                except Exception as error:  # noqa: BLE001 - whatever it is, it must be tried again
                    self._unsayable(post, finding, before, now, error)
                    return
                if not post.add(order):
                    self._log.warning("over before anybody was told", rule=order.rule, evidence=list(order.evidence))

    def _unsayable(
        self, post: Post, finding: Fire | Change | Clear, before: Memory, now: Moment, error: Exception
    ) -> None:
        """The memory must not say that it was told: while it goes on it is tried again."""
        self._trouble.refused(post.rule.name, finding.matter, finding.evidence, error)
        post.cooling[finding.matter] = now.steady + COOL
        post.record = replace(post.record, memory=untold(post.record.memory, before, finding.matter))

    def _order(self, post: Post, finding: Fire | Change | Clear, now: datetime) -> Order:
        """Raises ValueError where no alert can be made of it."""
        signal = finding.signals[-1]
        submission = self._drafter.draft(post.rule, finding, now, post.told(finding.matter))
        ends = [info.expires for info in submission.info if info.expires]
        return Order(
            step=_STEPS[type(finding)],
            key=self._new_key(),
            rule=post.rule.name,
            matter=finding.matter,
            source=signal.source,
            said_as=signal.key,
            submission=submission,
            unattended=finding.action is Action.SEND,
            evidence=finding.evidence,
            until=max(ends) if ends else None,
        )

    def _lapse(self, post: Post, now: datetime) -> None:
        """What ended by itself no longer stands: if the matter goes on, it is told anew."""
        over = [matter for matter, kept in post.record.standing.items() if kept.until is not None and kept.until <= now]
        for matter in over:
            standing = {name: kept for name, kept in post.record.standing.items() if name != matter}
            memory = forget(post.record.memory, matter)
            post.record, post.dirty = replace(post.record, memory=memory, standing=standing), True
