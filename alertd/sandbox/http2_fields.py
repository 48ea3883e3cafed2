"""Reading the header fields of requests that differ in little but `:path`, as a push sender's do.

Unpacking (RFC 7541) and checking them (RFC 9113, 8.2 and 8.3) is more than half of what a request costs in `hpack`
and `h2`: so the ordinary forms are read by a short cut, and what was found well formed is remembered.
"""

from collections.abc import Iterable, Mapping

from h2.utilities import HeaderValidationFlags, validate_headers
from hpack import Decoder, HeaderTuple, HPACKDecodingError

_REQUEST = HeaderValidationFlags(is_client=False, is_trailer=False, is_response_header=False, is_push_promise=False)
_PATH = b":path"
_REMEMBERED = 1_000

Field = tuple[bytes, bytes]


_INDEXED = 0x80  # the first octet of a field says what it is: RFC 7541, section 6
_LITERAL_KEPT = 0x40
_TABLE_SIZE = 0x20


class QuickDecoder(Decoder):
    """hpack's own in fewer steps: no logging, no copies, and one look-up for an index of one octet."""

    def decode(self, data: bytes, raw: bool = False) -> Iterable[HeaderTuple]:  # noqa: FBT001, FBT002 - as hpack has it
        if data and _TABLE_SIZE <= data[0] < _LITERAL_KEPT:
            return super().decode(data, raw)
        fields: list[HeaderTuple] = []
        at = 0
        while at < len(data):
            octet = data[at]
            if _INDEXED < octet < 0xFF:  # noqa: PLR2004 - seven ones: the index goes on in the next octet
                field, used = HeaderTuple(*self.header_table.get_by_index(octet - _INDEXED)), 1
            elif octet >= _INDEXED:
                field, used = self._decode_indexed(data[at:])
            elif octet >= _LITERAL_KEPT:
                field, used = self._decode_literal_index(data[at:])
            elif octet < _TABLE_SIZE:
                field, used = self._decode_literal_no_index(data[at:])
            else:
                raise HPACKDecodingError("Table size update not at the start of the block")
            fields.append(field)
            at += used
        self._assert_valid_table_size()
        return fields


class KnownFields:
    """For one connection."""

    def __init__(self) -> None:
        self._known: dict[tuple[Field | bytes, ...], Mapping[str, str]] = {}

    def read(self, fields: Iterable[Field]) -> tuple[str, Mapping[str, str]]:
        """The path without its query, and all other fields. Raises h2's ProtocolError for what is malformed."""
        path = b""
        others: list[Field | bytes] = []
        for field in fields:
            if field[0] == _PATH and not path:
                path = field[1]
                others.append(_PATH)
            else:
                others.append(field)
        key = tuple(others)
        known = self._known.get(key)
        if known is None or not _plain(path):
            known = _checked(fields)
            if len(self._known) < _REMEMBERED:
                self._known[key] = known
        return path.partition(b"?")[0].decode("latin-1"), known


def _plain(path: bytes) -> bool:
    """Nothing in it that the checks could refuse."""
    return path.startswith(b"/") and path.isascii() and path.decode("ascii").isprintable() and b" " not in path


def _checked(fields: Iterable[Field]) -> Mapping[str, str]:
    checked = validate_headers(fields, _REQUEST)
    return {bytes(name).decode("latin-1"): bytes(value).decode("latin-1") for name, value in checked}
