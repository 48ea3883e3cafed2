"""When the write-ahead log is copied back into the database, so that it never grows without bound.

It happens on the writer's own connection, between groups, when nothing waits or when much has gathered:
never inside an accept, never while any connection of any process writes (see `lock.Gate`).
"""

import logging
import sqlite3
from pathlib import Path
from typing import Final

from alertd.storage.lock import Gate

logger = logging.getLogger(__name__)

IDLE_SECONDS: Final = 0.25
FAILING_SECONDS: Final = 5.0
SOON: Final = 1.0
AT_LAST: Final = 3.0
"""In units of ROWS or BYTES, whichever is nearer: when it is due, and when it is due although accepts wait."""

ROWS: Final = 20_000
BYTES: Final = 16 * 2**20


class Checkpointer:
    """Judges how much has gathered by the rows changed and by the growth of the log's file.

    Neither is enough alone: the file is written again from its start and then does not grow; and a row may
    dirty one page or ten.
    """

    def __init__(self, raw: sqlite3.Connection, gate: Gate, log: Path) -> None:
        self._raw = raw
        self._gate = gate
        self._log = log
        self._rows = raw.total_changes
        self._bytes = self._size()
        self._unfinished = True  # the log a crash may have left
        self._failing = False

    @property
    def patience(self) -> float | None:
        """How many seconds to wait for a job before `when_idle` is due; None for ever."""
        if self._failing:
            return FAILING_SECONDS
        return IDLE_SECONDS if self._unfinished or self._gathered > 0 else None

    def after_group(self, *, pressed: bool) -> None:
        """`pressed`: urgent jobs wait already."""
        if self._gathered > (AT_LAST if pressed else SOON):
            self._checkpoint()

    def when_idle(self) -> None:
        if self._unfinished or self._gathered > 0:
            self._checkpoint()

    @property
    def _gathered(self) -> float:
        rows = self._raw.total_changes - self._rows
        return max(rows / ROWS, (self._size() - self._bytes) / BYTES)

    def _size(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:  # there is none, or it cannot be seen now: the rows still count
            return 0

    def _count_from_here(self) -> None:
        self._rows = self._raw.total_changes
        self._bytes = self._size()

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
            self._count_from_here()
            return
        self._failing = False
        self._count_from_here()
        self._unfinished = bool(busy) or copied < log
