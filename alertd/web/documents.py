"""The one place where an alert becomes the bytes that leave the house, for the API and for the public alike.

They are made anew each time they are asked for and not kept in the store, so making them must be deterministic: the
same alert under the same seal gives the same bytes for ever, whatever the day, the process or the release. The writer
is; a seal has to be too (`alertd.cap.sealing`). A test holds the bytes of one document.

Signed bytes are not kept either. A signature says who vouches for a document to whoever reads it now, and is worth
nothing once its certificate has expired or its key was lost: so when the certificate is renewed, every document ever
published is signed anew. What an alert says does not change by it; its octets and its ETag do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from alertd.cap.writer import write
from alertd.domain.alert import Alert, AlertState, MsgType, Scope, Status
from alertd.ports.stores.intake import StoredAlert

_UNDECIDED: Final = frozenset({AlertState.DRAFT, AlertState.REJECTED})
_ABOUT_ALERTS: Final = frozenset({MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL})


def unsealed(document: bytes) -> bytes:
    """The document as the writer made it."""
    return document


def no_mark() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Documents:
    """`seal` may sign the document (CAP 1.2, 3.3.4.1); it gets and gives the whole of it. `mark` is another whenever
    the seal is, and empty where nothing is signed: what was made under another mark is out of date."""

    seal: Callable[[bytes], bytes] = unsealed
    mark: Callable[[], str] = no_mark

    def of(self, alert: Alert) -> bytes:
        """What is published: CAP 1.2 in UTF-8. Raises ValueError naming the element that CAP cannot hold as it is. A
        signature takes milliseconds: ask in a thread."""
        return self.seal(write(alert))

    def of_stored(self, stored: StoredAlert) -> bytes:
        """The same of what was published; of anything else never under our seal: a draft nobody approved could be
        passed on as ours."""
        return self.of(stored.alert) if published(stored) else write(stored.alert)


def published(stored: StoredAlert) -> bool:
    """Whether it was ever sent to the public or to its drills."""
    alert = stored.alert
    if alert.status is Status.DRAFT or stored.state in _UNDECIDED:
        return False
    return alert.scope is Scope.PUBLIC and alert.msg_type in _ABOUT_ALERTS
