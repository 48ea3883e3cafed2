"""A page of one parcel, for a message that is not an alert."""

from collections.abc import Sequence

from alertd.domain.delivery import Reason, Retry, Verdict
from alertd.ports.adapter import Message, Parcel


class SinglePage:
    """Implements `alertd.ports.adapter.Page` and its settle; `verdict` is Retry(BUG) until settled."""

    def __init__(self, message: Message, endpoint_id: int, address: str) -> None:
        self.message = message
        self.verdict: Verdict = Retry(Reason.BUG)
        notice = message.notice
        self._parcels = [Parcel(0, f"{notice.root}-{endpoint_id}", endpoint_id, address, notice.deadline)]

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        taken, self._parcels = self._parcels, []
        return taken[:up_to]

    def settle(self, _: int, verdict: Verdict) -> None:
        self.verdict = verdict
