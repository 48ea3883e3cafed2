"""One page on its way: parcels taken through the gate, sealed, posted, and settled as the answers come."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from adapters.exchange import Failure, Reply
from adapters.guard import HostList
from adapters.webpush import subscription
from adapters.webpush.deriving import Deriver
from adapters.webpush.envelope import BadKeys, Keys, seal
from adapters.webpush.http2 import Request
from adapters.webpush.pipes import Pipes, Profile
from adapters.webpush.request import Prepared, time_to_live
from adapters.webpush.status import KeyProof, verdict_of
from adapters.webpush.vapid import Tokens
from alertd.domain.delivery import Accepted, Reason, Refused, Verdict
from alertd.ports.adapter import Page, Parcel, Settle
from alertd.ports.clock import Clock

A_TURN: Final = 64
"""Parcels started in one turn of the loop: half a millisecond of it."""
_EXPIRED: Final = Refused(Reason.EXPIRED)
_BLOCKED: Final = Refused(Reason.BLOCKED)
_BAD_ADDRESS: Final = Refused(Reason.BAD_ADDRESS)

Stock = Callable[[int, str], bytes | None]
"""stock(endpoint_id, address): a ready envelope, destroyed where it lay, or None."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all pages of a channel share. `timeout` is for one message, in seconds."""

    pipes: Pipes
    stock: Stock
    deriver: Deriver
    tokens: Tokens
    hosts: HostList
    clock: Clock
    timeout: float
    proof: KeyProof


class _Service:
    """A push service as this page meets it: `profile` is good for messages of this `ttl`; `batch` is what is posted
    to it at the end of the turn."""

    __slots__ = ("audience", "batch", "origin", "profile", "refusal", "ttl")

    def __init__(self, authority: str, hosts: HostList) -> None:
        self.audience = f"https://{authority}"
        self.origin = subscription.with_port(authority)
        self.refusal = None if hosts.allows(self.origin) else _BLOCKED if authority else _BAD_ADDRESS
        self.ttl = -1
        self.profile = Profile(())
        self.batch: list[Request] = []


class _Until(NamedTuple):
    """What one deadline means now: seconds to live for the service, and our own patience on the monotonic clock."""

    deadline: datetime
    ttl: int
    patience: float


class _Cold(NamedTuple):
    """A parcel without a ready envelope."""

    parcel: Parcel
    service: _Service
    path: bytes
    keys: Keys


class Dispatch:
    """Of one page, used once."""

    def __init__(self, means: Means, page: Page, settle: Settle) -> None:
        self._means = means
        self._page = page
        self._settle = settle
        self._prepared: Prepared = page.message.payload
        self._services: dict[str, _Service] = {}
        self._out = 0
        self._settled = asyncio.Event()
        self._known: Reply | None = None
        self._known_verdict: Verdict = Accepted()

    async def run(self) -> None:
        """Take until there is no more; returns when all that were taken are settled."""
        try:
            async with asyncio.TaskGroup() as deriving:
                while parcels := await self._page.take(A_TURN):
                    cold = self._start(parcels)
                    if cold:
                        deriving.create_task(self._derive_and_post(cold))
                    await asyncio.sleep(0)
            while self._out:
                self._settled.clear()
                await self._settled.wait()
        finally:
            if self._out:
                self._means.pipes.cancel(self._on_answer)

    def _start(self, parcels: Sequence[Parcel]) -> list[_Cold]:
        """Post what has a ready envelope; what has none."""
        self._out += len(parcels)
        now = self._means.clock.now()
        stock, plaintext, services = self._means.stock, self._prepared.plaintext, self._services
        answer = self._on_answer  # not kept in self: a circle would hold the page until somebody looks for circles
        until: _Until | None = None
        cold: list[_Cold] = []
        for parcel in parcels:
            delivery_id, _, endpoint_id, address, deadline, _, _ = parcel
            if until is None or deadline is not until.deadline:
                until = self._until(deadline, now)
            authority, path = subscription.split(address)
            service = services.get(authority) or self._meet(authority)
            if service.refusal is not None or until.ttl < 0:
                self._end(delivery_id, service.refusal or _EXPIRED)
                continue
            envelope = stock(endpoint_id, address)
            if envelope is None:
                self._keep_for_later(parcel, service, path, cold)
                continue
            if service.ttl != until.ttl:
                self._renew(service, until.ttl, now)
            body = seal(envelope, plaintext)
            service.batch.append(Request(path.encode(), service.profile, body, delivery_id, answer, until.patience))
        self._post()
        return cold

    def _until(self, deadline: datetime, now: datetime) -> _Until:
        remaining = (deadline - now).total_seconds()
        patience = self._means.clock.monotonic() + min(self._means.timeout, remaining)
        return _Until(deadline, time_to_live(remaining) if remaining > 0 else -1, patience)

    def _keep_for_later(self, parcel: Parcel, service: _Service, path: str, cold: list[_Cold]) -> None:
        try:
            keys = subscription.read(parcel.address).keys
        except ValueError:
            self._end(parcel.delivery_id, _BAD_ADDRESS)
        else:
            cold.append(_Cold(parcel, service, path.encode(), keys))

    def _renew(self, service: _Service, ttl: int, now: datetime) -> None:
        authorization = self._means.tokens.header(service.audience, now)
        service.profile = Profile(self._prepared.headers_for(authorization=authorization, ttl=ttl))
        service.ttl = ttl

    def _post(self) -> None:
        for service in self._services.values():
            if service.batch:
                batch, service.batch = service.batch, []
                self._means.pipes.post_all(service.origin, batch)

    def _meet(self, authority: str) -> _Service:
        service = self._services[authority] = _Service(authority, self._means.hosts)
        return service

    async def _derive_and_post(self, cold: Sequence[_Cold]) -> None:
        envelopes = await self._means.deriver.derive([one.keys for one in cold])
        now = self._means.clock.now()
        for (parcel, service, path, _), envelope in zip(cold, envelopes, strict=True):
            until = self._until(parcel.deadline, now)
            if isinstance(envelope, BadKeys):
                self._end(parcel.delivery_id, _BAD_ADDRESS)
                continue
            if until.ttl < 0:
                self._end(parcel.delivery_id, _EXPIRED)
                continue
            if service.ttl != until.ttl:
                self._renew(service, until.ttl, now)
            body = seal(envelope, self._prepared.plaintext)
            request = Request(path, service.profile, body, parcel.delivery_id, self._on_answer, until.patience)
            service.batch.append(request)
        self._post()

    def _on_answer(self, ref: int, outcome: Reply | Failure) -> None:
        """The same answer comes as the same object mostly, so the verdict on the last one is kept."""
        if outcome is self._known:
            self._out -= 1
            if not self._out:
                self._settled.set()
            self._settle(ref, self._known_verdict)
        else:
            self._end(ref, self._verdict(outcome))

    def _verdict(self, outcome: Reply | Failure) -> Verdict:
        if not isinstance(outcome, Reply):
            return outcome
        verdict = self._means.proof.weigh(verdict_of(outcome, self._means.clock.now()))
        if isinstance(verdict, Accepted):
            self._known, self._known_verdict = outcome, verdict
        return verdict

    def _end(self, delivery_id: int, verdict: Verdict) -> None:
        self._out -= 1
        if not self._out:
            self._settled.set()
        self._settle(delivery_id, verdict)
