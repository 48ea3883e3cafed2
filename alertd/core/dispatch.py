"""Dispatch: carry one claim through an adapter, and account for every parcel of it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import repeat

from alertd.core.account import Account
from alertd.core.fate import Errand
from alertd.core.fittings import Fittings
from alertd.core.letters import Letters
from alertd.core.open_channel import OpenChannel
from alertd.core.page import GatedPage
from alertd.core.returns import Returns
from alertd.core.settle import Settler
from alertd.core.vigil import Vigil
from alertd.domain.delivery import Reason, Refused, Retry
from alertd.domain.problems import Unavailable
from alertd.ports.adapter import Parcel
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.work import Claim, Told, WorkStore

AGAIN = timedelta(seconds=5)
"""When to try again what an adapter's bug or an unreadable store kept from being tried."""


class Dispatcher:
    """Knows how to carry a claim; the lanes decide when."""

    def __init__(self, store: WorkStore, letters: Letters, settler: Settler, vigil: Vigil, fittings: Fittings) -> None:
        self._store = store
        self._vigil = vigil
        self._settler = settler
        self._fit = fittings
        self._letters = letters

    async def carry(self, channel: OpenChannel, priority: int, claim: Claim) -> None:
        """Send every delivery of the claim, or put it back; returns when each is settled or released."""
        account = Account(claim.delivery_ids)
        channel.gate.enter(priority)
        try:
            with self._vigil.leased(claim.token):
                for told in claim.told:
                    await self._tell(_Load(channel, priority, claim.token, claim.alert_id, account), told)
        finally:
            channel.gate.leave(priority)
            await asyncio.shield(self._put_back(channel, priority, claim.token, account))

    async def _tell(self, load: "_Load", told: Told) -> None:
        channel = load.channel
        try:
            stored = await self._letters.alert(load.alert_id)
            message = self._letters.message(channel, stored, language=told.language, blocks=told.blocks)
        except Exception as error:  # noqa: BLE001  a message that cannot be made must not cost the other groups
            self._fit.log.error(
                "a page could not be made", channel=channel.name, alert=load.alert_id, error=repr(error)
            )
            load.account.defer(told.delivery_ids, self._fit.clock.now() + AGAIN)
            return
        notice = message.notice
        page = GatedPage(
            message,
            _parcels(load.alert_id, told, notice.deadline),
            priority=load.priority,
            gate=channel.gate,
            clock=self._fit.clock,
            revoked=self._fit.revoked,
            origin=channel.adapter.origin,
            on_start=lambda at: self._first(channel.name, stored, at),
        )
        errand = Errand(
            load.token,
            load.alert_id,
            channel.name,
            load.priority,
            stored.alert.purpose,
            channel.traits.idempotent,
            notice.deadline,
        )
        returns = Returns(channel, errand, page, load.account, self._settler, self._fit)
        if not channel.may_carry(stored, personal=told.endpoint_ids[0] != 0):
            returns.untried(told.delivery_ids, Refused(Reason.POLICY))
            return
        await self._send(load, page, returns)
        if self._fit.clock.now() >= notice.deadline:
            returns.untried(page.untaken, Refused(Reason.EXPIRED))

    async def _send(self, load: "_Load", page: GatedPage, returns: Returns) -> None:
        """Through the adapter; whatever it does, every parcel taken has its verdict and the others their due time."""
        failed = False
        try:
            async with self._vigil.watched(load.channel.name, page):
                await load.channel.adapter.send(page, returns)
        except asyncio.CancelledError:
            returns.rest(Retry(Reason.INTERRUPTED))
            raise
        except Exception as error:
            failed = True
            self._fit.log.error("adapter bug", channel=load.channel.name, error=type(error).__name__)
            self._fit.log.debug("adapter bug", channel=load.channel.name, exc_info=error)
        finally:
            returns.rest(Retry(Reason.BUG))
            again = self._fit.clock.now() + AGAIN if failed or page.open else None
            for delivery_id, due in page.left:
                load.account.defer((delivery_id,), due or again)

    async def _put_back(self, channel: OpenChannel, priority: int, token: int, account: Account) -> None:
        """Release what was neither tried nor settled, and wake the lane: it may be due before the lane would look."""
        for due, ids in account.by_due():
            while True:
                try:
                    await self._store.release(token, ids, due_at=due)
                    break
                except Unavailable as error:
                    self._fit.readiness.refused(error)
                    if channel.gate.stopping:
                        return  # still marked as in flight: the next start takes them back
                    await self._fit.clock.sleep(1.0)
        if account:
            self._fit.bells.ring_lane(channel.name, priority)

    def _first(self, channel: str, stored: StoredAlert, at: datetime) -> None:
        if self._letters.first_on(channel, stored.alert.id):
            waited = max(0.0, (at - stored.accepted_at).total_seconds())
            self._fit.metrics.first_attempt.labels(channel).observe(waited)


@dataclass(frozen=True, slots=True)
class _Load:
    """What is being carried: one claim on one lane."""

    channel: OpenChannel
    priority: int
    token: int
    alert_id: str
    account: Account


def _parcels(alert_id: str, told: Told, deadline: datetime) -> list[Parcel]:
    keys = [f"{alert_id}-{delivery_id}" for delivery_id in told.delivery_ids]
    attempts = [before + 1 for before in told.attempts]
    columns = (told.delivery_ids, keys, told.endpoint_ids, told.addresses, repeat(deadline), attempts, told.threads)
    return list(map(Parcel._make, zip(*columns, strict=False)))
