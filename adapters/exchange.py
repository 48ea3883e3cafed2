"""One bounded HTTP POST, and what its failures mean; shared by the HTTP adapters.

The status line and the headers decide. The body of an answer is never waited for: a connection that still has
some of it to bring is closed, so that neither a dripping nor an endless body costs anything.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Final

import aiohttp
from pydantic import AfterValidator
from yarl import URL

from adapters.guard import Blocked
from adapters.untrusted import MAX_WAIT
from alertd.domain.delivery import Hold, Reason, Refused, Retry

_FROM_BETWEEN: Final = frozenset({502, 504})
_NOT_A_DATE: Final = (ValueError, TypeError, LookupError, ArithmeticError)  # an offset of 10^20 hours overflows


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `headers` ignore case."""

    status: int
    headers: Mapping[str, str]


Failure = Retry | Refused
"""Why there is no reply."""


def open_session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    """A session without cookies, proxies of the environment or decompression. Needs a running event loop."""
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        headers={"User-Agent": "alertd"},
        skip_auto_headers=("Accept-Encoding",),
    )


async def post(
    session: aiohttp.ClientSession, url: URL, *, body: bytes, headers: Mapping[str, str], within: float
) -> Reply | Failure:
    """POST and read the answer's head within so many seconds, half of which are for connecting.

    Redirects are not followed. Before a connection stands nothing was sent: CONNECT, or BLOCKED where our own
    defence said no. After that the outcome is unknown: TIMEOUT or BROKEN.
    """
    limit = aiohttp.ClientTimeout(total=within, connect=within / 2)
    try:
        async with session.post(url, data=body, headers=headers, allow_redirects=False, timeout=limit) as response:
            return Reply(response.status, response.headers)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
        return Refused(Reason.BLOCKED) if isinstance(error.__cause__, Blocked) else Retry(Reason.CONNECT)
    except TimeoutError:
        return Retry(Reason.TIMEOUT)
    except aiohttp.InvalidURL:
        return Refused(Reason.BAD_ADDRESS)
    except (aiohttp.ClientError, OSError):
        return Retry(Reason.BROKEN)


def server_fault(reply: Reply, now: datetime) -> Retry:
    """The verdict on a 5xx.

    502 and 504 are a proxy's own words: what became of the message behind it is unknown.
    """
    after = retry_after(reply.headers, now)
    reason = Reason.BROKEN if reply.status in _FROM_BETWEEN else Reason.UNAVAILABLE
    return Retry(reason, after, Hold.PARCEL if after is None else Hold.ORIGIN)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Retry-After (RFC 9110, section 10.2.3) in seconds from `now`, 0 to a day; None where unreadable.

    Never raises, whatever the header holds.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_WAIT)  # of any number of digits: float() of a text gives inf, it does not raise
    try:
        moment = parsedate_to_datetime(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        seconds = (moment - now).total_seconds()
    except _NOT_A_DATE:
        return None
    return min(max(seconds, 0.0), MAX_WAIT)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """A verifying client context: the system's authorities and those of `ca_file`, if named. Reads files."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _readable_authorities(path: str) -> str:
    if path:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError("must name a readable PEM file of certificates") from error
    return path


CaFile = Annotated[str, AfterValidator(_readable_authorities)]
"""The path of an extra certificate authority, empty for none."""
