"""What can be wrong with the store itself, and which of the database's own errors mean "not now".

Not to be confused with `alertd.domain.problems`, which is about requests.
"""

import sqlite3

from sqlalchemy.exc import DBAPIError

from alertd.domain.problems import Unavailable


class StoreBusy(RuntimeError):
    """Another daemon holds this store; the message names its process."""


class StoreTooNew(RuntimeError):
    """The store was written by a newer alertd; this one would damage it."""


class StoreMisconfigured(ValueError):
    """The store's URL cannot be used; the message says what would be right."""


_PRIMARY_CODE = 0xFF
_NOT_NOW = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk answers with an error",
    sqlite3.SQLITE_READONLY: "the store is read-only",
    sqlite3.SQLITE_BUSY: "another process keeps the store locked",
    sqlite3.SQLITE_LOCKED: "another process keeps the store locked",
    sqlite3.SQLITE_CANTOPEN: "the store's file cannot be opened",
    sqlite3.SQLITE_NOMEM: "there is no memory left",
    sqlite3.SQLITE_PERM: "the store's file may not be used",
    sqlite3.SQLITE_CORRUPT: "the store's file is damaged; restore a backup",
    sqlite3.SQLITE_NOTADB: "the store's file is not an SQLite database",
}


def as_unavailable(error: BaseException) -> Unavailable | None:
    """The database's refusal as the core knows it, or None where `error` is something else (a bug, a Conflict)."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError) and cause.errno is not None:  # Forbidden is a PermissionError too, without one
        return Unavailable(f"the store cannot be used now: {cause.strerror or cause}")
    if not isinstance(cause, sqlite3.Error):
        return None
    meaning = _NOT_NOW.get(getattr(cause, "sqlite_errorcode", 0) & _PRIMARY_CODE)
    return Unavailable(f"the store cannot be used now: {meaning} ({cause})") if meaning else None
