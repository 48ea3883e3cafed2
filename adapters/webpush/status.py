"""What a push service's answer means (RFC 8030, sections 5 and 7.3; RFC 8292, section 4.2)."""

from datetime import datetime
from typing import Final

from adapters.exchange import Reply, retry_after, server_fault
from adapters.untrusted import clean_ref
from alertd.domain.delivery import Accepted, Gone, Halt, Hold, Reason, Refused, Retry, Verdict

_ACCEPTED: Final = frozenset({200, 201, 202, 204})
_FIXED: Final[dict[int, Verdict]] = {
    401: Halt(Reason.CREDENTIALS),
    403: Halt(Reason.CREDENTIALS),
    404: Gone(Reason.UNSUBSCRIBED),
    408: Retry(Reason.UNAVAILABLE),
    410: Gone(Reason.UNSUBSCRIBED),
    413: Refused(Reason.TOO_LARGE),
}


def verdict_of(reply: Reply, now: datetime) -> Verdict:
    """The verdict a single answer suggests; `KeyProof` has the last word on a Halt."""
    status = reply.status
    if status in _ACCEPTED:
        return Accepted(clean_ref(reply.headers.get("Location")))
    if status in _FIXED:
        return _FIXED[status]
    if status == 429:  # noqa: PLR2004
        return Retry(Reason.RATE_LIMITED, retry_after(reply.headers, now), Hold.ORIGIN)
    if status >= 500:  # noqa: PLR2004
        return server_fault(reply, now)
    return Refused(Reason.BLOCKED if 300 <= status < 400 else Reason.BAD_REQUEST)  # noqa: PLR2004


class KeyProof:
    """Whether our key is good, when one push service says that it is not.

    401 and 403 have two causes that look the same: our key is broken, and then the channel must halt; or this one
    subscription was made with somebody else's key, and then it must not, for anyone can register such a one. So
    one message that any service took proves the key for as long as the channel is open; before that the core, which
    wants several endpoints to say so, decides.
    """

    def __init__(self) -> None:
        self._proven = False

    def weigh(self, verdict: Verdict) -> Verdict:
        """The verdict itself, unless it is a Halt that the proof refutes."""
        if isinstance(verdict, Accepted):
            self._proven = True
        elif self._proven and isinstance(verdict, Halt):
            return Retry(verdict.reason)
        return verdict
