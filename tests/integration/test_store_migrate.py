"""The schema: built by migrations alone, the same as the tables say; older stores copied first, newer refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from alertd.storage import StoreBusy, StoreTooNew, migrate
from alertd.storage.connect import connect
from alertd.storage.tables import metadata
from tests.integration.store_stand import HOOK, new, opened


def _schema(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return {name: " ".join((sql or "").replace('"', "").split()) for name, sql in rows if name != "alembic_version"}


def _ddl_of_tables(path: Path) -> dict[str, str]:
    engine = create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    engine.dispose()
    return _schema(path)


def test_migrations_build_exactly_the_tables(tmp_path: Path) -> None:
    migrate.bring_up_to_date(tmp_path / "migrated.db")
    assert _schema(tmp_path / "migrated.db") == _ddl_of_tables(tmp_path / "declared.db")
    connection = connect(tmp_path / "migrated.db", busy_seconds=1)
    differences = compare_metadata(MigrationContext.configure(connection), metadata)
    connection.close()
    assert differences == []


def test_the_code_names_the_newest_revision() -> None:
    script = ScriptDirectory(str(Path(migrate.__file__).parent / "migrations"))
    assert script.get_current_head() == migrate.HEAD
    assert len(script.get_heads()) == 1


def test_a_new_store_is_built_once_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "alertd.db"
    assert migrate.bring_up_to_date(path) is None
    before = path.read_bytes()
    assert migrate.bring_up_to_date(path) is None
    assert path.read_bytes() == before
    assert list(tmp_path.glob("*.bak")) == []


async def test_an_older_store_is_copied_before_it_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as store:
        accepted = new(HOOK)
        await store.accept(accepted)
    upgraded: list[str | None] = []
    current = migrate.HEAD
    monkeypatch.setattr(migrate, "HEAD", "9998")
    monkeypatch.setattr(migrate, "_upgrade", lambda _, found: upgraded.append(found))
    copy = migrate.bring_up_to_date(tmp_path / "alertd.db")
    assert upgraded == [current]
    assert copy is not None
    assert copy.stat().st_mode & 0o777 == 0o600
    with closing(sqlite3.connect(copy)) as raw:
        assert raw.execute("SELECT id FROM alert").fetchall() == [(accepted.alert.id,)]


def test_the_first_schema_is_brought_to_the_newest_with_all_that_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "alertd.db"
    first = connect(path, busy_seconds=1)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["connection"] = first
    command.upgrade(config, "0001")
    first.exec_driver_sql("INSERT INTO token VALUES (1, 'anna', 'd', '[]', NULL, 1, NULL, '{}')")
    first.commit()
    first.close()
    assert migrate.bring_up_to_date(path) is not None
    assert _schema(path) == _ddl_of_tables(tmp_path / "declared.db")
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT name FROM token").fetchall() == [("anna",)]


def test_messages_of_other_systems_outlive_the_change_of_their_table(tmp_path: Path) -> None:
    path = tmp_path / "alertd.db"
    older = connect(path, busy_seconds=1)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    config.attributes["connection"] = older
    command.upgrade(config, "0004")
    older.exec_driver_sql("INSERT INTO peer_message VALUES (7, 's', 'i', 't', 'Alert', 1, 'f', x'3C', x'7B', 5)")
    older.commit()
    older.close()
    assert migrate.bring_up_to_date(path) is not None
    with closing(sqlite3.connect(path)) as raw:
        rows = raw.execute("SELECT * FROM peer_message").fetchall()
    assert rows == [(7, "s", "i", "t", "Alert", 1, "f", b"<", b"{", 5, None, None, None)]


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(connection: Connection, *_: object) -> None:
        connection.exec_driver_sql("CREATE TABLE half_done (x)")
        raise RuntimeError("half way")

    monkeypatch.setattr("alembic.command.upgrade", lambda config, _: broken(config.attributes["connection"]))
    with pytest.raises(RuntimeError, match="half way"):
        migrate.bring_up_to_date(tmp_path / "alertd.db")
    assert _schema(tmp_path / "alertd.db") == {}


async def test_a_store_of_a_newer_alertd_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "alertd.db", isolation_level=None)) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreTooNew, match="9999"):
        async with opened(tmp_path):
            pass


async def test_a_command_does_not_migrate_under_a_running_daemon(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with closing(sqlite3.connect(tmp_path / "alertd.db", isolation_level=None)) as raw:
            raw.execute("UPDATE alembic_version SET version_num = '0000'")
        with pytest.raises(StoreBusy):
            async with opened(tmp_path, exclusive=False):
                pass


async def test_a_command_makes_the_store_where_there_is_none(tmp_path: Path) -> None:
    async with opened(tmp_path / "state", exclusive=False) as store:
        assert await store.list_tokens() == []
    async with opened(tmp_path / "state"):
        pass
