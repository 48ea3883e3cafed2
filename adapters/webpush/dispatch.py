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
from adapters.webpush.envelope import BadKeys, seal
from adapters.webpush.pipes import Pipes, Profile
from adapters.webpush.request import Prepared, time_to_live
from adapters.webpush.status import KeyProof, verdict_of
from adapters.webpush.subscription import Keys
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
    """A push service as this page meets it: `profile` is good for messages of this `ttl`."""

    __slots__ = ("allowed", "audience", "origin", "profile", "ttl")

    def __init__(self, authority: str, hosts: HostList) -> None:
        self.audience = f"https://{authority}"
        self.origin = subscription.with_port(authority)
        self.allowed = hosts.allows(self.origin)
        self.ttl = -1
        self.profile = Profile(())


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
        self._answer = self._on_answer  # one object: it is what cancelling goes by
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
                self._means.pipes.cancel(self._answer)

    def _start(self, parcels: Sequence[Parcel]) -> list[_Cold]:
        """Post what has a ready envelope; what has none."""
        self._out += len(parcels)
        now = self._means.clock.now()
        stock, plaintext = self._means.stock, self._prepared.plaintext
        cold: list[_Cold] = []
        for parcel in parcels:
            authority, path = subscription.split(parcel.address)
            service = self._services.get(authority) or self._meet(authority)
            if not authority or not service.allowed:
                self._end(parcel.delivery_id, _BLOCKED if authority else _BAD_ADDRESS)
                continue
            envelope = stock(parcel.endpoint_id, parcel.address)
            if envelope is not None:
                self._post(parcel, service, path.encode(), seal(envelope, plaintext), now)
                continue
            try:
                keys = subscription.read(parcel.address).keys
            except ValueError:
                self._end(parcel.delivery_id, _BAD_ADDRESS)
            else:
                cold.append(_Cold(parcel, service, path.encode(), keys))
        return cold

    def _meet(self, authority: str) -> _Service:
        service = self._services[authority] = _Service(authority, self._means.hosts)
        return service

    async def _derive_and_post(self, cold: Sequence[_Cold]) -> None:
        envelopes = await self._means.deriver.derive([one.keys for one in cold])
        now = self._means.clock.now()
        for one, envelope in zip(cold, envelopes, strict=True):
            if isinstance(envelope, BadKeys):
                self._end(one.parcel.delivery_id, _BAD_ADDRESS)
            else:
                self._post(one.parcel, one.service, one.path, seal(envelope, self._prepared.plaintext), now)

    def _post(self, parcel: Parcel, service: _Service, path: bytes, body: bytes, now: datetime) -> None:
        remaining = (parcel.deadline - now).total_seconds()
        if remaining <= 0:
            self._end(parcel.delivery_id, _EXPIRED)
            return
        means = self._means
        ttl = time_to_live(remaining)
        if ttl != service.ttl:
            authorization = means.tokens.header(service.audience, now)
            service.profile = Profile(self._prepared.headers_for(authorization=authorization, ttl=ttl))
            service.ttl = ttl
        within = min(means.timeout, remaining)
        means.pipes.post(service.origin, path, service.profile, body, parcel.delivery_id, self._answer, within=within)

    def _on_answer(self, ref: int, outcome: Reply | Failure) -> None:
        """The same answer comes as the same object mostly, so the verdict on the last one is kept."""
        if outcome is self._known:
            self._end(ref, self._known_verdict)
            return
        if not isinstance(outcome, Reply):
            self._end(ref, outcome)
            return
        verdict = self._means.proof.weigh(verdict_of(outcome, self._means.clock.now()))
        if isinstance(verdict, Accepted):
            self._known, self._known_verdict = outcome, verdict
        self._end(ref, verdict)

    def _end(self, delivery_id: int, verdict: Verdict) -> None:
        self._out -= 1
        if not self._out:
            self._settled.set()
        self._settle(delivery_id, verdict)
