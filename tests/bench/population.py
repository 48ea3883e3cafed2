"""Citizens by the million, written straight into the store of a daemon that is not running.

The API enrols some 1,500 a second, checking and auditing each; what is measured here comes after enrolment, so the
rows are put where it would have put them (`subscriber`, `endpoint`, `zone_set` of alertd/storage/tables.py). Nothing
but benchmarks does this, and BENCHMARKS.md says so.
"""

import contextlib
import hashlib
import json
import sqlite3
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from alertd.sandbox.keyring import Keyring
from tests.acceptance.town import MONTELUPO, Town

_AT_ONCE = 20_000
_EVERY_PURPOSE = 7
_SUBSCRIBER = """
INSERT INTO subscriber (seq, id, language, zone_set, purposes, min_severity, min_rank, cohort, consent_source,
                        consent_given_at, created_at, updated_at)
VALUES (?, ?, ?, ?, ?, 'Minor', 1, 'public', 'import', ?, ?, ?)
"""
_ENDPOINT = """
INSERT INTO endpoint (subscriber_seq, channel, address, address_key, state, created_at)
VALUES (?, ?, ?, ?, 'active', ?)
"""


async def found(town: Town) -> None:
    """Make the store: the daemon's own migrations, by its own hand."""
    await town.start()
    await town.stop()


def settle_in(
    state: Path, channel: str, addresses: Iterable[str], *, zone: str = MONTELUPO, language: str = "it"
) -> int:
    """One subscriber with one endpoint for each address; how many there are in the store afterwards.

    The daemon must not run. Addresses are canonical, as the adapter's `normalize` gives them, and new.
    """
    with contextlib.closing(sqlite3.connect(state / "alertd.db", isolation_level=None)) as db:
        db.execute("PRAGMA synchronous = OFF")  # of a set-up nobody waits for; the checkpoint below is whole
        db.execute("PRAGMA cache_size = -262144")
        zones = json.dumps([zone], separators=(",", ":"))
        db.execute("INSERT INTO zone_set (zones) VALUES (?) ON CONFLICT DO NOTHING", (zones,))
        (zone_set,) = db.execute("SELECT id FROM zone_set WHERE zones = ?", (zones,)).fetchone()
        (seq,) = db.execute("SELECT coalesce(max(seq), 0) FROM subscriber").fetchone()
        now = time.time_ns() // 1_000
        remaining = iter(addresses)
        while batch := list(islice(remaining, _AT_ONCE)):
            numbered = list(enumerate(batch, seq + 1))
            db.execute("BEGIN")
            db.executemany(
                _SUBSCRIBER,
                ((n, f"citizen-{n}", language, zone_set, _EVERY_PURPOSE, now, now, now) for n, _ in numbered),
            )
            db.executemany(_ENDPOINT, ((n, channel, address, _key(address), now) for n, address in numbered))
            db.execute("COMMIT")
            seq += len(batch)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return seq


def mail_addresses(count: int, start: int = 0) -> Iterator[str]:
    return (f"citizen{number}@example.org" for number in range(start, start + count))


def subscriptions(origin: str, count: int, start: int = 0, seed: bytes = b"alertd sandbox") -> Iterator[str]:
    """Push subscriptions in the canonical form of the web push adapter, those of a sandbox with that seed.

    `origin` is https://host:port; the path is /push/NUMBER.
    """
    for number, (p256dh, auth) in enumerate(Keyring(seed).public_sides(start, count), start):
        yield f'{{"endpoint":"{origin}/push/{number}","keys":{{"auth":"{auth}","p256dh":"{p256dh}"}}}}'


def _key(address: str) -> str:
    """As alertd/storage/addresses.py has it."""
    return urlsafe_b64encode(hashlib.sha256(address.encode()).digest()[:18]).decode()
