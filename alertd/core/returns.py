"""What an adapter calls with each verdict: gathered for one turn of the loop, then accounted for together."""

import asyncio
from collections.abc import Iterable

from alertd.core.account import Account
from alertd.core.fate import ACCEPTED, Errand, Fate
from alertd.core.fittings import Fittings
from alertd.core.open_channel import OpenChannel
from alertd.core.page import GatedPage
from alertd.core.settle import Settler
from alertd.domain.delivery import Accepted, Delivered, Gone, Halt, Reason, Refused, Retry, Verdict
from alertd.domain.times import micros
from alertd.ports.stores.work import Outcome, Outcomes

_LONGEST_REF = 500
_TAKEN = Accepted()
_ARRIVED = ACCEPTED[:3]


class Returns:
    """`alertd.ports.adapter.Settle` for one page. A provider under wire speed answers hundreds of parcels in one turn
    of the loop: slots, receipts and counters move once for all of them. Circuits hear of a failure at once."""

    def __init__(
        self,
        channel: OpenChannel,
        errand: Errand,
        page: GatedPage,
        account: Account,
        settler: Settler,
        fittings: Fittings,
    ) -> None:
        self._channel = channel
        self._errand = errand
        self._page = page
        self._account = account
        self._settler = settler
        self._fit = fittings
        self._taken = page.taken
        self._circuits = channel.gate.circuits
        self._loop = asyncio.get_running_loop()
        self._count = 0
        self._accepted: dict[int, list[int]] = {}
        self._named: list[Outcome] = []  # accepted, with the provider's name for each
        self._others: dict[tuple[Fate, bool], list[Outcome]] = {}

    def __call__(self, delivery_id: int, verdict: Verdict) -> None:
        started = self._taken.pop(delivery_id, None)
        if started is None:
            self._fit.log.error("a parcel was settled that was not taken, or twice", channel=self._channel.name)
            return
        if not self._count:
            self._loop.call_soon(self.flush)
        self._count += 1
        if type(verdict) is Accepted and not self._circuits.watching:
            ref = verdict.ref
            if ref is not None:
                self._named.append(Outcome(delivery_id, started, 0, clean_ref(ref)))
            elif (alike := self._accepted.get(started)) is not None:
                alike.append(delivery_id)
            else:
                self._accepted[started] = [delivery_id]
            return
        parcel = self._page.parcel(delivery_id)
        self._note(Outcome(delivery_id, started), verdict, parcel.attempt)
        self._tell_circuits(parcel.address, parcel.endpoint_id, verdict)

    def rest(self, verdict: Verdict) -> None:
        """Whatever was started and never settled ends like this."""
        for delivery_id in tuple(self._taken):
            self(delivery_id, verdict)
        self.flush()

    def untried(self, delivery_ids: Iterable[int], verdict: Refused) -> None:
        """They end without ever having been handed to the adapter."""
        for delivery_id in delivery_ids:
            self._note(Outcome(delivery_id, 0), verdict, 0, tried=False)
        self.flush()

    def flush(self) -> None:
        """Hand what was gathered to the settler, and its slots back to the gate."""
        ended = micros(self._fit.clock.now())
        if self._count:
            self._channel.gate.settled(self._errand.priority, self._count)
            self._page.progressed()
            self._count = 0
        if self._accepted or self._named:
            outcomes = Outcomes(self._errand.token, *_ARRIVED, ended, self._named, alike=self._accepted)
            self._accepted, self._named = {}, []
            self._fit.metrics.attempt(self._channel.name, _TAKEN, len(outcomes))
            self._hand_over(outcomes)
        if self._others:
            others, self._others = self._others, {}
            for (fate, tried), attempts in others.items():
                self._hand_over(
                    Outcomes(self._errand.token, fate.event, fate.reason, fate.exposed, ended, attempts, tried)
                )

    def _hand_over(self, outcomes: Outcomes) -> None:
        self._settler.put(self._errand, outcomes)
        for alike in outcomes.alike.values():
            self._account.settled(alike)
        self._account.settled([attempt.delivery_id for attempt in outcomes.attempts])

    def _note(self, outcome: Outcome, verdict: Verdict, attempts: int, *, tried: bool = True) -> None:
        self._fit.metrics.attempt(self._channel.name, verdict)
        fate = self._settler.fate(self._errand, verdict, attempts)
        due = 0 if fate.due_at is None else micros(fate.due_at)
        ref = clean_ref(verdict.ref) if isinstance(verdict, Accepted | Delivered) else None
        alike = self._others.setdefault((fate._replace(due_at=None), tried), [])
        alike.append(outcome._replace(due_at=due, ref=ref))

    def _tell_circuits(self, address: str, endpoint_id: int, verdict: Verdict) -> None:
        circuits = self._circuits
        origin = self._channel.adapter.origin
        match verdict:
            case Retry():
                circuits.failed(origin(address), verdict)
            case Halt(reason):
                if circuits.halt(origin(address), endpoint_id, reason):
                    self._halted(reason)
            case Accepted() | Delivered():
                if circuits.watching:
                    circuits.succeeded(origin(address))
            case Refused() | Gone():
                if circuits.watching:
                    circuits.told_nothing(origin(address))

    def _halted(self, reason: Reason) -> None:
        name = self._channel.name
        self._fit.metrics.channel_ready.labels(name).set(0)
        self._fit.log.error("channel halted: its deliveries stay queued", channel=name, reason=reason)


def clean_ref(ref: str | None) -> str | None:
    """A provider's reference comes from the network: only what can be printed is kept, and not much of it."""
    if ref is None or (ref.isprintable() and len(ref) <= _LONGEST_REF):
        return ref or None
    return "".join(c for c in ref[:_LONGEST_REF] if c.isprintable()) or None
