"""What the HTTP/2 front asks of `h2`: its settings, and an answer as header fields."""

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes, Settings
from hpack import HeaderTuple, NeverIndexedHeaderTuple

from alertd.sandbox.exchange import MAX_BODY, Response
from alertd.sandbox.http2_fields import QuickDecoder

_HEADERS_TO_BE_CONTINUED = bytes((0x1, 0x0))  # type and flags: no END_HEADERS (RFC 9113, 6.2)
STREAMS = 100  # at once on one connection: what RFC 9113, 6.5.2 recommends at least, and large services allow
_CONFIG = H2Configuration(
    client_side=False,
    validate_inbound_headers=False,  # KnownFields does
    normalize_inbound_headers=False,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
_SETTINGS = {
    SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
    SettingCodes.INITIAL_WINDOW_SIZE: 2 * MAX_BODY,
    SettingCodes.MAX_HEADER_LIST_SIZE: 1 << 16,
}


def new_state() -> H2Connection:
    """A server's end, nothing sent yet."""
    state = H2Connection(_CONFIG)
    state.local_settings = Settings(client=False, initial_values=_SETTINGS)
    state.decoder = QuickDecoder()
    return state


def fields_of(response: Response) -> list[HeaderTuple]:
    """With Content-Length."""
    fields = [HeaderTuple(":status", str(response.status))]
    for name, value in response.headers.items():
        # No two are alike: in the table they would push out what repeats, and make each search a long one.
        kind = NeverIndexedHeaderTuple if name == "Location" else HeaderTuple
        fields.append(kind(name.lower(), value))
    return [*fields, HeaderTuple("content-length", str(len(response.body)))]


def half_of(state: H2Connection, stream: int, response: Response) -> bytes:
    """A HEADERS frame with half of the field block and no END_HEADERS; `state` is of no use afterwards."""
    block = state.encoder.encode(fields_of(response))
    part = block[: len(block) // 2]
    return len(part).to_bytes(3) + _HEADERS_TO_BE_CONTINUED + stream.to_bytes(4) + part
