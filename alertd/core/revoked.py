"""Alerts that must not start another attempt: consulted before every single one."""

from collections.abc import Iterable


class Revoked:
    """Filled before a Cancel or an Update is committed, so that nothing starts after it was accepted."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def __contains__(self, alert_id: str) -> bool:
        return alert_id in self._ids

    def add(self, alert_ids: Iterable[str]) -> frozenset[str]:
        """Those that were not revoked before: what a failed commit gives back."""
        fresh = frozenset(alert_ids) - self._ids
        self._ids.update(fresh)
        return fresh

    def restore(self, alert_ids: Iterable[str]) -> None:
        """The commit failed: they live on."""
        self._ids.difference_update(alert_ids)
