"""Alerts that must not start another attempt: consulted before every single one."""

from collections import Counter
from collections.abc import Iterable


class Revoked:
    """Filled before a Cancel or an Update is committed, so that nothing starts after it was accepted.

    Counted, because several may try to end the same alert at once: it lives on only if all of them fail.
    """

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def __contains__(self, alert_id: str) -> bool:
        return alert_id in self._counts

    def add(self, alert_ids: Iterable[str]) -> None:
        self._counts.update(alert_ids)

    def restore(self, alert_ids: Iterable[str]) -> None:
        """This one failed to end them."""
        for alert_id in alert_ids:
            self._counts[alert_id] -= 1
            if self._counts[alert_id] <= 0:
                del self._counts[alert_id]
