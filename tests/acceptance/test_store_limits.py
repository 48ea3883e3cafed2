"""A full disk, and a second daemon."""

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.place import PUSH, citizens, place
from tests.acceptance.town import Town, alert


@contextlib.contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[None]:
    """A real file system that can be filled. Needs root; skips with a clear line elsewhere."""
    path.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "alertd-test", str(path)], check=False, capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a disk that can be filled needs the right to mount a tmpfs")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


async def _post_until_refused(town: Town) -> tuple[int, dict[str, object]]:
    for _ in range(2_000):
        status, answer = await town.call("POST", "/v1/alerts", alert(note="x" * 2_000))
        if status != 202:
            return status, answer
    raise AssertionError("the disk never filled")


async def test_disk_full_is_503_and_recovers_without_a_restart(tmp_path: Path) -> None:
    async with place(tmp_path, only=(PUSH,)) as (town, sandbox):
        with small_disk(town.state, 8):
            try:
                await town.start()
                await town.enrol(citizens(sandbox, 3, only=(PUSH,)))
                ballast = town.state / "ballast"
                with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                    while True:
                        file.write(b"\0" * 4096)
                accepted = len((await town.api("GET", "/v1/alerts?limit=500"))["items"])
                status, problem = await _post_until_refused(town)
                assert status == 503
                assert problem["status"] == 503
                stored = town.sql("SELECT count(*) FROM alert")[0][0]
                assert stored >= accepted
                ready, _ = await town.call("GET", "/readyz")
                assert ready == 503, "a store that takes nothing is not ready"
                ballast.unlink()
                async with asyncio.timeout(180):
                    while (await town.call("POST", "/v1/alerts", alert()))[0] != 202:
                        await asyncio.sleep(0.1)
                last = (await town.api("GET", "/v1/alerts"))["items"][0]["id"]
                assert (await town.settled(last))[PUSH]["accepted"] == 3
                assert town.integrity() == "ok"
                assert (await town.call("GET", "/readyz"))[0] == 200
            finally:
                await town.kill()


async def test_a_second_daemon_on_the_same_store_refuses_to_start(tmp_path: Path) -> None:
    async with place(tmp_path, only=(PUSH,)) as (town, _):
        await town.start()
        (tmp_path / "second").mkdir()
        second = Town(tmp_path / "second", "")
        text = town.config.read_text().replace(f":{town.port}", f":{second.port}")
        second.config.write_text(text)
        await second.start(wait=False)
        assert await second.gone() != 0
        log = second.log()
        assert str(town.process.pid) in log, log
        assert "Traceback" not in log
        assert (await town.call("GET", "/healthz"))[0] == 200
        await second.close()
