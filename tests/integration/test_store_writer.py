"""The writer's promises: durable before answered, one bad job alone undone, urgent first, a full disk survived."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from alertd.domain.alert import Purpose
from alertd.domain.problems import Unavailable
from alertd.storage import Store, StoreBusy, StoreMisconfigured
from alertd.storage.checkpoint import Checkpointer
from alertd.storage.connect import run, scalar
from alertd.storage.database import Database
from alertd.storage.lock import Gate
from tests.integration.store_stand import HOOK, a_subscriber, check_whole, new, opened, sql, url


def _keep(conn: Connection, name: str, *, fail: Exception | None = None) -> int:
    run(conn, "INSERT INTO idempotency VALUES ('test', :name, '', x'', 0)", {"name": name})
    if fail is not None:
        raise fail
    return int(scalar(conn, "SELECT count(*) FROM idempotency"))


def _kept(folder: Path) -> set[str]:
    return {row[0] for row in sql(folder, "SELECT key FROM idempotency")}


class _Blocker:
    """A job that holds the writer until it is let go, so that others gather behind it."""

    def __init__(self, db: Database) -> None:
        self._entered = threading.Event()
        self._go = threading.Event()
        self.done = asyncio.ensure_future(db.write(self._wait))

    def _wait(self, _: Connection) -> None:
        self._entered.set()
        self._go.wait(10)

    async def entered(self) -> None:
        await asyncio.to_thread(self._entered.wait, 10)

    def let_go(self) -> None:
        self._go.set()


async def _behind(db: Database, *jobs: Any) -> list[Any]:
    """Run the jobs so that they meet in the queue. Each is a partial, or a pair of it and True for urgent."""
    blocker = _Blocker(db)
    await blocker.entered()
    waiting = []
    for job in jobs:
        work, urgent = job if isinstance(job, tuple) else (job, False)
        waiting.append(asyncio.ensure_future(db.write(work, urgent=urgent)))
    await asyncio.sleep(0)
    blocker.let_go()
    return await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_failing_job_is_undone_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        jobs = [partial(_keep, name="a"), partial(_keep, name="b", fail=KeyError("b")), partial(_keep, name="c")]
        results = await _behind(store._db, *jobs)
        assert isinstance(results[1], KeyError)
        assert _kept(tmp_path) == {"a", "c"}


async def test_a_failing_job_that_comes_first_is_undone_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(KeyError):
            await store._db.write(partial(_keep, name="a", fail=KeyError("a")))
        results = await _behind(
            store._db, (partial(_keep, name="b", fail=KeyError("b")), True), (partial(_keep, name="c"), True)
        )
        assert isinstance(results[0], KeyError)
        assert _kept(tmp_path) == {"c"}


async def test_urgent_jobs_overtake_and_others_still_get_their_turn(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        order: list[str] = []

        def note(_: Connection, name: str) -> None:
            order.append(name)

        ordinary = [partial(note, name="o") for _ in range(3)]
        urgent = [(partial(note, name="u"), True) for _ in range(3)]
        await _behind(store._db, *ordinary, *urgent)
        assert order == ["u"] * 3 + ["o"] * 3

        async def press() -> None:
            while not finished.is_set():
                await store._db.write(partial(note, name="u"), urgent=True)

        finished = asyncio.Event()
        pressing = [asyncio.ensure_future(press()) for _ in range(8)]
        await asyncio.wait_for(asyncio.gather(*(store._db.write(partial(note, name="o")) for _ in range(20))), 60)
        finished.set()
        await asyncio.gather(*pressing)


async def test_what_was_answered_is_there_after_kill(tmp_path: Path) -> None:
    told = await asyncio.to_thread(_accept_until_killed, tmp_path)
    async with opened(tmp_path) as store:
        kept = {row[0] for row in sql(tmp_path, "SELECT id FROM alert")}
        assert set(told) <= kept
        assert (await store.verify_audit()) == (len(kept), None)
        check_whole(tmp_path)
    assert sql(tmp_path, "PRAGMA integrity_check") == [("ok",)]


def _accept_until_killed(folder: Path) -> list[str]:
    """The ids a child process was told were accepted before it was killed in the middle of it."""
    program = """
import asyncio, os, sys
from pathlib import Path
from tests.integration.store_stand import HOOK, new, opened
async def main():
    async with opened(Path(sys.argv[1])) as store:
        async def one():
            while True:
                accepted = new(HOOK)
                await store.accept(accepted)
                os.write(1, accepted.alert.id.encode() + b"\\n")
        await asyncio.gather(*(one() for _ in range(16)))
asyncio.run(main())
"""
    child = subprocess.Popen([sys.executable, "-c", program, str(folder)], stdout=subprocess.PIPE, env=_environment())
    assert child.stdout is not None
    told = [child.stdout.readline().decode().strip() for _ in range(200)]
    child.send_signal(signal.SIGKILL)
    told += [line.decode().strip() for line in child.stdout if line.endswith(b"\n")]
    child.stdout.close()
    child.wait()
    return told


async def test_closing_finishes_what_was_queued(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        late = [asyncio.ensure_future(store.accept(new(HOOK))) for _ in range(30)]
        await asyncio.sleep(0)
    await asyncio.gather(*late)
    assert sql(tmp_path, "SELECT count(*) FROM alert") == [(30,)]
    with pytest.raises(RuntimeError, match="closed"):
        await store.accept(new(HOOK))
    with pytest.raises(RuntimeError, match="closed"):
        await store.list_alerts(limit=1)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("alertd-store")]
    assert not (tmp_path / "alertd.db-wal").exists(), "the last one out copies the log back"


async def test_a_cancelled_caller_does_not_undo_the_change(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        blocker = _Blocker(store._db)
        await blocker.entered()
        impatient = asyncio.ensure_future(store._db.write(partial(_keep, name="a")))
        await asyncio.sleep(0)
        impatient.cancel()
        blocker.let_go()
        await blocker.done
        await store._db.write(partial(_keep, name="b"))
        assert _kept(tmp_path) == {"a", "b"}


async def test_readers_cannot_write_and_do_not_wait_for_the_writer(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        blocker = _Blocker(store._db)
        await blocker.entered()
        assert await asyncio.wait_for(store.list_alerts(limit=1), 60) == []
        blocker.let_go()
        await blocker.done
        with pytest.raises(Unavailable, match="read-only"):
            await store._db.read(partial(_keep, name="a"))


async def test_the_log_does_not_grow_without_bound(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        log = tmp_path / "alertd.db-wal"
        sizes = []
        for batch in range(12):
            people = [a_subscriber(f"s{batch}-{i}", zones=(f"z{i % 50}",)) for i in range(4_000)]
            await store.enrol(people, actor="x")
            sizes.append(log.stat().st_size)
        assert max(sizes) < 64 * 2**20, sizes


async def test_checkpoints_never_run_beside_a_write_of_another_process(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        gate = Gate(tmp_path / "alertd.db", busy_seconds=1)
        with gate.writing():
            await store.accept(new(HOOK))
            own = Gate(tmp_path / "alertd.db", busy_seconds=1)
            with own.checkpointing() as ours:
                assert not ours
            own.close()
        with gate.checkpointing() as ours:
            assert ours
        gate.close()


async def test_a_process_stopped_in_a_checkpoint_holds_nobody_up_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertd.storage.database.BUSY_SECONDS", 0.05)
    async with opened(tmp_path) as store:
        stopped = Gate(tmp_path / "alertd.db", busy_seconds=1)
        with stopped.checkpointing() as ours:
            assert ours
            refused = await asyncio.gather(*(store.accept(new(HOOK)) for _ in range(5)), return_exceptions=True)
            assert [type(answer) for answer in refused] == [Unavailable] * 5
            assert "alertd.db.gate" in str(refused[0])
            assert store.alive()
        await store.accept(new(HOOK))
        stopped.close()
        assert sql(tmp_path, "SELECT count(*) FROM alert") == [(1,)]


async def test_a_bug_beside_a_job_does_not_end_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as store:

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        with monkeypatch.context() as patch:
            patch.setattr(Checkpointer, "after_group", broken)
            patch.setattr(Checkpointer, "when_idle", broken)
            await store.accept(new(HOOK))
            await store.accept(new(HOOK))
        assert store.alive()
        await store.accept(new(HOOK))
        assert "bug in the store's writer" in caplog.text


async def test_a_log_that_cannot_be_seen_does_not_end_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        real = Path.stat

        def blind(path: Path, **terms: Any) -> os.stat_result:
            if path.name.endswith("-wal"):
                raise OSError(5, "Input/output error")
            return real(path, **terms)

        monkeypatch.setattr(Path, "stat", blind)
        for _ in range(3):
            await store.accept(new(HOOK))
        assert store.alive()


async def test_a_writer_held_up_too_long_is_not_alive_and_one_that_waits_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as store:
        assert store.alive()
        monkeypatch.setattr("alertd.storage.writer.STUCK_SECONDS", 0.0)
        blocker = _Blocker(store._db)
        await blocker.entered()
        assert not store.alive()
        monkeypatch.setattr("alertd.storage.writer.STUCK_SECONDS", 30.0)
        assert store.alive()
        blocker.let_go()
        await blocker.done
    assert not store.alive(), "closed"


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writer_that_ended_takes_no_more_and_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:

        def end(_: Connection) -> None:
            raise SystemExit

        writer = store._db._writer
        waiting = asyncio.ensure_future(store._db.write(end))
        await asyncio.to_thread(writer._thread.join, 10)
        assert not store.alive()
        with pytest.raises(Unavailable, match="ended"):
            await store.accept(new(HOOK))
        waiting.cancel()


async def test_heavy_reads_do_not_delay_the_road(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        go = threading.Event()

        def heavy(_: Connection) -> None:
            go.wait(30)

        reads = [asyncio.ensure_future(store._db.read(heavy)) for _ in range(20)]
        await asyncio.sleep(0)
        accepted = new(HOOK)
        async with asyncio.timeout(180):
            assert await store.answer("officer", "k") is None
            await store.accept(accepted)
            assert await store.next_plan() is not None
            assert await store.next_due("hook", 0) is None
            assert await store.find_token("d") is None
            assert await store.next_deadline(accepted.accepted_at) is not None
            assert not await store.has_audience("push", cohort=accepted.cohort, purpose=Purpose.EVENT, targets=())
            many = [store.get_alert(accepted.alert.id) for _ in range(50)]
            assert len(await asyncio.gather(*many)) == 50
        assert not any(read.done() for read in reads)
        go.set()
        await asyncio.gather(*reads)


async def test_a_second_daemon_is_refused_by_name_and_a_command_is_not(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        with pytest.raises(StoreBusy, match=str(os.getpid())):
            async with Store.open(url(tmp_path / "alertd.db"), exclusive=True):
                pass
        async with opened(tmp_path, exclusive=False) as command:
            await asyncio.gather(*(one.accept(new(HOOK)) for one in (store, command) * 20))
        assert await store.verify_audit() == (40, None), "two writers, one chain"
    async with opened(tmp_path):
        pass


async def test_a_lock_held_too_long_by_another_is_unavailable_and_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alertd.storage.database.BUSY_SECONDS", 0.05)
    async with opened(tmp_path) as store:
        with closing(sqlite3.connect(tmp_path / "alertd.db", isolation_level=None)) as rude:
            rude.execute("BEGIN IMMEDIATE")
            refused = await asyncio.gather(*(store.accept(new(HOOK)) for _ in range(5)), return_exceptions=True)
            assert [type(answer) for answer in refused] == [Unavailable] * 5
            assert "locked" in str(refused[0])
            rude.execute("ROLLBACK")
        await store.accept(new(HOOK))


async def test_a_full_disk_is_unavailable_and_works_again_when_there_is_room(tmp_path: Path) -> None:
    with _small_disk(tmp_path / "disk", 4) as disk:
        async with opened(disk) as store:
            await store.accept(new(HOOK))
            ballast = disk / "ballast"
            _fill(ballast)
            with pytest.raises(Unavailable, match="full"):
                await _accept_for_ever(store)
            with pytest.raises(Unavailable):
                await _probe_for_ever(store)
            before = sql(disk, "SELECT count(*) FROM alert")[0][0]
            assert len(await store.list_alerts(limit=1)) == 1, "it can still be read"
            ballast.unlink()
            await store.accept(new(HOOK))
            await store.probe()
            assert sql(disk, "SELECT count(*) FROM alert") == [(before + 1,)], "what was refused was not stored"
            assert (await store.verify_audit())[1] is None
        assert sql(disk, "PRAGMA integrity_check") == [("ok",)]


async def _accept_for_ever(store: Store) -> None:
    while True:
        await store.accept(new(HOOK))


async def _probe_for_ever(store: Store) -> None:
    while True:
        await store.probe()


def test_a_file_that_may_not_grow_is_unavailable_too(tmp_path: Path) -> None:
    """Without the right to mount: the child may write no file past a size, then it may."""
    program = """
import asyncio, resource, signal, sys
from pathlib import Path
from alertd.domain.problems import Unavailable
from tests.integration.store_stand import HOOK, new, opened, sql
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
async def main():
    folder = Path(sys.argv[1])
    async with opened(folder) as store:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        taken = 0
        try:
            while True:
                await store.accept(new(HOOK)); taken += 1
        except Unavailable as error:
            print("refused:", error)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        await store.accept(new(HOOK))
        assert sql(folder, "SELECT count(*) FROM alert") == [(taken + 1,)]
        assert (await store.verify_audit()) == (taken + 1, None)
asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], env=_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "refused: the store cannot be used now" in done.stdout


@pytest.mark.parametrize(
    "wrong",
    ["postgresql://host/db", "mysql://x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite://relative.db"],
)
async def test_a_url_that_names_no_store_says_what_would_be_right(wrong: str) -> None:
    with pytest.raises(StoreMisconfigured, match="sqlite:///path"):
        async with Store.open(wrong, exclusive=True):
            pass


async def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable):
        async with Store.open(url(tmp_path / "file" / "x.db"), exclusive=True):
            pass


async def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "alertd.db").write_text("not a database " * 100)
    with pytest.raises(Unavailable, match="not an SQLite database"):
        async with Store.open(url(tmp_path / "alertd.db"), exclusive=True):
            pass


@contextmanager
def _small_disk(path: Path, megabytes: int) -> Iterator[Path]:
    path.mkdir()
    terms = ["-t", "tmpfs", "-o", f"size={megabytes}m", "alertd-test", str(path)]
    if subprocess.run(["mount", *terms], check=False, capture_output=True).returncode:
        pytest.skip("a disk that can be filled needs the right to mount a tmpfs")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"\0" * 4096)
        except OSError:
            pass


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
