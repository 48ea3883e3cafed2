"""A rule at work: what it is, what is kept of it, and what only this run of the daemon knows."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from alertd.domain.alert import Info
from alertd.ingest.order import Order, Step
from alertd.ingest.record import Record, joined
from alertd.ingest.rules import Ready, Rule, Stale, matter_of


@dataclass(slots=True)
class Post:
    """`dirty`: its record is ahead of what is kept; `due`: by something found, so that it must be kept now.

    `begun` are the keys of orders that may have been done already. `resting` says when an order that met a fault is
    tried again, by its key; `cooling` when a matter that was refused is, by its name; both on the steady clock.
    `silent` are silences the officers were not told of yet, `silence_told` when they last were, on the steady clock.
    `lock` is held whenever the record is kept: an older one must not come after a newer one.
    """

    ready: Ready
    record: Record = field(default_factory=Record)
    dirty: bool = False
    due: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    begun: set[str] = field(default_factory=set)
    resting: dict[str, float] = field(default_factory=dict)
    cooling: dict[str, float] = field(default_factory=dict)
    silent: list[Stale] = field(default_factory=list)
    silence_told: float | None = None

    @property
    def rule(self) -> Rule:
        return self.ready.rule

    def still_silent(self) -> Mapping[str, str]:
        """Those of `silent` that are silent now, each with the evidence."""
        sensors = (pair for matter in self.record.memory.matters.values() for pair in matter.sensors.items())
        quiet = {name for name, sensor in sensors if sensor.silent}
        said = (pair for one in self.silent for pair in zip(one.sensors, one.evidence, strict=True))
        return {name: evidence for name, evidence in said if name in quiet}

    @property
    def wants_work(self) -> bool:
        return self.due or bool(self.record.waiting)

    def known(self, source: str) -> Iterator[str]:
        """The keys of what the source said of which an alert stands or is about to be raised."""
        yield from (kept.said_as for kept in self.record.standing.values() if kept.source == source)
        yield from (order.said_as for order in self.record.waiting if order.source == source)

    def told(self, matter: str) -> tuple[Info, ...]:
        """What people were last told of it, or are about to be."""
        waiting = [order.submission.info for order in self.record.waiting if order.matter == matter]
        standing = self.record.standing.get(matter)
        return waiting[-1] if waiting else standing.told if standing else ()

    def rename(self, source: str, keys: Mapping[str, str]) -> None:
        """What the source said under these keys is known by others from now on; where two are one, so is all that was
        told of them."""
        for old, new in keys.items():
            matter = matter_of(source, old)
            if matter in self.record.standing or any(order.matter == matter for order in self.record.waiting):
                self.record, self.dirty = joined(self.record, matter, matter_of(source, new), new), True

    def add(self, order: Order) -> bool:
        """What is to be done too. False where it ends what nobody was told: then nothing of it is to be done."""
        ends_unsaid = order.step is Step.CLEAR and self._unsaid(order.matter)
        others = tuple(one for one in self.record.waiting if not (ends_unsaid and one.matter == order.matter))
        waiting = others if ends_unsaid else (*others, order)
        self.record, self.dirty, self.due = replace(self.record, waiting=waiting), True, True
        return not ends_unsaid

    def _unsaid(self, matter: str) -> bool:
        """Its raise waits, and nothing of it was begun: of what was begun nobody knows whether it was done."""
        waiting = [order for order in self.record.waiting if order.matter == matter]
        if not waiting or matter in self.record.standing or waiting[0].step is not Step.RAISE:
            return False
        return not any(order.key in self.begun for order in waiting)

    def next_order(self, now: float) -> Order | None:
        """What is to be done next: in order, but a matter that rests holds up no other."""
        resting = {order.matter for order in self.record.waiting if self.resting.get(order.key, now) > now}
        return next((order for order in self.record.waiting if order.matter not in resting), None)
