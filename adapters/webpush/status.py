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
    """The verdict a single answer suggests; `Standing` has the last word on a Halt."""
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
