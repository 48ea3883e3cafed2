"""The HTTP side: python-telegram-bot's own request class, bounded in time and exact about what came back.

The library folds an answer into one exception or another by its status and drops the rest; it also builds
RetryAfter, which warns unless an environment variable is set for the whole process. Here an answer that is not
"ok" is kept as it is, and an answer that is not the Bot API's (a proxy's page, half a body) is told apart from it.
"""

import asyncio
import json
import ssl
from typing import Any, Final

from telegram.error import TelegramError, TimedOut
from telegram.request import HTTPXRequest

from adapters.telegram.config import TelegramConfig, chat_number
from adapters.untrusted import wait_of

_OK: Final = range(200, 300)


class Refusal(TelegramError):
    """The Bot API said no: `{"ok": false, "error_code", "description", "parameters"}`."""

    def __init__(self, status: int, description: str, parameters: dict[str, Any]) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after = wait_of(parameters.get("retry_after"))
        self.migrate_to = _chat(parameters.get("migrate_to_chat_id"))


class Unreadable(TelegramError):
    """Something answered, but not in the words of the Bot API."""

    def __init__(self, status: int) -> None:
        super().__init__(f"an answer that is not the Bot API's (HTTP {status})")
        self.status = status


class BotRequest(HTTPXRequest):
    """Each request takes at most `config.timeout` seconds in all, however slowly the answer drips."""

    def __init__(self, config: TelegramConfig) -> None:
        first = min(10.0, config.timeout / 2)  # so that "never reached" is known before the whole time is over
        super().__init__(
            connection_pool_size=2 * config.concurrency,
            connect_timeout=first,
            pool_timeout=first,
            read_timeout=config.timeout,
            write_timeout=config.timeout,
            proxy=config.proxy or None,
            httpx_kwargs={"verify": _tls_context(config), "trust_env": False},
        )
        self._limit = config.timeout

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """Raises Refusal, Unreadable, TimedOut or NetworkError for all that is not `{"ok": true}`."""
        try:
            async with asyncio.timeout(self._limit):
                status, payload = await super().do_request(*args, **kwargs)
        except TimeoutError as late:
            raise TimedOut from late
        body = _object(payload)
        if status in _OK and body.get("ok") is True and "result" in body:
            return status, payload
        if body.get("ok") is False and isinstance(body.get("description"), str) and status not in _OK:
            parameters = body.get("parameters")
            raise Refusal(status, body["description"], parameters if isinstance(parameters, dict) else {})
        raise Unreadable(status)


def _tls_context(config: TelegramConfig) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if config.ca_file:
        context.load_verify_locations(cafile=config.ca_file)
    return context


def _object(payload: bytes) -> dict[str, Any]:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):  # not JSON, a number of 5000 digits, brackets without end
        return {}
    return body if isinstance(body, dict) else {}


def _chat(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    try:
        return chat_number(str(value))
    except ValueError:
        return None
