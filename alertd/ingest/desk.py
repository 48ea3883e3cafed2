"""Where what sources say meets the rules, and what the rules find becomes drafts and alerts.

A finding is kept (with the memory that knows of it) before it is acted on, and acted on under a key that stays the
same: a crash anywhere in between neither loses it nor raises it twice. What a reading merely added to a memory is kept
every few seconds. A fault in one rule keeps no other from its work, and the daemon from none.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.notices import Notices
from alertd.core.raising import Raising
from alertd.core.readiness import Readiness
from alertd.domain.problems import Unavailable
from alertd.domain.signal import Heard, Signal
from alertd.ingest.aside import Aside
from alertd.ingest.clerk import RULE, Clerk
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.judging import Judge
from alertd.ingest.post import Post
from alertd.ingest.record import Record, load
from alertd.ingest.rules import Moment, Rule, Tick, ready, resumed
from alertd.ingest.source import CAP_FEED
from alertd.ingest.threads import Threads
from alertd.ingest.trouble import Trouble
from alertd.ports.clock import Clock
from alertd.ports.stores.kept import KeptStore

KEEP_EVERY: Final = 10.0
"""Seconds between two looks at the clock: what fell silent, what is to be kept, what is to be tried again."""
TURN: Final = 0.001
"""Seconds of judging after which the rest of the daemon has its turn."""
AT_ONCE: Final = 8
"""Signals one rule judges between two looks at the clock."""
_THREADED: Final = frozenset({"cap", CAP_FEED, "meteoalarm"})
_THREADS: Final = "threads/"


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
        self._clock = clock
        self._log = log
        self._trouble = Trouble(clock, log, gauges, readiness)
        self._judge = Judge(drafter, log, gauges, self._trouble, new_key)
        self._clerk = Clerk(store, raising, notices, clock, log, self._trouble)
        self._posts: dict[str, Post] = {}
        self._retired: dict[str, Post] = {}
        self._threads: dict[str, Threads] = {}
        self._kept: dict[str, bytes] = {}
        self._unstarted: tuple[Rule, ...] | None = None

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
        self._posts = {name: post for name, rule in wanted.items() if (post := self._post(rule)) is not None}

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
                self._judge.lapse(post, now.at)
            except Exception:  # noqa: BLE001 - the other rules have their turn
                self._trouble.faulted(post.rule.name)
            self._judge.judge(post, Tick(), now)
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
        try:
            if threads is not None and threads.changed:
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
        """Every signal against every rule; whether all that follows, from these and from any before them, is durable.
        Never raises."""
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
        source, clock, busy = hearing.spec.name, self._clock, set[str]()
        listening, now = self._listening(source), Moment.of(clock)
        for few in _few(self._threaded(hearing, signals), len(listening)):
            for post in listening:
                self._judge.judge_all(post, few, now)
            busy.update(post.rule.name for post in listening if post.due)  # others may begin to keep it meanwhile
            if clock.monotonic() - now.steady >= TURN:
                await asyncio.sleep(0)
                listening, now = self._listening(source), Moment.of(clock)
        return [post for post in self._listening(source) if post.due or post.rule.name in busy]

    def _listening(self, source: str) -> Sequence[Post]:
        return [post for post in self._posts.values() if post.ready.hears(source)]

    def _threaded(self, hearing: Hearing, signals: Sequence[Signal]) -> Sequence[Signal]:
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


def _few(signals: Sequence[Signal], rules: int) -> Iterator[Sequence[Signal]]:
    """So few at once that judging them by every rule takes a part of a TURN."""
    step = max(1, AT_ONCE // max(1, rules))
    return (signals[at : at + step] for at in range(0, len(signals), step))
