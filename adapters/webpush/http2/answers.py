"""Response headers read. Our header table has no room, so a block means the same wherever it stands."""

from typing import Final

from multidict import CIMultiDict, CIMultiDictProxy

from adapters.exchange import Reply
from adapters.webpush.http2.fields import READ, Field, Fields
from adapters.webpush.http2.frames import Code, StreamFault

MAX_LIST: Final = 65_536
"""SETTINGS_MAX_HEADER_LIST_SIZE: octets of all fields, decoded."""
_MAX_SEEN: Final = 512
_STRAINED: Final = 429
_CONFLICT: Final = 101  # Switching Protocols does not exist in HTTP/2 (RFC 9113, section 8.6)


class Answers:
    """Remembers blocks already read; may be shared by connections.

    `seen` holds only replies that are final and no sign of strain, so that whoever looks there need not ask.
    """

    def __init__(self) -> None:
        self.seen: dict[bytes, Reply] = {}
        self._fields = Fields(MAX_LIST)

    def read(self, block: bytes) -> Reply:
        """A response's head, interim ones (1xx) included. ConnectionFault, StreamFault.

        Its headers are those that somebody reads: Location and Retry-After.
        """
        known = self.seen.get(block)
        if known is not None:
            return known
        reply = _reply(self.fields(block))
        if 200 <= reply.status < _STRAINED:  # noqa: PLR2004
            if len(self.seen) >= _MAX_SEEN:
                self.seen.clear()
            self.seen[block] = reply
        return reply

    def fields(self, block: bytes) -> list[Field]:
        """What `Fields.read` finds, in trailers for instance. ConnectionFault: the connection's state is unknown."""
        return self._fields.read(block)


def _reply(fields: list[Field]) -> Reply:
    if not fields or fields[0][0] != b":status":
        raise StreamFault(Code.PROTOCOL_ERROR, "a response begins with :status")
    status = fields[0][1]
    if len(status) != 3 or not status.isdigit() or status < b"100" or int(status) == _CONFLICT:  # noqa: PLR2004
        raise StreamFault(Code.PROTOCOL_ERROR, "not a status of HTTP/2")
    if not all(name in READ for name, _ in fields[1:]):
        raise StreamFault(Code.PROTOCOL_ERROR, "a second pseudo-header, or a name in upper case")
    headers = CIMultiDict([(_text(name), _text(value)) for name, value in fields[1:]])
    return Reply(int(status), CIMultiDictProxy(headers))


def _text(raw: bytes) -> str:
    """As the library client gives it: what is not UTF-8 becomes surrogates, which nobody prints or stores."""
    return raw.decode("utf-8", "surrogateescape")
