"""Many alerts in a store at once, past the road of an alert: for feeds, which care only for what is kept."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alertd.domain.alert import Alert, Status
from alertd.domain.times import micros
from alertd.storage.content import dump_alert
from tests.support.notices import alert, info

_ROW = """
INSERT INTO alert (id, identifier, sender, sent, content, status, msg_type, scope, purpose, state, priority, cohort,
                   targets, accepted_at, released_at, deadline, created_by, stopped, pseudonymised)
VALUES (?, ?, ?, ?, ?, ?, 'Alert', 'Public', ?, 'complete', 0, 'public', '[]', ?, ?, ?, 'crowd', 0, 0)
"""


def fill(db: Path, count: int, *, status: Status = Status.ACTUAL, lasts: timedelta = timedelta(days=1)) -> None:
    """`count` alerts in two languages, accepted now, each with an end of its own."""
    now = datetime.now(UTC)
    at = micros(now)
    with closing(sqlite3.connect(db, timeout=10)) as raw, raw:
        raw.executemany(
            _ROW,
            (
                (
                    one.id,
                    one.identifier,
                    one.sender,
                    one.sent,
                    dump_alert(one),
                    one.status,
                    one.purpose,
                    at,
                    at,
                    at + micros_of(lasts) + n,
                )
                for n, one in enumerate(_alerts(count, status, now + lasts))
            ),
        )


def micros_of(length: timedelta) -> int:
    return length // timedelta(microseconds=1)


def _alerts(count: int, status: Status, ends: datetime) -> Iterator[Alert]:
    english = info("en-GB", headline="Orange warning for thunderstorms", expires=ends)
    pattern = alert("pattern", status=status, infos=(info(expires=ends), english))
    for number in range(count):
        name = f"crowd{status.lower()}{number:08}"
        yield replace(pattern, id=name, identifier=name)
