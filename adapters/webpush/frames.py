"""What the daemon and a worker process write each other: frames, each a length of four octets and that many more.

A question is keys in a row; its answer, envelopes in the same order. Questions are answered in turn. A worker's first
frame is empty: it is ready.
"""

from collections.abc import Sequence
from typing import Final

from adapters.webpush.envelope import ENVELOPE, BadKeys, Keys

PREFIX: Final = 4
HELLO: Final = b""
_POINT: Final = 65
_KEYS: Final = _POINT + 16
_BAD: Final = bytes(ENVELOPE)  # never an envelope: a point in one begins with 4


def framed(content: bytes) -> bytes:
    return len(content).to_bytes(PREFIX) + content


def question(keys: Sequence[Keys]) -> bytes:
    content = b"".join([part for one in keys for part in (one.point, one.auth)])
    if len(content) != len(keys) * _KEYS:
        raise ValueError("a point has 65 octets, a secret 16")
    return content


def asked(content: bytes) -> Sequence[Keys]:
    return [Keys(content[at : at + _POINT], content[at + _POINT : at + _KEYS]) for at in range(0, len(content), _KEYS)]


def answer(results: Sequence[bytes | BadKeys]) -> bytes:
    return b"".join([_BAD if isinstance(one, BadKeys) else one for one in results])


def answered(content: bytes) -> list[bytes | BadKeys]:
    """The envelopes, or what is wrong, as `answer` was given them."""
    results: list[bytes | BadKeys] = []
    for at in range(0, len(content), ENVELOPE):
        one = content[at : at + ENVELOPE]
        results.append(BadKeys("the point is not on the curve") if one == _BAD else one)
    return results


def fits(content: bytes, of: bytes) -> bool:
    """Whether it can be the answer to that question."""
    return len(content) * _KEYS == len(of) * ENVELOPE
