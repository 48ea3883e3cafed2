"""A worker process: `python -m adapters.webpush.worker KINDNESS` derives envelopes for the keys it reads.

It ends with its standard input, so none outlives the daemon. It imports little, for each costs that much memory.
"""

import os
import sys
from contextlib import suppress
from typing import BinaryIO

from adapters.webpush.envelope import derive_each
from adapters.webpush.frames import HELLO, PREFIX, answer, asked, framed


def step_back(kindness: int) -> None:
    """Let others go first (nice), this thread and those it starts. Where a sandbox forbids that, go on as before."""
    if kindness:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, max(kindness, os.getpriority(os.PRIO_PROCESS, 0)))


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until there is no more to read, or nobody who reads."""
    with suppress(BrokenPipeError):
        _tell(answers, HELLO)
        while len(prefix := questions.read(PREFIX)) == PREFIX:
            size = int.from_bytes(prefix)
            content = questions.read(size)
            if len(content) < size:
                return
            _tell(answers, answer(derive_each(asked(content))))


def _tell(answers: BinaryIO, content: bytes) -> None:
    answers.write(framed(content))
    answers.flush()


if __name__ == "__main__":
    step_back(int(sys.argv[1]))
    serve(sys.stdin.buffer, sys.stdout.buffer)
