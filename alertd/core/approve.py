"""The two-person rule: a draft goes out only on the word of somebody who did not write it."""

import asyncio

from alertd.core.access import allow, allow_mode
from alertd.core.bells import Bells
from alertd.core.revoked import Revoked
from alertd.domain.alert import Status
from alertd.domain.problems import Conflict, Invalid, Problem
from alertd.ports.clock import Clock
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import IntakeStore, StoredAlert


class Approvals:
    def __init__(self, store: IntakeStore, clock: Clock, bells: Bells, revoked: Revoked) -> None:
        self._store = store
        self._clock = clock
        self._bells = bells
        self._revoked = revoked

    async def approve(self, alert_id: str, *, token: Token) -> None:
        """Send the draft. Raises NotFound, Forbidden (no scope, or its own author), Conflict (no draft, too late)."""
        allow(token, "alerts:approve")
        stored = await self._store.get_alert(alert_id)
        allow_mode(token, stored.alert.status)
        if stored.alert.status is Status.DRAFT:
            raise Conflict("a message of CAP status Draft is not actionable: post it again as Actual or Exercise")
        now = self._clock.now()
        if stored.deadline <= now:
            raise Conflict(f"alert {alert_id} expired at {stored.deadline.isoformat()}: it can only be rejected")
        self._revoked.add(stored.ancestors)
        deciding = asyncio.ensure_future(
            self._store.decide(alert_id, approve=True, actor=token.name, at=now, reason=None)
        )
        deciding.add_done_callback(lambda done: self._approved(done, stored))
        await asyncio.shield(deciding)

    async def reject(self, alert_id: str, *, token: Token, reason: str) -> None:
        """End the draft. Raises as `approve`, and Invalid without a reason."""
        allow(token, "alerts:approve")
        if not reason.strip():
            raise Invalid(Problem(("reason",), "say why, for the one who wrote it"))
        await self._store.decide(alert_id, approve=False, actor=token.name, at=self._clock.now(), reason=reason)
        self._bells.drafts.ring()

    def _approved(self, done: "asyncio.Future[None]", stored: StoredAlert) -> None:
        """Once it is durable, whether or not whoever decided still waits: see `accepting.Acceptance`."""
        if done.cancelled() or done.exception() is not None:
            self._revoked.restore(stored.ancestors)
            return
        self._bells.published()
        self._bells.plan.ring()
        self._bells.drafts.ring()
        if stored.ancestors:
            self._bells.sweep.ring()
