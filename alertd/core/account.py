"""The account of a claim: every delivery in it ends exactly once, handed to the settler or put back."""

from collections.abc import Iterable, Sequence
from datetime import datetime


class Account:
    """What is still open, with when it may be tried again (None: at once). False when nothing is."""

    def __init__(self, delivery_ids: Iterable[int]) -> None:
        self._open: dict[int, datetime | None] = dict.fromkeys(delivery_ids)

    def __bool__(self) -> bool:
        return bool(self._open)

    def settled(self, delivery_ids: Iterable[int]) -> None:
        for delivery_id in delivery_ids:
            self._open.pop(delivery_id, None)

    def defer(self, delivery_ids: Iterable[int], due_at: datetime | None) -> None:
        """Not tried: may be tried again at `due_at`."""
        for delivery_id in delivery_ids:
            if delivery_id in self._open:
                self._open[delivery_id] = due_at

    def by_due(self) -> Sequence[tuple[datetime | None, list[int]]]:
        """What to put back, by when it is due."""
        groups: dict[datetime | None, list[int]] = {}
        for delivery_id, due in self._open.items():
            groups.setdefault(due, []).append(delivery_id)
        return tuple(groups.items())
