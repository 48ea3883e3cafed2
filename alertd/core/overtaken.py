"""A message of another system, and those that were posted before it although they follow it (CAP 1.2, 3.2.1).

Systems do not promise an order. A Cancel that comes before its Alert would take back nothing, and then the Alert
would go out although its author took it back; an Update that comes first must not be sent as something new. So both
wait, and decide what becomes of the message they follow when it comes:

- an Alert that was cancelled is not sent: Conflict;
- one that was updated speaks with the Update's words, once; of several Updates with those of the one sent last;
- an Update that was updated or cancelled does so in its turn, to what it follows;
- what was followed by something that went out already, because that follows other alerts as well, is not sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from alertd.cap.moments import moment
from alertd.domain.alert import Alert, MsgType
from alertd.domain.problems import Conflict
from alertd.domain.signal import Violation
from alertd.ports.stores.intake import Origin
from alertd.ports.stores.peers import Early

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """`alert` as it was read; of its infos nothing is kept where they were not `whole`."""

    alert: Alert
    origin: Origin
    whole: bool = True


def prevailing(message: Message, early: Sequence[Early]) -> Early:
    """Whose words it is to speak, of those that came before it (one at least). Raises Conflict where nothing is to be
    done."""
    name, first = message.origin.name, message.alert.msg_type is MsgType.ALERT
    for one in early:
        if one.alert_id is not None:
            raise Conflict(
                f"{name} came after the {one.msg_type} {one.name} that follows it, which is alert {one.alert_id}: "
                "nothing older is sent"
            )
    last = max(early, key=_weight)
    if last.msg_type is MsgType.CANCEL and first:
        raise Conflict(f"{name} was cancelled before it came, by {last.name}: it is not sent")
    return last


def overtaken(message: Message, early: Sequence[Early], last: Early, said: Alert) -> Message:
    """What to do instead of it: what `last` of those says."""
    first = message.alert.msg_type is MsgType.ALERT
    said = replace(
        said,
        msg_type=MsgType.ALERT if first else last.msg_type,
        purpose=message.alert.purpose,
        references=message.alert.references,
    )
    return Message(said, _origin(message.origin, early, last))


def _weight(one: Early) -> tuple[bool, datetime, int]:
    """A Cancel prevails, for it cannot be updated; then what was sent last."""
    return one.msg_type is MsgType.CANCEL, moment(one.name.sent, exact=False).at or _NEVER, one.seq


def _origin(origin: Origin, early: Sequence[Early], last: Early) -> Origin:
    """Whoever posted either is told what became of the other."""
    verb = "cancels" if last.msg_type is MsgType.CANCEL else "updates"
    told = Violation("document", f"{last.name} came before {origin.name}, which it {verb}: it was taken in its place")
    return replace(origin, early=tuple(one.seq for one in early), by=last.name, violations=(*origin.violations, told))
