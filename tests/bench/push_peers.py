"""Those whom Web Push is measured against, on the sink that alertd sends to."""

import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.acceptance.town import ROOT
from tests.bench.measure import Bench, Contestant, Ended, Outcome, Skipped, command, program, report_of
from tests.bench.pushtown import ENVELOPE_BYTES, PushTown
from tests.bench.sinks import Authority, Nginx

AWAY = 0.05
"""Seconds a distant push service takes to answer."""
PYWEBPUSH, RECEIPTS, NPM = "pywebpush", "pywebpush, receipts written", "npm web-push"
H2LOAD, H2LOAD_FAR = "h2load", "h2load, 50 ms away"
_SCRIPTS = ROOT / "tests" / "bench" / "peers"
_AT_ONCE = (64, 256)
_SECONDS = 120.0
_FINISHED = re.compile(r"finished in ([\d.]+)(us|ms|s),.*?(\d+) succeeded, (\d+) failed", re.DOTALL)
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
_HEADERS = [
    f"-H{line}"
    for line in (
        "ttl: 86400",
        "urgency: high",
        "topic: 0123456789abcdef0123456789abcdef",
        "content-encoding: aes128gcm",
        "content-type: application/octet-stream",
        f"authorization: vapid t={'x' * 250}, k={'x' * 87}",
    )
]
"""What every push carries, of the same lengths; HPACK sends them once a connection."""


@dataclass(frozen=True, slots=True)
class Peers:
    """`text` is the length of everybody's plaintext; `sink(delay=…, patient=…)` starts one."""

    bench: Bench
    here: PushTown
    trust: Authority
    text: int
    sink: Callable[..., AbstractAsyncContextManager[Nginx]]

    def all(self) -> tuple[Contestant, ...]:
        few, fewer = self.bench.pick(3_000, 1_000), self.bench.pick(2_000, 500)
        best = f"best of {' and '.join(map(str, self._at_once))} at once"
        load = partial(self._h2load, self.bench.pick(100_000, 30_000))
        return (
            Contestant(
                PYWEBPUSH,
                f"webpush_async, one aiohttp session, uvloop; {few:,} messages, {best}",
                partial(self._pywebpush, few),
                peer=True,
            ),
            Contestant(
                RECEIPTS,
                "the same and an SQLite row for each, committed (FULL) by the thousand",
                partial(self._pywebpush, few, receipts=True),
                peer=True,
            ),
            Contestant(
                NPM, f"sendNotification, keep-alive; {fewer:,} messages, {best}", partial(self._npm, fewer), peer=True
            ),
            Contestant(
                H2LOAD,
                "ready bytes, no encryption, no receipts; 16 connections of 100 streams",
                partial(load, 16),
                peer=True,
            ),
            Contestant(H2LOAD_FAR, "the same, 32 connections", partial(load, 32, delay=AWAY), peer=True),
        )

    @property
    def _at_once(self) -> tuple[int, ...]:
        return _AT_ONCE[:1] if self.bench.quick else _AT_ONCE

    async def _pywebpush(self, count: int, *, receipts: bool = False) -> Outcome:
        kept = [self.bench.folder / "receipts.db"] if receipts else []
        return await self._library([sys.executable, _SCRIPTS / "pywebpush_peer.py"], count, *kept)

    async def _npm(self, count: int) -> Outcome:
        node = program("node", "apt install nodejs npm")
        if not (_SCRIPTS / "node_modules" / "web-push").is_dir():
            raise Skipped("npm web-push is not installed: make bench-peers")
        return await self._library([node, _SCRIPTS / "web_push_peer.js"], count)

    async def _library(self, program: Sequence[str | Path], count: int, *more: Path) -> Outcome:
        """The fastest of so many at once."""
        found: list[Outcome] = []
        for at_once in self._at_once:
            for old in self.bench.folder.glob("receipts.db*"):
                old.unlink()
            async with self.sink() as receiver:
                argv = [*program, self._file(count), str(self.text), str(at_once), self.trust.ca_file, *more]
                told, _ = await report_of(argv, seconds=_SECONDS)
                arrived = await receiver.requests()
            assert arrived >= count == told["count"], f"{count:,} sent, but nginx read {arrived:,} requests"
            found.append(Outcome(count, told["seconds"], told["cpu"], note=f"{at_once} at once"))
        return min(found, key=lambda one: one.seconds)

    async def _h2load(self, count: int, connections: int, *, delay: float = 0.0) -> Outcome:
        h2load = program("h2load", "apt install nghttp2-client")
        body, targets = self.bench.folder / "body", self.bench.folder / "targets"
        body.write_bytes(bytes(self.text + ENVELOPE_BYTES))
        targets.write_text("\n".join(one["endpoint"] for one in self.here.subscriptions(1_000)))
        argv = [h2load, "-n", str(count), "-c", str(connections), "-m", "100", "-d", body, "-i", targets, *_HEADERS]
        async with self.sink(delay=delay):
            ended = await command(argv, seconds=_SECONDS)
        return _h2load_told(ended, count)

    def _file(self, count: int) -> Path:
        path = self.bench.folder / f"subscriptions-{count}.jsonl"
        if not path.exists():
            path.write_text("".join(json.dumps(one) + "\n" for one in self.here.subscriptions(count)))
        return path


def _h2load_told(ended: Ended, count: int) -> Outcome:
    told = _FINISHED.search(ended.stdout)
    assert told is not None, ended.stdout[-2000:]
    assert int(told[3]) == count and int(told[4]) == 0, told[0]
    return Outcome(count, float(told[1]) * _UNITS[told[2]], ended.cpu)
