"""One word of a source, or the time that went by, before one rule: what it finds becomes an order of that rule."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.domain.signal import Signal
from alertd.ingest.clerk import COOL
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.order import Order, Step
from alertd.ingest.post import Post
from alertd.ingest.record import Record, untold
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
    Stale,
    Tick,
    evaluate,
    forget,
)
from alertd.ingest.trouble import Trouble

_STEPS: Final[Mapping[type, Step]] = {Fire: Step.RAISE, Change: Step.CHANGE, Clear: Step.CLEAR}


class Judge:
    """`new_key` makes a name nobody used before. A fault in one rule keeps no other from its work."""

    def __init__(
        self,
        drafter: Drafter,
        log: FilteringBoundLogger,
        gauges: Gauges,
        trouble: Trouble,
        new_key: Callable[[], str],
    ) -> None:
        self._drafter = drafter
        self._log = log
        self._gauges = gauges
        self._trouble = trouble
        self._new_key = new_key

    def judge_all(self, post: Post, signals: Sequence[Signal], now: Moment) -> None:
        """One after the other. What changes nothing is only remembered, and that once for all of them; but that a
        sensor counts, or counts no more, is kept before it is taken for heard."""
        memory, turned = post.record.memory, False
        for said in signals:
            try:
                after, finding = evaluate(post.ready, memory, said, now)
            except Exception:  # noqa: BLE001 - a rule that fails on one signal judges the next
                self._trouble.faulted(post.rule.name)
                continue
            if isinstance(finding, Nothing):
                memory, turned = after, turned or finding.turned
                continue
            self._remember(post, memory)
            self.judge(post, said, now)  # evaluated again, which gives the same
            memory = post.record.memory
        self._remember(post, memory)
        post.due = post.due or turned

    def _remember(self, post: Post, memory: Memory) -> None:
        record = post.record
        if memory is record.memory:
            return
        if memory.evicted and not record.memory.evicted:
            self._trouble.forgetful(post.rule.name)
        post.record, post.dirty = Record(memory, record.standing, record.waiting), True

    def judge(self, post: Post, said: Signal | Tick, now: Moment) -> None:
        """A rule that fails on a signal is loud, and keeps no other rule from judging it."""
        try:
            before = post.record.memory
            memory, finding = evaluate(post.ready, before, said, now)
            if isinstance(finding, (Fire, Change)) and post.cooling.get(finding.matter, now.steady) > now.steady:
                memory, finding = untold(memory, before, finding.matter), Nothing(post.rule.name, ("refused of late",))
            self._remember(post, memory)
            if not isinstance(finding, Nothing):
                self._found(post, finding, before, now)
        except Exception:  # noqa: BLE001 - see above
            self._trouble.faulted(post.rule.name)

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

    def lapse(self, post: Post, now: datetime) -> None:
        """What ended by itself no longer stands: if the matter goes on, it is told anew."""
        over = [matter for matter, kept in post.record.standing.items() if kept.until is not None and kept.until <= now]
        for matter in over:
            standing = {name: kept for name, kept in post.record.standing.items() if name != matter}
            memory = forget(post.record.memory, matter)
            post.record, post.dirty = replace(post.record, memory=memory, standing=standing), True
