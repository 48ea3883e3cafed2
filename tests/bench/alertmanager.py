"""Prometheus Alertmanager as a peer: the same webhooks, told at once (`group_wait: 0s`, each alert its own group)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.acceptance.town import free_port
from tests.bench.measure import Skipped, program
from tests.bench.programs import end

_START, _STOP = 20.0, 5.0
_HEAD = """
route:
  receiver: nobody
  group_by: ['...']
  group_wait: 0s
  group_interval: 1h
  repeat_interval: 24h
  routes:
    - matchers: ['reach = one']
      receiver: hook-0
"""
_ROUTE = """    - matchers: ['reach = all']
      receiver: hook-{place}
      continue: true
"""
_RECEIVER = """  - name: hook-{place}
    webhook_configs:
      - url: '{url}'
        send_resolved: false
"""


@dataclass(frozen=True, slots=True)
class Alertmanager:
    url: str
    pid: int


def installed() -> Path:
    for name in ("prometheus-alertmanager", "alertmanager"):  # Debian's name, everybody else's
        with contextlib.suppress(Skipped):
            return program(name, "")
    raise Skipped("Alertmanager is not installed: apt install prometheus-alertmanager")


@asynccontextmanager
async def alertmanager(folder: Path, urls: list[str]) -> AsyncIterator[Alertmanager]:
    """A running one: `reach = one` goes to the first of the webhooks, `reach = all` to each."""
    binary = installed()
    folder.mkdir(parents=True, exist_ok=True)
    config, port = folder / "alertmanager.yml", free_port()
    routes = "".join(_ROUTE.format(place=place) for place in range(len(urls)))
    receivers = "".join(_RECEIVER.format(place=place, url=url) for place, url in enumerate(urls))
    config.write_text(f"{_HEAD}{routes}receivers:\n  - name: nobody\n{receivers}")
    argv = [
        binary,
        f"--config.file={config}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",  # alone: it would listen for others
        "--log.level=error",
    ]
    with (folder / "alertmanager.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*map(str, argv), stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{port}"
        await _ready(process, url, folder / "alertmanager.log")
        yield Alertmanager(url, process.pid)
    finally:
        await end(process, _STOP)


async def _ready(process: asyncio.subprocess.Process, url: str, log: Path) -> None:
    async with asyncio.timeout(_START), aiohttp.ClientSession() as session:
        while True:
            if process.returncode is not None:
                raise RuntimeError(f"Alertmanager ended with {process.returncode}: {log.read_text()[-2000:]}")
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/-/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.02)
