"""`python -m tests.bench.cap_cost FILE`: what reading and checking one document costs a process that is warm.

CPU time, not the clock. Memory is what the process grew at its highest, libxml2's trees included and the document itself
not; Linux tells it (VmHWM, reset before).
"""

import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from alertd.cap.check import checked_all
from alertd.cap.reader import read

_SMALL = (
    b"<alert xmlns='urn:oasis:names:tc:emergency:cap:1.2'><info><area><polygon>1,1 1,2</polygon></area></info></alert>"
)
_ROUNDS = 5


def cost(document: bytes) -> dict[str, float]:
    """`read` and `check` in milliseconds, the best of some rounds; `grew` in MiB."""
    list(checked_all(read(_SMALL)))
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    list(checked_all(read(document)))
    grew = (_status("VmHWM") - before) / 1_024
    reading = read(document)
    return {
        "read": min(_milliseconds(lambda: read(document)) for _ in range(_ROUNDS)),
        "check": min(_milliseconds(lambda: list(checked_all(reading))) for _ in range(_ROUNDS)),
        "grew": max(grew, 0.0),
    }


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e3


def _status(name: str) -> int:
    """In KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


if __name__ == "__main__":
    print(json.dumps(cost(Path(sys.argv[1]).read_bytes())))
