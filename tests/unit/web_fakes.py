"""The web floor on small in-memory stand-ins of the store, with the real core verbs where they need no more."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import httpx
from fastapi import FastAPI

from alertd.core.access import Access
from alertd.core.bells import Bells
from alertd.core.intake import Idempotency
from alertd.core.metrics import Metrics
from alertd.core.report import Reports
from alertd.core.submission import Accepted, Submission
from alertd.domain.alert import (
    Alert,
    AlertState,
    Area,
    Category,
    Certainty,
    Info,
    MsgType,
    Purpose,
    Scope,
    Severity,
    Status,
    Urgency,
)
from alertd.domain.audit import GENESIS, AuditEntry, chain_hash
from alertd.domain.delivery import Reason, State
from alertd.domain.problems import NotFound, Unavailable
from alertd.ports.adapter import Service
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.reports import DeliveryRow, Tally
from alertd.web.main import create_app
from alertd.web.services import Services

START = datetime(2026, 11, 22, 5, 0, tzinfo=UTC)
POSTED: dict[str, Any] = {
    "status": "Exercise",
    "info": [
        {
            "language": "it-IT",
            "category": ["Met"],
            "event": "Temporali forti",
            "urgency": "Expected",
            "severity": "Severe",
            "certainty": "Likely",
            "area": [{"zone": "048028"}],
        }
    ],
}


class Clock:
    """A clock that stands still until told; sleepers wake when their time has come."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.time)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        entry = (self.time + seconds, asyncio.Event())
        self._sleepers.append(entry)
        try:
            await entry[1].wait()
        finally:
            self._sleepers.remove(entry)

    def advance(self, seconds: float) -> None:
        self.time += seconds
        for due, event in list(self._sleepers):
            if due <= self.time:
                event.set()


class Tokens:
    def __init__(self) -> None:
        self.held: dict[str, Token] = {}
        self.looked_up = 0

    async def find_token(self, digest: str) -> Token | None:
        self.looked_up += 1
        return self.held.get(digest)

    def grant(self, name: str, *scopes: str, modes: frozenset[str] | None = None) -> dict[str, str]:
        digest = hashlib.sha256(name.encode()).hexdigest()
        self.held[digest] = Token(name, digest, frozenset(scopes), modes, START)
        return {"Authorization": f"Bearer {name}"}


class Store:
    """What reports read."""

    def __init__(self) -> None:
        self.alerts: dict[str, StoredAlert] = {}
        self.sums: dict[str, tuple[Tally, ...]] = {}
        self.rows: list[DeliveryRow] = []
        self.log: list[AuditEntry] = []
        self.broken: Exception | None = None

    async def get_alert(self, alert_id: str) -> StoredAlert:
        if self.broken:
            raise self.broken
        try:
            return self.alerts[alert_id]
        except KeyError:
            raise NotFound(f"there is no alert {alert_id}") from None

    async def list_alerts(
        self, *, limit: int, before: int | None = None, states: Sequence[AlertState] = (), public: bool = False
    ) -> list[StoredAlert]:
        found = sorted(self.alerts.values(), key=lambda a: -a.seq)
        found = [a for a in found if (before is None or a.seq < before) and (not states or a.state in states)]
        return found[:limit]

    async def tallies(self, alert_id: str) -> tuple[Tally, ...]:
        return self.sums.get(alert_id, ())

    async def deliveries(
        self, alert_id: str, *, channel: str | None, state: State | None, limit: int, after: int
    ) -> list[DeliveryRow]:
        rows = [r for r in self.rows if r.id > after and channel in (None, r.channel) and state in (None, r.state)]
        return rows[:limit]

    async def depths(self) -> list[Any]:
        if self.broken:
            raise self.broken
        return []

    async def audit(self, *, after: int, limit: int) -> list[AuditEntry]:
        return [entry for entry in self.log if entry.seq > after][:limit]

    async def audit_head(self) -> tuple[int, str]:
        return (self.log[-1].seq, self.log[-1].hash) if self.log else (0, GENESIS)

    def write_log(self, action: str) -> None:
        previous = self.log[-1].hash if self.log else GENESIS
        seq, at = len(self.log) + 1, START.isoformat()
        digest = chain_hash(previous, seq, at, "anna", action, "a1", {})
        self.log.append(AuditEntry(seq, at, "anna", action, "a1", {}, previous, digest))


