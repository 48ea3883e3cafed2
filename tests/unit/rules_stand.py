"""A rule under test with its memory and its clocks: say something, and see what it finds."""

from datetime import datetime, timedelta
from typing import Any

from alertd.domain.signal import Signal
from alertd.ingest.rules import EMPTY, Finding, Memory, Moment, Rule, Tick, evaluate, ready
from tests.support.clock import START


def rule(reading: dict[str, Any] | None = None, match: dict[str, Any] | None = None, **more: Any) -> Rule:
    """A valid rule; `reading` and `match` are its tables."""
    table: dict[str, Any] = {
        "name": "prova",
        "template": "piena",
        "match": {"source": "pesa", **(match or {})},
        **({"reading": reading} if reading is not None else {}),
        **({} if "zones_by_code" in more else {"zones": ["048028"]}),
        **more,
    }
    return Rule.model_validate(table)


class Stand:
    """`minute` is where both clocks stand; `jump` moves the wall clock alone."""

    def __init__(self, tested: Rule, memory: Memory = EMPTY) -> None:
        self.ready = ready(tested)
        self.memory = memory
        self.minute = 0.0
        self.jumped = timedelta(0)
        self.count = 0

    @property
    def now(self) -> Moment:
        return Moment(self.wall, 1000.0 + self.minute * 60)

    @property
    def wall(self) -> datetime:
        return START + timedelta(minutes=self.minute) + self.jumped

    def says(self, said: Signal | Tick) -> Finding:
        self.memory, finding = evaluate(self.ready, self.memory, said, self.now)
        return finding

    def reads(self, value: float | None, sensor: str = "pesa-1", *, at: datetime | None = None, **more: Any) -> Finding:
        """One reading, dated by the wall clock unless said otherwise."""
        self.count += 1
        more.setdefault("revision", f"r{self.count}")
        reading = {"key": sensor, "event": "livello", "unit": "m", "sensor": sensor, "value": value, **more}
        return self.says(Signal(source="pesa", at=at or self.wall, **reading))

    def after(self, minutes: float, value: float | None, sensor: str = "pesa-1", **more: Any) -> Finding:
        self.minute += minutes
        return self.reads(value, sensor, **more)

    def tick(self, minutes: float) -> Finding:
        self.minute += minutes
        return self.says(Tick())

    def warns(self, key: str = "k1", revision: str = "a", **more: Any) -> Finding:
        more.setdefault("at", self.wall)
        return self.says(Signal(source="pesa", key=key, revision=revision, **more))
