"""A page of parcels held in memory, and the book that proves each was settled exactly once."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from alertd.domain.delivery import Verdict
from alertd.ports.adapter import Message, Parcel


class ListPage:
    """Hands out its parcels in order. `close` shuts the gate for good, as a cancel or a lost lease does.

    `before` is called with each parcel just before it is handed out; it may close the page.
    """

    def __init__(
        self, message: Message, parcels: Iterable[Parcel], *, before: Callable[["ListPage", Parcel], None] | None = None
    ) -> None:
        self._message = message
        self._left = list(parcels)
        self._before = before
        self.taken: list[Parcel] = []
        self.closed = False

    @property
    def message(self) -> Message:
        return self._message

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        await asyncio.sleep(0)  # a real gate may wait here
        out: list[Parcel] = []
        while len(out) < up_to and self._opens_for_the_next():
            out.append(self._left.pop(0))
            self.taken.append(out[-1])
        return out

    def close(self) -> None:
        self.closed = True

    def _opens_for_the_next(self) -> bool:
        if self._left and not self.closed and self._before is not None:
            self._before(self, self._left[0])
        return bool(self._left) and not self.closed


class Book:
    """Is the `settle` of a page; refuses a second verdict and one for a parcel never taken."""

    def __init__(self, page: ListPage) -> None:
        self._page = page
        self.verdicts: dict[int, Verdict] = {}

    def __call__(self, delivery_id: int, verdict: Verdict) -> None:
        assert delivery_id not in self.verdicts, f"delivery {delivery_id} was settled twice"
        assert any(p.delivery_id == delivery_id for p in self._page.taken), f"{delivery_id} was never taken"
        self.verdicts[delivery_id] = verdict

    def assert_complete(self) -> None:
        """Every parcel taken has its verdict."""
        assert self.verdicts.keys() == {parcel.delivery_id for parcel in self._page.taken}
