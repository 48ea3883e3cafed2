"""What a message refers to (CAP 1.2, 3.2.1): when two names are one, and which of a chain can be followed."""

from collections.abc import Sequence

from alertd.cap.moments import moment
from alertd.core.intake import unfollowable
from alertd.domain.alert import Alert, Reference
from alertd.domain.problems import Conflict, Invalid, Problem
from alertd.ports.stores.intake import StoredAlert

_SHOWN = 5


def same(one: Reference, other: Reference) -> bool:
    """Whether they name the same message: `sent` is the same text, or the same moment spelt otherwise."""
    if (one.sender, one.identifier) != (other.sender, other.identifier):
        return False
    if one.sent == other.sent:
        return True
    at = moment(one.sent, exact=False).at
    return at is not None and at == moment(other.sent, exact=False).at


def heads_of(alert: Alert, known: Sequence[StoredAlert]) -> Sequence[str]:
    """The ids of those it can follow: of a chain its last, of several chains the last of each.

    Raises Conflict where there is none; Invalid where they are of another status, for an exercise must not end what
    is real.
    """
    reasons = [unfollowable(one) for one in known]
    heads = [one for one, why in zip(known, reasons, strict=True) if why is None]
    if not heads:
        why = "; ".join(reason for reason in reasons[:_SHOWN] if reason is not None)
        raise Conflict(f"{alert.msg_type} of {listed(alert.references)}: {why}")
    alike = [one.alert.id for one in heads if one.alert.status is alert.status]
    if not alike:
        status = heads[0].alert.status
        raise Invalid(Problem(("status",), f"{alert.msg_type} keeps its original's status, {status}"))
    return alike


def listed(references: Sequence[Reference]) -> str:
    """For an answer: the first few."""
    more = f" and {len(references) - _SHOWN} more" if len(references) > _SHOWN else ""
    return "; ".join(str(reference)[:300] for reference in references[:_SHOWN]) + more
