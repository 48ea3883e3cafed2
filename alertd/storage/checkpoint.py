"""When the write-ahead log is copied back into the database, so that it never grows without bound.

It happens on the writer's own connection, between groups, when nothing waits or when much has gathered:
never inside an accept, never while any connection of any process writes (see `lock.Gate`).
"""

import logging
import sqlite3
from typing import Final

from alertd.storage.lock import Gate

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 0.25
FAILING_SECONDS: Final = 5.0
SOON: Final = 20_000
AT_LAST: Final = 60_000


class Checkpointer:
    """Counts changed rows as a measure of the log's length: its file's size does not say, as it is reused."""

    def __init__(self, raw: sqlite3.Connection, gate: Gate) -> None:
        self._raw = raw
        self._gate = gate
        self._seen = raw.total_changes
        self._unfinished = True  # the log a crash may have left
        self._failing = False

    @property
    def patience(self) -> float | None:
        """How many seconds to wait for a job before `when_idle` is due; None for ever."""
        if self._failing:
            return FAILING_SECONDS
        return IDLE_SECONDS if self._unfinished or self._gathered else None

    def after_group(self, *, pressed: bool) -> None:
        """`pressed`: urgent jobs wait already."""
        if self._gathered > (AT_LAST if pressed else SOON):
            self._checkpoint()

    def when_idle(self) -> None:
        if self._unfinished or self._gathered:
            self._checkpoint()

    @property
    def _gathered(self) -> int:
        return self._raw.total_changes - self._seen

    def _checkpoint(self) -> None:
        try:
            with self._gate.checkpointing() as ours:
                if not ours:
                    return
                busy, log, copied = self._raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except (sqlite3.Error, OSError) as error:  # a full disk: the log still has it all, and we come again
            if not self._failing:
                logger.warning("the write-ahead log cannot be copied back now: %s", error)
            self._failing = self._unfinished = True
            self._seen = self._raw.total_changes
            return
        self._failing = False
        self._seen = self._raw.total_changes
        self._unfinished = bool(busy) or copied < log
