"""What is asked for over HTTP/2, and how it may end."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from adapters.exchange import Failure, Reply
from alertd.domain.delivery import Reason, Retry

Answered = Callable[[int, Reply | Failure], None]
"""answered(ref, outcome)"""

BROKEN: Final = Retry(Reason.BROKEN)
TIMEOUT: Final = Retry(Reason.TIMEOUT)
NEVER_SENT: Final = Retry(Reason.CONNECT)


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Headers that many requests share: lower-case names, no pseudo-headers, no content-length.

    Compared by identity and encoded once per connection, so reuse the same one.
    """

    headers: tuple[tuple[bytes, bytes], ...]


class Request:
    """One POST. `deadline` is on the monotonic clock; `starts` counts the streams it was put on.

    Mutable and without a dataclass's ceremony, because a hundred thousand of them are made in a second.
    """

    __slots__ = ("answered", "body", "deadline", "path", "profile", "ref", "starts")

    def __init__(
        self, path: bytes, profile: Profile, body: bytes, ref: int, answered: Answered, deadline: float
    ) -> None:
        self.path = path
        self.profile = profile
        self.body = body
        self.ref = ref
        self.answered = answered
        self.deadline = deadline
        self.starts = 0


Outcome = tuple[Request, Reply | Failure]
