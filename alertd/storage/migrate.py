"""Bringing the store to the current schema, with a copy of it beside it first."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from alertd.storage.connect import connect, driver
from alertd.storage.problems import StoreTooNew

HEAD: Final = "0005"
"""The revision this code is written for; a test holds it to the newest file in migrations/versions."""

_BUSY_SECONDS: Final = 10.0
_FOLDER: Final = Path(__file__).parent / "migrations"


def revision_of(connection: Connection) -> str | None:
    """None for a store that is still empty."""
    query = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if not connection.exec_driver_sql(query).scalar_one():
        return None
    found: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one_or_none()
    return found


def is_current(path: Path) -> bool:
    if not path.exists():
        return False
    connection = connect(path, busy_seconds=_BUSY_SECONDS)
    try:
        return revision_of(connection) == HEAD
    finally:
        connection.close()


def bring_up_to_date(path: Path) -> Path | None:
    """Migrate to HEAD; the copy made beforehand, or None where none was needed. Raises StoreTooNew."""
    connection = connect(path, busy_seconds=_BUSY_SECONDS)
    try:
        found = revision_of(connection)
        if found == HEAD:
            return None
        copy = None if found is None else _copy(path, found)
        _upgrade(connection, found)
        return copy
    finally:
        connection.close()


def _copy(path: Path, revision: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy = path.with_name(f"{path.name}.{revision}-{stamp}.bak")
    with closing(sqlite3.connect(path)) as source:
        source.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)
    return copy


def _upgrade(connection: Connection, found: str | None) -> None:
    """Alembic is imported only when there is something to do: it is slow to import and commands are many."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.attributes["connection"] = connection
    if found is not None:
        try:
            ScriptDirectory.from_config(config).get_revision(found)
        except CommandError:
            raise StoreTooNew(
                f"the store has schema {found}, this alertd knows up to {HEAD}: install the newer alertd again"
            ) from None
    raw = driver(connection)
    raw.execute("BEGIN EXCLUSIVE")
    try:
        command.upgrade(config, "head")
        raw.execute("COMMIT")
    except BaseException:
        raw.execute("ROLLBACK")
        raise
