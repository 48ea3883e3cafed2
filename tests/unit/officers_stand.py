"""The officers' desk: intake, rules and pager on a real store, and a clock that stands still until it is moved."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from structlog.testing import CapturingLogger

from alertd.core.accepting import IntakeParts
from alertd.core.approve import Approvals
from alertd.core.audience import Carrier
from alertd.core.fittings import Fittings
from alertd.core.handover import Handover
from alertd.core.intake import Intake
from alertd.core.letters import Letters
from alertd.core.pager import Pager
from alertd.core.raising import Raised, Raising
from alertd.core.storm import Reminding
from alertd.core.submission import Submission
from alertd.domain.alert import Area, Category, Certainty, Info, MsgType, Purpose, Scope, Severity, Status, Urgency
from alertd.domain.delivery import State
from alertd.domain.subscriber import Cohort, Endpoint
from alertd.identity import new_id
from alertd.ports.adapter import Service
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.territory import Territory
from alertd.storage import Store
from alertd.territory import load_territory
from tests.integration.store_stand import NOW, a_subscriber, opened, plan_all, sent
from tests.support.clock import ManualClock

ROOT = Path(__file__).resolve().parents[2]
SERVICE = Service(
    "Comune di Prova", "prova@comune.example.it", ("it-IT", "en-GB"), "Europe/Rome", "https://allerta.example.it"
)
EVERY_PURPOSE = frozenset(Purpose)
CARRIERS = (
    Carrier("push", "webpush", broadcast=False, exercise=False, purposes=EVERY_PURPOSE, provable=State.ACCEPTED),
    Carrier("square", "telegram", broadcast=True, exercise=True, purposes=EVERY_PURPOSE, provable=State.DELIVERED),
)
OFFICER = Token("anna", "", frozenset({"alerts:approve"}), None, NOW)


@cache
def boundaries() -> Territory:
    return load_territory(sorted((ROOT / "config" / "zones").glob("*.geojson")))


@dataclass
class Desk:
    """`carriers` and `reminding` are asked each time, so that a test may change them."""

    store: Store
    folder: Path
    clock: ManualClock
    log: CapturingLogger = field(default_factory=CapturingLogger)
    carriers: tuple[Carrier, ...] = CARRIERS
    reminding: Reminding = field(default_factory=lambda: Reminding(timedelta(minutes=5)))

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Everything that is only in memory is gone."""
        log = structlog.wrap_logger(self.log, wrapper_class=structlog.make_filtering_bound_logger(0))
        self.fit = Fittings(self.clock, log)
        letters = Letters(self.store)
        self.parts = IntakeParts(
            store=self.store,
            fittings=self.fit,
            new_id=new_id,
            service=lambda: SERVICE,
            territory=boundaries,
            carriers=lambda: list(self.carriers),
            lifetimes=lambda: dict.fromkeys(Purpose, timedelta(hours=24)),
            handover=Handover(self.store, letters, self.fit),
        )
        self.intake = Intake(self.parts)
        self.raising = Raising(self.intake, self.store, self.clock, self.fit.bells)
        self.approvals = Approvals(self.store, self.clock, self.fit.bells, self.fit.revoked)
        self.pager = Pager(self.store, self.parts, lambda: self.reminding)

    async def enrol(self, name: str, cohort: Cohort, **changes: Any) -> None:
        wish = {"zones": ("048014",), "cohort": cohort, **changes}
        await self.store.enrol([a_subscriber(name, Endpoint("push", name), **wish)], actor="import")

    async def draft(self, key: str = "k1", **changes: Any) -> Raised:
        terms = {"rule": "fiume", "unattended": False, "evidence": ["gauge arno-1: 3.41 m > 3.00 m"], "key": key}
        return await self.raising.raise_alert(river(), **{**terms, **changes})

    async def round(self) -> None:
        """One look of the pager, and everything it accepted is planned and carried."""
        await self.pager.round()
        await self.carry()

    async def carry(self) -> None:
        for _ in range(3):  # what follows another waits until that is out
            await plan_all(self.store, now=self.clock.now())
            for channel in ("push", "square"):
                await sent(self.store, channel, now=self.clock.now())

    async def later(self, **length: float) -> None:
        await self.clock.advance(timedelta(**length).total_seconds())

    async def pages(self) -> list[StoredAlert]:
        """Oldest first."""
        found = await self.store.list_alerts(limit=1_000)
        return [stored for stored in reversed(found) if stored.created_by == "pager"]

    async def told(self, alert_id: str) -> list[tuple[str, str]]:
        """(channel, address) of every delivery."""
        rows = await self.store.deliveries(alert_id, channel=None, state=None, limit=100, after=0)
        return [(row.channel, row.address) for row in rows]


@asynccontextmanager
async def a_desk(folder: Path) -> AsyncIterator[Desk]:
    async with opened(folder) as store:
        yield Desk(store, folder, ManualClock(NOW))


@asynccontextmanager
async def a_staffed_desk(folder: Path) -> AsyncIterator[Desk]:
    """With an officer, and a citizen of Montelupo."""
    async with a_desk(folder) as desk:
        await desk.enrol("capo", Cohort.OFFICERS)
        await desk.enrol("citizen", Cohort.PUBLIC, zones=("048028",))
        yield desk


def river(**changes: Any) -> Submission:
    info = Info(
        "it-IT",
        (Category.MET,),
        "Piena dell'Arno",
        Urgency.EXPECTED,
        Severity.SEVERE,
        Certainty.OBSERVED,
        expires=NOW + timedelta(hours=2),
        headline="L'Arno sale a Montelupo",
        description="Livello in crescita.",
        instruction="Salite ai piani alti.",
        area=(Area("", ("048028",)),),
    )
    submission = Submission(Purpose.EMERGENCY, Status.ACTUAL, MsgType.ALERT, Scope.PUBLIC, (info,))
    return replace(submission, **changes)
