"""Dispatch: carry one claim through an adapter, and account for every parcel of it."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from alertd.core.fittings import Fittings
from alertd.core.gate import Gate
from alertd.core.page import GatedPage
from alertd.core.settle import Attempt, Settler
from alertd.core.words.render import Renderer
from alertd.domain.delivery import Accepted, Delivered, Gone, Halt, Reason, Refused, Retry, Verdict
from alertd.domain.problems import Unavailable
from alertd.ports.adapter import Adapter, Message, Parcel, Traits
from alertd.ports.stores import Claim, Claimed, ReportStore, StoredAlert, WorkStore

LEASE = 60.0
STUCK = 150.0
"""Seconds after which an adapter that settles nothing is taken to be broken; adapters' own timeouts are shorter."""

_CACHE = 256


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel whose adapter is open."""

    name: str
    adapter_name: str
    adapter: Adapter
    traits: Traits
    gate: Gate
    renderer: Callable[[], Renderer]
    language: str


class Dispatcher:
    """Knows how to carry a claim; the lanes decide when."""

    def __init__(
        self,
        store: WorkStore,
        reports: ReportStore,
        settler: Settler,
        fittings: Fittings,
    ) -> None:
        self._store = store
        self._fit = fittings
        self._reports = reports
        self._settler = settler
        self._alerts: OrderedDict[str, StoredAlert] = OrderedDict()
        self._messages: OrderedDict[tuple[Adapter, Renderer, str, str, int], Message] = OrderedDict()
        self._started: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def carry(self, channel: OpenChannel, priority: int, claim: Claim) -> None:
        """Send every delivery of the claim, or put it back; returns when each is settled or released."""
        channel.gate.enter(priority)
        try:
            async with self._leased(claim.token):
                for key, rows in groupby(sorted(claim.rows, key=_message_key), key=_message_key):
                    await self._carry_group(channel, priority, claim.token, key, list(rows))
        finally:
            channel.gate.leave(priority)

    async def _carry_group(
        self, channel: OpenChannel, priority: int, token: int, key: tuple[str, str, int], rows: list[Claimed]
    ) -> None:
        stored = await self._alert(key[0])
        page = GatedPage(
            self._message(channel, stored, key[1], key[2]),
            [_parcel(row, stored.deadline) for row in rows],
            priority=priority,
            gate=channel.gate,
            clock=self._fit.clock,
            revoked=self._fit.revoked,
            origin=channel.adapter.origin,
            on_start=lambda at: self._first(channel.name, stored, at),
        )
        settle = _Settle(channel, priority, token, stored, page, self)
        try:
            await self._send(channel, page, settle)
        except asyncio.CancelledError:
            settle.rest(Retry(Reason.INTERRUPTED))
            raise
        except Exception as error:
            self._fit.log.error("adapter bug", channel=channel.name, error=type(error).__name__)
            self._fit.log.debug("adapter bug", channel=channel.name, exc_info=error)
        finally:
            settle.rest(Retry(Reason.BUG))
            await asyncio.shield(self._release(token, page))

    async def _send(self, channel: OpenChannel, page: GatedPage, settle: "_Settle") -> None:
        """Run the adapter, and give up on it when it has stopped settling."""
        sending = asyncio.ensure_future(channel.adapter.send(page, settle))
        try:
            while not sending.done():
                watch = asyncio.ensure_future(self._fit.clock.sleep(STUCK))
                await asyncio.wait((sending, watch), return_when=asyncio.FIRST_COMPLETED)
                watch.cancel()
                if not sending.done() and self._is_stuck(page):
                    self._fit.log.error("adapter stuck", channel=channel.name, unsettled=len(page.taken))
                    break
        finally:
            sending.cancel()
            await asyncio.wait((sending,))
        if not sending.cancelled():
            sending.result()

    def _is_stuck(self, page: GatedPage) -> bool:
        oldest = min(page.taken.values(), default=None)
        return oldest is not None and self._fit.clock.now() - oldest > timedelta(seconds=STUCK)

    async def _release(self, token: int, page: GatedPage) -> None:
        by_due: dict[datetime | None, list[int]] = {}
        for delivery_id, due in page.left:
            by_due.setdefault(due, []).append(delivery_id)
        for due, ids in by_due.items():
            while True:
                try:
                    await self._store.release(token, ids, due_at=due)
                    break
                except Unavailable:
                    await self._fit.clock.sleep(1.0)

    @asynccontextmanager
    async def _leased(self, token: int) -> AsyncIterator[None]:
        async def extend() -> None:
            while True:
                await self._fit.clock.sleep(LEASE / 3)
                try:
                    await self._store.extend(token, until=self._fit.clock.now() + timedelta(seconds=LEASE))
                except Unavailable as error:
                    self._fit.log.error("a lease could not be extended", error=str(error))

        extender = asyncio.ensure_future(extend())
        try:
            yield
        finally:
            extender.cancel()

    # --- what many pages share --------------------------------------------------------------------------------------

    async def _alert(self, alert_id: str) -> StoredAlert:
        stored = self._alerts.get(alert_id)
        if stored is None:
            stored = self._alerts[alert_id] = await self._reports.get_alert(alert_id)
            if len(self._alerts) > _CACHE:
                self._alerts.popitem(last=False)
        return stored

    def _message(self, channel: OpenChannel, stored: StoredAlert, language: str, blocks: int) -> Message:
        """Rendered once per open channel, alert, language and blocks."""
        renderer = channel.renderer()
        key = (channel.adapter, renderer, stored.alert.id, language, blocks)
        message = self._messages.get(key)
        if message is None:
            notice = renderer.notice(
                stored.alert,
                channel=channel.name,
                adapter=channel.adapter_name,
                language=language or channel.language,
                blocks=blocks,
                deadline=stored.deadline,
                root=stored.ancestors[-1] if stored.ancestors else stored.alert.identifier,
            )
            message = self._messages[key] = channel.adapter.render(notice)
            if len(self._messages) > _CACHE:
                self._messages.popitem(last=False)
        return message

    def _first(self, channel: str, stored: StoredAlert, at: datetime) -> None:
        key = (stored.alert.id, channel)
        if key in self._started:
            return
        self._started[key] = None
        if len(self._started) > _CACHE:
            self._started.popitem(last=False)
        self._fit.metrics.first_attempt.labels(channel).observe(max(0.0, (at - stored.accepted_at).total_seconds()))

    def settled(self, attempt: Attempt, verdict: Verdict) -> None:
        self._settler.put(attempt, verdict)

    def misused(self, channel: str) -> None:
        self._fit.log.error("adapter settled a parcel it had not taken, or twice", channel=channel)

    def halted(self, channel: str, reason: Reason) -> None:
        self._fit.metrics.channel_ready.labels(channel).set(0)
        self._fit.log.error("channel halted: its deliveries stay queued", channel=channel, reason=reason)


class _Settle:
    """What an adapter calls with each outcome: feeds the gate, then the settler."""

    def __init__(
        self,
        channel: OpenChannel,
        priority: int,
        token: int,
        stored: StoredAlert,
        page: GatedPage,
        dispatcher: Dispatcher,
    ) -> None:
        self._channel = channel
        self._priority = priority
        self._token = token
        self._stored = stored
        self._page = page
        self._dispatcher = dispatcher

    def __call__(self, delivery_id: int, verdict: Verdict) -> None:
        started = self._page.taken.pop(delivery_id, None)
        if started is None:
            self._dispatcher.misused(self._channel.name)
            return
        parcel = self._page.parcels[delivery_id]
        self._channel.gate.settled(self._priority)
        self._tell_gate(parcel, verdict)
        self._dispatcher.settled(
            Attempt(
                delivery_id,
                self._token,
                self._stored.alert.id,
                self._channel.name,
                self._priority,
                self._stored.alert.purpose,
                self._channel.traits.idempotent,
                parcel.attempt,
                self._stored.deadline,
                started,
            ),
            verdict,
        )

    def rest(self, verdict: Verdict) -> None:
        """Whatever was started and never settled ends like this."""
        for delivery_id in tuple(self._page.taken):
            self(delivery_id, verdict)

    def _tell_gate(self, parcel: Parcel, verdict: Verdict) -> None:
        gate = self._channel.gate
        origin = self._channel.adapter.origin
        match verdict:
            case Retry():
                gate.failed(origin(parcel.address), verdict)
            case Halt(reason):
                if gate.halt(origin(parcel.address), reason):
                    self._dispatcher.halted(self._channel.name, reason)
            case Accepted() | Delivered():
                if gate.watching:
                    gate.succeeded(origin(parcel.address))
            case Refused() | Gone():
                if gate.watching:
                    gate.told_nothing(origin(parcel.address))


def _message_key(row: Claimed) -> tuple[str, str, int]:
    return (row.alert_id, row.language, row.blocks)


def _parcel(row: Claimed, deadline: datetime) -> Parcel:
    return Parcel(
        row.delivery_id,
        f"{row.alert_id}-{row.delivery_id}",
        row.endpoint_id,
        row.address,
        deadline,
        row.attempts + 1,
        row.thread,
    )
