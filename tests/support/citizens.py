"""The public pages and the subscribers on small in-memory parts: a store, three zones, two channels."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
from fastapi import FastAPI

from alertd.core.access import Access
from alertd.core.bells import Bells
from alertd.core.citizens.links import Links
from alertd.core.citizens.subscribe import Subscribers
from alertd.core.metrics import Metrics
from alertd.core.report import Reports
from alertd.domain.alert import Alert, AlertState, MsgType, Scope, Status
from alertd.domain.delivery import Accepted, Verdict
from alertd.domain.problems import NotFound
from alertd.domain.subscriber import Cohort, Subscriber
from alertd.domain.times import micros
from alertd.ports.adapter import Notice, Service
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.reports import Published
from alertd.ports.stores.subscribers import Enrolment
from alertd.ports.territory import Zone
from alertd.web import problems, public
from alertd.web.api import subscribers as subscribers_api
from alertd.web.services import FeedTerms, Services
from tests.support.clock import ManualClock
from tests.support.notices import SERVICE

KEY = bytes(range(32))
ZONES = (
    Zone("048001", "Bagno a Ripoli", ()),
    Zone("048014", "Empoli", ()),
    Zone("048028", "Montelupo Fiorentino", ()),
)
PUSH = {"endpoint": "https://push.example.net/abc", "keys": {"auth": "a" * 22, "p256dh": "p" * 87}}
PUSH_TEXT = json.dumps(PUSH, separators=(",", ":"))


class Towns:
    zones = ZONES

    def find(self, code_or_name: str) -> Zone | None:
        wanted = code_or_name.lower()
        return next((z for z in ZONES if wanted in (z.code, z.name.lower())), None)


@dataclass
class Post:
    """Two addressed channels and a broadcast one; remembers what was sent alone."""

    sent: list[tuple[str, Notice, str]] = field(default_factory=list)
    verdict: Verdict = field(default_factory=Accepted)
    adapters: dict[str, str] = field(default_factory=lambda: {"mail": "email", "push": "webpush", "bot": "telegram"})

    def normalize(self, channel: str, address: str) -> str:
        match self.adapters.get(channel):
            case "email":
                user, at, host = address.partition("@")
                if not (user and at and "." in host):
                    raise ValueError("not a mail address")
                return f"{user}@{host.lower()}"
            case "webpush":
                return json.dumps(json.loads(address), sort_keys=True, separators=(",", ":"))
            case "telegram":
                return address
        raise ValueError(f"no channel {channel!r}")

    def addressed(self) -> Sequence[str]:
        return tuple(self.adapters)

    def adapter_of(self, channel: str) -> str:
        return self.adapters[channel]

    def public_facts(self, channel: str) -> Mapping[str, str]:
        return {"applicationServerKey": "BKey"} if channel == "push" else {}

    async def send_single(self, channel: str, notice: Notice, endpoint_id: int, address: str) -> Verdict:
        self.sent.append((channel, notice, address))
        return self.verdict


class People:
    """An in-memory SubscriberStore with the semantics of the port."""

    def __init__(self) -> None:
        self.held: dict[str, Subscriber] = {}
        self.ids = 0
        self.transactions = 0

    async def enrol(self, batch: Sequence[Subscriber], *, actor: str) -> Enrolment:
        self.transactions += 1
        created = updated = 0
        for new in batch:
            old = self._known(new)
            if old is None:
                created += 1
                self.held[new.id] = replace(new, endpoints=tuple(self._with_id(e) for e in new.endpoints))
                continue
            updated += 1
            kept = {(e.channel, e.address): e for e in old.endpoints}
            for e in new.endpoints:
                mine = kept.get((e.channel, e.address))
                kept[e.channel, e.address] = replace(mine, state=e.state) if mine else self._with_id(e)
            self.held[old.id] = replace(new, id=old.id, endpoints=tuple(kept.values()), created_at=old.created_at)
        return Enrolment(created, updated)

    def _known(self, new: Subscriber) -> Subscriber | None:
        if new.id in self.held:
            return self.held[new.id]
        keys = {(e.channel, e.address) for e in new.endpoints}
        return next((s for s in self.held.values() if any((e.channel, e.address) in keys for e in s.endpoints)), None)

    def _with_id(self, endpoint: Any) -> Any:
        self.ids += 1
        return replace(endpoint, id=self.ids)

    async def get_subscriber(self, subscriber_id: str) -> Subscriber:
        if subscriber_id not in self.held:
            raise NotFound(f"there is no subscriber {subscriber_id}")
        return self.held[subscriber_id]

    async def list_subscribers(self, *, limit: int, after: int) -> tuple[Sequence[Subscriber], int | None]:
        everyone = list(self.held.values())
        page = everyone[after : after + limit]
        return page, after + limit if after + limit < len(everyone) else None

    async def replace(self, subscriber: Subscriber, *, actor: str) -> None:
        await self.get_subscriber(subscriber.id)
        endpoints = tuple(e if e.id else self._with_id(e) for e in subscriber.endpoints)
        self.held[subscriber.id] = replace(subscriber, endpoints=endpoints)

    async def delete_subscriber(self, subscriber_id: str, *, actor: str) -> None:
        await self.get_subscriber(subscriber_id)
        del self.held[subscriber_id]

    async def export(self) -> AsyncIterator[Subscriber]:
        for subscriber in list(self.held.values()):
            yield subscriber

    async def unsubscribe_endpoint(self, endpoint_id: int) -> bool:
        for s in self.held.values():
            rest = tuple(e for e in s.endpoints if e.id != endpoint_id)
            if len(rest) < len(s.endpoints):
                if rest:
                    self.held[s.id] = replace(s, endpoints=rest)
                else:
                    del self.held[s.id]
                return True
        return False

    async def officers_among(self, addresses: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
        officers = (s for s in self.held.values() if s.cohort is Cohort.OFFICERS)
        return frozenset({(e.channel, e.address) for s in officers for e in s.endpoints} & set(addresses))

    async def endpoint_id(self, channel: str, address: str) -> int | None:
        return next(
            (e.id for s in self.held.values() for e in s.endpoints if (e.channel, e.address) == (channel, address)),
            None,
        )


class Board:
    """What the pages read of the alerts."""

    def __init__(self) -> None:
        self.alerts: list[StoredAlert] = []
        self.reads = 0
        self.bells = Bells()
        self.broken: Exception | None = None

    def put(self, alert: Alert, state: AlertState = AlertState.ACTIVE, **more: Any) -> StoredAlert:
        when = datetime.now(UTC)
        given = {"deadline": when + timedelta(hours=6), **more}
        stored = StoredAlert(len(self.alerts) + 1, alert, state, 1, when, created_by="anna", **given)
        self.alerts.append(stored)
        self.bells.published()
        return stored

    async def get_alert(self, alert_id: str) -> StoredAlert:
        return self._find(lambda s: s.alert.id == alert_id)

    async def find_by_identifier(self, identifier: str) -> StoredAlert:
        return self._find(lambda s: s.alert.identifier == identifier)

    def _find(self, same: Any) -> StoredAlert:
        self.reads += 1
        if self.broken:
            raise self.broken
        found = next((s for s in self.alerts if same(s)), None)
        if found is None:
            raise NotFound("there is no such alert")
        return found

    async def list_alerts(
        self, *, limit: int, before: int | None = None, states: Sequence[AlertState] = (), public: bool = False
    ) -> list[StoredAlert]:
        """Deliberately blind to `public`: the pages must not trust it alone."""
        self.reads += 1
        if self.broken:
            raise self.broken
        found = [s for s in reversed(self.alerts) if before is None or s.seq < before]
        return [s for s in found if not states or s.state in states][:limit]

    async def published(self, *, real: bool, since: datetime, now: datetime) -> list[Published]:
        """With the semantics of the port."""
        self.reads += 1
        if self.broken:
            raise self.broken
        ends = {s.alert.id: s.deadline for s in self.alerts}
        found = []
        for s in reversed(self.alerts):
            told = s.followed_by is None and s.state not in {AlertState.DRAFT, AlertState.REJECTED}
            if not told or s.alert.scope is not Scope.PUBLIC or s.alert.status is Status.DRAFT:
                continue
            held = max((ends[one] for one in s.ancestors), default=s.deadline)
            end = held if s.alert.msg_type is MsgType.CANCEL else s.deadline
            if s.alert.status.is_real is real and (end > since or held > now):
                found.append(Published(s.seq, s.alert.purpose, micros(s.accepted_at), micros(end), micros(held)))
        return found

    async def contents(self, seqs: Sequence[int]) -> dict[int, Alert]:
        self.reads += 1
        if self.broken:
            raise self.broken
        return {seq: self.alerts[seq - 1].alert for seq in seqs}


class Secrets:
    """Tokens whose secret is their name."""

    async def find_token(self, digest: str) -> Token | None:
        scopes = {
            "reader": {"subscribers:read"},
            "writer": {"subscribers:write"},
            "both": {"admin"},
            "other": {"alerts:send"},
        }
        for name, held in scopes.items():
            if digest == _digest(name):
                return Token(name, digest, frozenset(held), None, datetime.now(UTC))
        return None


def _digest(secret: str) -> str:
    import hashlib

    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass
class Hall:
    """The pages with everything behind them in reach."""

    app: FastAPI
    clock: Any
    people: People
    post: Post
    board: Board
    links: Links
    services: Services

    def client(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=("192.0.2.7", 1234))
        return httpx.AsyncClient(transport=transport, base_url="https://allerta.comune.example.it", headers=headers)


def make_hall(
    service: Service = SERVICE,
    *,
    clock: Any = None,
    trust_forwarded: bool = False,
    feeds: FeedTerms = FeedTerms(),  # noqa: B008 - frozen
) -> Hall:
    clock = clock or ManualClock(datetime.now(UTC))
    people, post, board = People(), Post(), Board()
    links = Links(KEY, service.public_url, clock)
    services = Services(
        clock=clock,
        service=lambda: service,
        territory=cast("Any", Towns),
        intake=cast("Any", None),
        peers=cast("Any", None),
        approvals=cast("Any", None),
        reports=Reports(cast("Any", board), clock, board.bells),
        previews=cast("Any", None),
        channels=cast("Any", post),
        subscribers=Subscribers(cast("Any", people), post, clock, territory=cast("Any", Towns)),
        access=Access(cast("Any", Secrets()), clock),
        links=links,
        metrics=Metrics(),
        ready=lambda: (True, ""),
        trust_forwarded=trust_forwarded,
        feeds=lambda: feeds,
    )
    app = FastAPI(openapi_url=None)
    problems.install(app)
    app.include_router(subscribers_api.router(services))
    app.include_router(public.router(services))
    return Hall(app, clock, people, post, board, links, services)


async def chunked(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)
