"""Where the SQLite file is, and how a connection to it is set up."""

import sqlite3
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import NullPool

from alertd.storage.problems import StoreMisconfigured

_SCHEME: Final = "sqlite://"
_CACHED_STATEMENTS: Final = 512

_SETTINGS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA wal_autocheckpoint = 0",  # checkpoints are the writer's own business (checkpoint.py)
    "PRAGMA journal_size_limit = 268435456",
    "PRAGMA temp_store = MEMORY",
)


def path_of(url: str) -> Path:
    """The file a store URL names. `sqlite:///var/lib/x.db` is absolute, with three slashes or four.

    Raises StoreMisconfigured.
    """
    if url.startswith(("postgresql:", "postgres:")):
        raise StoreMisconfigured("store.url: PostgreSQL comes with a later version; use sqlite:///path/to/alertd.db")
    if not url.startswith(_SCHEME):
        raise StoreMisconfigured(f"store.url: {url!r} is not a store; use sqlite:///path/to/alertd.db")
    path = url.removeprefix(_SCHEME)
    if not path.startswith("/") or path.endswith("/") or "?" in path or ":memory:" in path:
        raise StoreMisconfigured(f"store.url: {url!r} names no file; use sqlite:///path/to/alertd.db")
    return Path("/" + path.lstrip("/"))


def connect(path: Path, *, busy_seconds: float, cache_kib: int = 2_048) -> Connection:
    """A connection that begins no transaction by itself: whoever runs jobs on it says BEGIN and COMMIT.

    `busy_seconds` is how long a statement waits for another process's lock; `cache_kib` how much of the file is kept.
    """
    engine = create_engine(
        "sqlite://",
        creator=partial(
            sqlite3.connect,
            path,
            timeout=busy_seconds,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=_CACHED_STATEMENTS,
        ),
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
    )
    connection = engine.connect()
    for setting in _SETTINGS:
        connection.exec_driver_sql(setting)
    connection.exec_driver_sql(f"PRAGMA cache_size = -{cache_kib}")
    return connection


def run(connection: Connection, sql: str, terms: Mapping[str, Any] | tuple[()] = ()) -> sqlite3.Cursor:
    """Execute one of the hot statements past SQLAlchemy's result machinery, which costs more than most of them."""
    return driver(connection).execute(sql, terms)


def scalar(connection: Connection, sql: str, terms: Mapping[str, Any] | tuple[()] = ()) -> Any:
    """The first column of the first row; None where there is no row."""
    row = driver(connection).execute(sql, terms).fetchone()
    return None if row is None else row[0]


def insert(connection: Connection, sql: str, terms: Mapping[str, Any]) -> int:
    """Insert one row; its number."""
    number = driver(connection).execute(sql, terms).lastrowid
    assert number is not None
    return number


def driver(connection: Connection) -> sqlite3.Connection:
    """The sqlite3 connection under SQLAlchemy's."""
    raw = connection.connection.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw
