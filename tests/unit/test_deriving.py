"""Derivation in worker processes, under both event loops: nothing lost, nothing mixed up, nobody left behind."""

import asyncio
import gc
import io
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

import adapters.webpush
from adapters.webpush import frames, worker
from adapters.webpush.deriving import FEW, KINDNESS, Deriver
from adapters.webpush.envelope import BadKeys, Keys, derive_each, seal
from alertd.sandbox.keyring import Keyring
from alertd.sandbox.unseal import unseal

RING = Keyring(b"deriving")
PATIENCE = 180
OFF_THE_CURVE = Keys(b"\x04" + b"\x01" * 64, bytes(16))
ORPHANING = """
import asyncio, structlog
from adapters.webpush.deriving import FEW, Deriver
from tests.unit.test_deriving import keys

async def main():
    deriver = Deriver(structlog.get_logger())
    await deriver.derive(keys(range(FEW + 1)))
    while len(deriver.pids) < 2:
        await asyncio.sleep(0.01)
    print(*deriver.pids, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


def keys(indices: Sequence[int]) -> list[Keys]:
    return [Keys(RING.keys(index).public, RING.keys(index).auth) for index in indices]


def assert_opens(indices: Sequence[int], made: Sequence[bytes | BadKeys]) -> None:
    assert len(made) == len(indices)
    for index, one in zip(indices, made, strict=True):
        assert isinstance(one, bytes)
        assert unseal(RING.keys(index), seal(one, b"al coperto")) == b"al coperto"


async def until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not ready():
            await asyncio.sleep(0.002)


def living(pid: int) -> bool:
    """Running, not even a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children() -> list[int]:
    """Those of this process that it has not taken leave of, zombies too."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(stat.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(stat.parent.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


@asynccontextmanager
async def deriving(kindness: int = 0, idle: float = 60.0) -> AsyncIterator[Deriver]:
    """In the end there are as many children as before, and nothing that was forgotten to be closed."""
    before = children()
    deriver = Deriver(structlog.get_logger(), kindness, idle=idle)
    try:
        yield deriver
    finally:
        await deriver.close()
    assert children() == before
    del deriver
    gc.collect()


async def staffed(deriver: Deriver) -> Deriver:
    """Once its processes are there; it is not idle before."""
    await deriver.derive(keys(range(FEW + 1)))
    async with asyncio.timeout(PATIENCE):
        while len(deriver.pids) != 2:
            await deriver.derive(keys(range(1)))
    return deriver


def send(sign: signal.Signals, pids: frozenset[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)


async def asked_of_the_standing(deriver: Deriver, indices: Sequence[int]) -> asyncio.Task[list[bytes | BadKeys]]:
    """A derivation that waits for processes standing still; the questions are out."""
    send(signal.SIGSTOP, deriver.pids)
    asking = asyncio.create_task(deriver.derive(keys(indices)))
    await asyncio.sleep(0.05)  # threads, had they been asked, would be done with it
    assert not asking.done()
    return asking


async def test_what_processes_derive_opens_and_bad_keys_keep_their_place() -> None:
    async with deriving() as deriver:
        await staffed(deriver)
        asked = keys(range(100))
        for bad in (0, 20, 21, 99):
            asked[bad] = OFF_THE_CURVE
        asking = await asked_of_the_standing(deriver, range(5))
        send(signal.SIGCONT, deriver.pids)
        assert_opens(range(5), await asking)
        made = await deriver.derive(asked)
        assert [n for n, one in enumerate(made) if isinstance(one, BadKeys)] == [0, 20, 21, 99]
        good = [n for n in range(100) if n not in {0, 20, 21, 99}]
        assert_opens(good, [made[n] for n in good])
        assert len({one[:16] for one in made if isinstance(one, bytes)}) == 96
        assert await deriver.derive([]) == []


async def test_few_are_derived_without_a_process_and_many_before_one_is_there() -> None:
    before = children()
    async with deriving() as deriver:
        assert_opens(range(FEW), await deriver.derive(keys(range(FEW))))
        assert children() == before
        assert_opens(range(40), await deriver.derive(keys(range(40))))
        await until(lambda: len(deriver.pids) == 2)


async def test_a_killed_worker_is_replaced_and_what_it_was_at_is_derived_elsewhere() -> None:
    async with deriving() as deriver:
        before = (await staffed(deriver)).pids
        asking = await asked_of_the_standing(deriver, range(64))
        first, second = before
        os.kill(first, signal.SIGKILL)
        os.kill(second, signal.SIGCONT)
        assert_opens(range(64), await asking)
        await until(lambda: len(deriver.pids) == 2)
        assert first not in deriver.pids
        assert second in deriver.pids


async def test_all_killed_at_once_lose_nothing() -> None:
    async with deriving() as deriver:
        await staffed(deriver)
        asking = await asked_of_the_standing(deriver, range(200))
        send(signal.SIGKILL, deriver.pids)
        assert_opens(range(200), await asking)


async def test_workers_that_keep_dying_are_given_up_with_one_line_and_threads_go_on() -> None:
    async with deriving() as deriver:
        with capture_logs() as logs:
            await staffed(deriver)
            asking = await asked_of_the_standing(deriver, range(100))
            while not logs:
                send(signal.SIGKILL, deriver.pids)
                await asyncio.sleep(0.002)
            assert_opens(range(100), await asking)
            await until(lambda: not deriver.pids)
            assert_opens(range(FEW + 1), await deriver.derive(keys(range(FEW + 1))))
            assert not deriver.pids
        assert [(line["log_level"], line["deaths"]) for line in logs] == [("warning", 3)]


async def test_where_no_process_can_be_started_threads_derive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    async with deriving() as deriver:
        with capture_logs() as logs:
            for _ in range(3):
                assert_opens(range(FEW), await deriver.derive(keys(range(FEW))))
            await until(lambda: len(logs) == 1)


async def test_who_no_longer_waits_puts_nobody_else_out_of_step() -> None:
    async with deriving() as deriver:
        await staffed(deriver)
        left = await asked_of_the_standing(deriver, range(40))
        left.cancel()
        stays = asyncio.create_task(deriver.derive(keys(range(100, 200))))
        with pytest.raises(asyncio.CancelledError):
            await left
        send(signal.SIGCONT, deriver.pids)
        assert_opens(range(100, 200), await stays)
        assert_opens(range(7), await deriver.derive(keys(range(7))))


async def test_idle_workers_are_let_go_and_called_again() -> None:
    async with deriving(idle=0.2) as deriver:
        first = (await staffed(deriver)).pids
        await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in first))
        assert not deriver.pids
        assert not (await staffed(deriver)).pids & first


async def test_closing_while_they_start_and_while_they_work() -> None:
    async with deriving() as deriver:
        await deriver.derive(keys(range(FEW + 1)))
    async with deriving() as deriver:
        await staffed(deriver)
        asking = await asked_of_the_standing(deriver, range(64))
        asking.cancel()


async def test_a_worker_knows_no_secret_and_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALERTD_TOKEN", "secret")
    async with deriving(KINDNESS) as deriver:
        for pid in (await staffed(deriver)).pids:
            told = Path(f"/proc/{pid}/environ").read_bytes().rstrip(b"\0").split(b"\0")
            assert [entry.partition(b"=")[0] for entry in told] == [b"PYTHONPATH"]
            own = os.getpriority(os.PRIO_PROCESS, 0)
            assert os.getpriority(os.PRIO_PROCESS, pid) == max(own, KINDNESS)


# --- without an event loop ------------------------------------------------------------------------------------


def test_a_daemon_killed_leaves_no_orphan() -> None:
    with subprocess.Popen([sys.executable, "-c", ORPHANING], stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout is not None
        workers = [int(pid) for pid in daemon.stdout.readline().split()]
        assert len(workers) == 2
        assert all(map(living, workers))
        daemon.kill()
    asyncio.run(until(lambda: not any(map(living, workers))))


def test_a_worker_answers_in_turn_and_ends_with_its_input() -> None:
    questions = [keys([1, 2]), [], [OFF_THE_CURVE, *keys([3])]]
    asked = b"".join(frames.framed(frames.question(one)) for one in questions)
    told = io.BytesIO()
    worker.serve(io.BytesIO(asked + frames.framed(frames.question(keys([4])))[:-1]), told)
    told.seek(0)
    answers = []
    while prefix := told.read(frames.PREFIX):
        answers.append(told.read(int.from_bytes(prefix)))
    assert answers[0] == frames.HELLO
    first, nothing, mixed = (frames.answered(one) for one in answers[1:])
    assert_opens([1, 2], first)
    assert nothing == []
    assert isinstance(mixed[0], BadKeys)
    assert_opens([3], mixed[1:])


def test_an_answer_to_another_question_does_not_fit() -> None:
    question = frames.question(keys([1, 2]))
    answer = frames.answer(derive_each(keys([1, 2])))
    assert frames.fits(answer, of=question)
    assert not frames.fits(answer, of=frames.question(keys([1])))
    assert not frames.fits(answer[:-1], of=question)


def test_keys_of_another_length_are_no_question() -> None:
    with pytest.raises(ValueError, match="65"):
        frames.question([Keys(bytes(65), bytes(15))])


def test_a_worker_imports_neither_the_adapter_nor_asyncio() -> None:
    program = "import sys, adapters.webpush.worker; print(*sys.modules)"
    env = {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    loaded = subprocess.check_output([sys.executable, "-S", "-P", "-c", program], env=env, text=True).split()
    assert "adapters.webpush.envelope" in loaded
    assert not {"adapters.webpush.adapter", "asyncio", "aiohttp", "pydantic", "orjson", "structlog"} & set(loaded)


def test_the_package_has_its_adapter_and_nothing_else() -> None:
    assert adapters.webpush.WebPushAdapter.name == "webpush"
    with pytest.raises(AttributeError, match="Nonsense"):
        getattr(adapters.webpush, "Nonsense")  # noqa: B009
