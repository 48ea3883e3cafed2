"""What the Bot API's answers mean. Pure tables, after core.telegram.org/bots/api and its server's source.

An endpoint is retired only on Telegram's own word that this chat is over. In a broadcast channel the one chat is
the operators' business, so there the same words halt the channel.
"""

import ssl
from typing import Final

import httpx
from telegram.error import NetworkError, TelegramError, TimedOut

from adapters.telegram.request import Refusal, Unreadable
from alertd.domain.delivery import Gone, Halt, Hold, Reason, Refused, Retry, Verdict

_CHAT_IS_OVER: Final = (
    "chat not found",
    "user not found",
    "peer_id_invalid",
    "group chat was deactivated",
    "group chat was deleted",
)
_NO_RIGHTS: Final = (
    "not enough rights",
    "have no rights",
    "need administrator rights",
    "chat_write_forbidden",
    "chat_admin_required",
    "channel_private",
    "chat_restricted",
    "chat_send_plain_forbidden",
)
_TOO_LONG: Final = ("too long", "too_long")
_FROM_BETWEEN: Final = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.GATEWAY_TIMEOUT})
_NEVER_LEFT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


def of_error(error: TelegramError, *, broadcast: bool) -> Verdict:
    """The verdict on whatever a Bot API call raised."""
    match error:
        case Refusal():
            return of_refusal(error, broadcast=broadcast)
        case Unreadable(status=status) if 200 <= status <= 299:  # noqa: PLR2004
            return Retry(Reason.BROKEN)  # taken, most likely, but the receipt is lost
        case Unreadable(status=status) if status >= httpx.codes.INTERNAL_SERVER_ERROR:
            return Retry(Reason.BROKEN)  # a proxy's word: it may have handed the message on before
        case Unreadable():
            return Retry(Reason.UNAVAILABLE)  # a proxy or a portal that let nothing through
        case NetworkError():
            return _of_network(error)
        case _:
            return Refused(Reason.BAD_REQUEST)


def of_refusal(refusal: Refusal, *, broadcast: bool) -> Verdict:
    """The verdict on an answer `{"ok": false}`.

    A 429 may be meant for the chat or for the bot: here the whole channel waits, `limited.py` says when less will do.
    """
    status = refusal.status
    if status == httpx.codes.TOO_MANY_REQUESTS:
        return Retry(Reason.RATE_LIMITED, after=refusal.retry_after, hold=Hold.CHANNEL)
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.REQUEST_TIMEOUT:
        return Retry(Reason.BROKEN if status in _FROM_BETWEEN else Reason.UNAVAILABLE)
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.NOT_FOUND):  # the token: wrong, or not one at all
        return Halt(Reason.CREDENTIALS)
    if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE:
        return Refused(Reason.TOO_LARGE)
    if status == httpx.codes.FORBIDDEN:  # blocked, kicked, deactivated, deleted
        return _over(broadcast=broadcast)
    return _of_words(refusal.description.lower(), broadcast=broadcast)


def _of_words(said: str, *, broadcast: bool) -> Verdict:
    if any(words in said for words in _CHAT_IS_OVER):
        return _over(broadcast=broadcast)
    if any(words in said for words in _NO_RIGHTS):
        return Halt(Reason.CREDENTIALS) if broadcast else Refused(Reason.POLICY)
    return Refused(Reason.TOO_LARGE if any(words in said for words in _TOO_LONG) else Reason.BAD_REQUEST)


def _over(*, broadcast: bool) -> Verdict:
    return Halt(Reason.CREDENTIALS) if broadcast else Gone(Reason.UNSUBSCRIBED)


def _of_network(error: NetworkError) -> Verdict:
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error)):
        return Halt(Reason.CREDENTIALS)  # nothing is said to a server that is not proven: an operator must look
    if isinstance(error.__cause__, _NEVER_LEFT):
        return Retry(Reason.CONNECT)
    return Retry(Reason.TIMEOUT if isinstance(error, TimedOut) else Reason.BROKEN)


def _chain(fault: BaseException | None) -> list[BaseException]:
    """The fault and what it came from; httpcore links some of its own by context only."""
    causes: list[BaseException] = []
    while fault is not None and fault not in causes:
        causes.append(fault)
        fault = fault.__cause__ or fault.__context__
    return causes