@dataclass
class Intake:
    """Remembers what came in."""

    taken: list[tuple[Submission, Idempotency | None]] = field(default_factory=list)
    cancelled: list[tuple[str, str | None, tuple[Info, ...]]] = field(default_factory=list)
    broken: Exception | None = None

    async def submit(self, submission: Submission, *, token: Token, idempotency: Any, encode: Any) -> bytes:
        if self.broken:
            raise self.broken
        self.taken.append((submission, idempotency))
        return bytes(encode(_accepted()))

    async def update(
        self, alert_id: str, submission: Submission, *, token: Token, idempotency: Any, encode: Any
    ) -> bytes:
        return await self.submit(submission, token=token, idempotency=idempotency, encode=encode)

    async def cancel(
        self, alert_id: str, *, note: Any, info: Any, token: Token, idempotency: Any, encode: Any
    ) -> bytes:
        self.cancelled.append((alert_id, note, info))
        return bytes(encode(_accepted()))

    async def requeue(self, alert_id: str, *, token: Token) -> int:
        return 7


@dataclass
class Approvals:
    said: list[tuple[str, str]] = field(default_factory=list)

    async def approve(self, alert_id: str, *, token: Token) -> None:
        self.said.append((alert_id, "approved"))

    async def reject(self, alert_id: str, *, token: Token, reason: str) -> None:
        self.said.append((alert_id, reason))


@dataclass
class Web:
    """An app with everything behind it in reach."""

    app: FastAPI
    services: Services
    clock: Clock
    tokens: Tokens
    store: Store
    bells: Bells
    intake: Intake
    approvals: Approvals
    health: list[tuple[bool, str]]

    @asynccontextmanager
    async def client(
        self, headers: dict[str, str] | None = None, *, listener: str = "alertd.test"
    ) -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{listener}", headers=headers) as client:
            yield client


def make_web() -> Web:
    clock, tokens, store, bells = Clock(), Tokens(), Store(), Bells()
    intake, approvals, health = Intake(), Approvals(), [(True, "")]
    service = Service(
        "Comune di Prova", "pc@comune.example.it", ("it-IT", "en-GB"), "Europe/Rome", "https://a.example.it"
    )
    services = Services(
        clock=clock,
        service=lambda: service,
        territory=cast("Any", lambda: SimpleNamespace(zones=())),
        intake=cast("Any", intake),
        peers=cast("Any", None),
        approvals=cast("Any", approvals),
        reports=Reports(cast("Any", store), clock, bells),
        previews=cast("Any", None),
        channels=cast("Any", SimpleNamespace(status=list, names=(), addressed=list)),
        subscribers=cast("Any", None),
        access=Access(cast("Any", tokens), clock),
        links=cast("Any", None),
        metrics=Metrics(),
        ready=lambda: health[-1],
    )
    return Web(create_app(services), services, clock, tokens, store, bells, intake, approvals, health)


def stored_alert(seq: int = 1, state: AlertState = AlertState.ACTIVE) -> StoredAlert:
    area = Area("Montelupo Fiorentino", ("048028",))
    info = Info(
        "it-IT", (Category.MET,), "Temporali forti", Urgency.EXPECTED, Severity.SEVERE, Certainty.LIKELY,
        onset=datetime.fromisoformat("2026-11-22T06:00:00+01:00"), area=(area,),
    )  # fmt: skip
    alert = Alert(
        f"a{seq}", f"i{seq}", "pc@comune.example.it", "2026-11-22T06:00:00+01:00",
        Status.EXERCISE, MsgType.ALERT, Scope.PUBLIC, Purpose.EMERGENCY, (info,),
    )  # fmt: skip
    return StoredAlert(seq, alert, state, 1, START, START + timedelta(hours=1), "anna")


def tally(*, planned: bool = True, **counts: int) -> Tally:
    states = {state: counts.get(state.value, 0) for state in State}
    return Tally("mail", "email", False, State.ACCEPTED, states, 3, planned, START, START, 41, 230)


def delivery(number: int, address: str) -> DeliveryRow:
    return DeliveryRow(number, "mail", address, "it", State.FAILED, 2, Reason.TIMEOUT, "ref", START, None, START, START)


def _accepted() -> Accepted:
    return Accepted("a1", "a1", "pc@comune.example.it", "2026-11-22T06:00:00+01:00", AlertState.PENDING, ("mail",))


__all__ = ["POSTED", "START", "Clock", "Unavailable", "Web", "delivery", "make_web", "replace", "stored_alert", "tally"]
