"""What the receiving system's answer means.

The default of the field: 408, 429 and 5xx again, other 4xx never. 410 says that the receiver is gone for good
(Standard Webhooks: stop sending): a broadcast channel has no endpoint to retire, so it halts, which keeps the
alert queued and tells the operators, who alone can name another address.
"""

from datetime import datetime
from typing import Final

from adapters.exchange import Reply, retry_after, server_fault
from alertd.domain.delivery import Accepted, Halt, Hold, Reason, Refused, Retry, Verdict

_FIXED: Final[dict[int, Verdict]] = {
    401: Halt(Reason.CREDENTIALS),
    403: Halt(Reason.CREDENTIALS),
    408: Retry(Reason.UNAVAILABLE),
    410: Halt(Reason.POLICY),
    413: Refused(Reason.TOO_LARGE),
}


def verdict_of(reply: Reply, now: datetime) -> Verdict:
    """The verdict for an answer; any 2xx is a yes."""
    status = reply.status
    if status in _FIXED:
        return _FIXED[status]
    if status == 429:  # noqa: PLR2004
        return Retry(Reason.RATE_LIMITED, retry_after(reply.headers, now), Hold.ORIGIN)
    match status // 100:
        case 2:
            return Accepted()
        case 3:
            return Refused(Reason.BLOCKED)
        case 5:
            return server_fault(reply, now)
        case _:
            return Refused(Reason.BAD_REQUEST)
