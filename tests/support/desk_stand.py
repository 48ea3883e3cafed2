"""A desk with what surrounds it: a store that keeps, a core that raises, a clock that stands still."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import structlog

from alertd.core.metrics import Metrics
from alertd.core.notices import Notices
from alertd.core.raising import Raised, Raising
from alertd.core.readiness import Readiness
from alertd.core.submission import Submission
from alertd.core.words.notices import Notice
from alertd.domain.alert import AlertState
from alertd.domain.problems import Unavailable
from alertd.domain.signal import Heard, Signal
from alertd.ingest.desk import Desk
from alertd.ingest.drafting import Drafter
from alertd.ingest.gauges import Gauges
from alertd.ingest.hearing import Hearing
from alertd.ingest.kinds import options_of
from alertd.ingest.rules import Rule
from alertd.ingest.source import Pushed, SourceSpec
from alertd.ingest.wording import AlertTemplate
from alertd.ports.adapter import Service
from alertd.ports.territory import Territory
from alertd.territory import load_territory
from tests.support.clock import ManualClock

ROOT = Path(__file__).resolve().parents[2]
SERVICE = Service("Comune di Prova", "prova@comune.example.it", ("it-IT",), "Europe/Rome", "")
FLOOD = AlertTemplate.model_validate(
    {"category": ["Met"], "text": {"it-IT": {"event": "Piena", "headline": "{sensor}: {value} {unit}"}}}
)
_TERRITORY: list[Territory] = []


def territory() -> Territory:
    if not _TERRITORY:
        _TERRITORY.append(load_territory(sorted((ROOT / "config" / "zones").glob("*.geojson")), name="Prova"))
    return _TERRITORY[0]


@dataclass
class Kept:
    """What survives a crash. `broken`: it takes nothing now."""

    things: dict[str, bytes] = field(default_factory=dict)
    broken: bool = False

    async def keep(self, name: str, content: bytes) -> None:
        if self.broken:
            raise Unavailable("the disk is full")
        self.things[name] = content

    async def kept(self) -> Mapping[str, bytes]:
        return dict(self.things)


@dataclass
class Core:
    """What rules had raised, each step once for its key. `fails` is raised in place of the next answers."""

    steps: list[tuple[str, str, Submission, bool]] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fails: list[BaseException] = field(default_factory=list)
    dies_after: bool = False
    asked: int = 0

    def _step(self, kind: str, about: str, submission: Submission, unattended: bool, key: str) -> Raised:
        self.asked += 1
        if self.fails:
            raise self.fails.pop(0)
        if key not in self.answers:
            self.answers[key] = f"alert{len(self.answers) + 1}"
            self.steps.append((kind, about, submission, unattended))
        if self.dies_after:
            raise KeyboardInterrupt
        return Raised(self.answers[key], AlertState.DRAFT)

    async def raise_alert(
        self, submission: Submission, *, rule: str, unattended: bool, evidence: Sequence[str], key: str
    ) -> Raised:
        return self._step("raise", "", submission, unattended, key)

    async def change(self, alert_id: str, submission: Submission, *, key: str, **more: Any) -> Raised:
        self.also[key] = tuple(more["also"])
        return self._step("change", alert_id, submission, more["unattended"], key)

    async def all_clear(self, alert_id: str, submission: Submission, *, key: str, **more: Any) -> Raised:
        self.also[key] = tuple(more["also"])
        return self._step("clear", alert_id, submission, more["unattended"], key)


@dataclass
class Officers:
    """What they were told, each once for its key. `fails` is raised in place of the next."""

    enrolled: bool = True
    told: dict[str, Notice] = field(default_factory=dict)
    fails: list[Exception] = field(default_factory=list)

    async def tell(self, key: str, notice: Notice, *, after: str | None = None) -> str | None:
        if self.fails:
            raise self.fails.pop(0)
        if not self.enrolled:
            return None
        self.told.setdefault(key, notice)
        return f"{key}-notice"


def spec(name: str = "pesa", reader: str = "number", *, stale_after: float | None = None, **options: Any) -> SourceSpec:
    return SourceSpec(name, reader, options_of(reader).model_validate(options), Pushed(), stale_after)


class DeskStand:
    """One desk after another on the same store and core, as after a crash."""

    def __init__(self, *rules: Rule, templates: Mapping[str, AlertTemplate] | None = None) -> None:
        self.rules = rules
        self.templates = templates or {"piena": FLOOD}
        self.clock = ManualClock()
        self.store = Kept()
        self.core = Core()
        self.officers = Officers()
        self.keys = itertools.count()
        self.desk = self.reborn()

    def reborn(self) -> Desk:
        """The daemon died: only what was kept is left."""
        self.gauges = Gauges(Metrics().registry)
        self.readiness = Readiness()
        drafter = Drafter(lambda: SERVICE, territory, lambda: self.templates)
        self.desk = Desk(
            self.store,
            cast("Raising", self.core),
            drafter,
            self.clock,
            structlog.get_logger(),
            self.gauges,
            readiness=self.readiness,
            notices=cast("Notices", self.officers),
            new_key=lambda: f"key{next(self.keys)}",
        )
        return self.desk

    async def start(self) -> None:
        await self.desk.start(self.rules)

    async def says(self, *signals: Signal, source: SourceSpec | None = None) -> bool:
        hearing = Hearing(source or spec(signals[0].source), territory)
        return await self.desk.take(hearing, Heard(signals))

    async def reads(self, value: float, *, minutes: float = 1.0, sensor: str = "pesa-1") -> bool:
        """One more reading of the gauge, a while later."""
        await self.clock.advance(minutes * 60)
        at = self.clock.now()
        return await self.says(Signal("pesa", sensor, f"{at}", at, sensor=sensor, value=value, unit="m"))
