"""The one place where an alert becomes the bytes that leave the house, for the API and for the public alike.

They are made anew each time they are asked for and not kept in the store, so making them must be deterministic: the
same alert gives the same bytes for ever, whatever the day, the process or the release. The writer is; a seal has to be
too (Ed25519 and RSA with PKCS #1 v1.5 are, ECDSA and RSA-PSS are not). A test holds the bytes of one document.
"""

from collections.abc import Callable
from dataclasses import dataclass

from alertd.cap.writer import write
from alertd.domain.alert import Alert


def unsealed(document: bytes) -> bytes:
    """The document as the writer made it."""
    return document


@dataclass(frozen=True, slots=True)
class Documents:
    """`seal` may sign the document (CAP 1.2, 3.3.4.1); it gets and gives the whole of it."""

    seal: Callable[[bytes], bytes] = unsealed

    def of(self, alert: Alert) -> bytes:
        """CAP 1.2 in UTF-8. Raises ValueError naming the element that CAP cannot hold as it is."""
        return self.seal(write(alert))
