"""Keeps tokens and chat ids out of the logs of the libraries underneath.

A bot's token is part of every URL, and httpx logs every URL; python-telegram-bot logs chat ids and texts when it
debugs, and a traceback for every 429. What matters of all that is in the verdicts.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_TALKATIVE: Final = (
    "httpx",
    "telegram.Bot",
    "telegram.request.BaseRequest",
    "telegram.request.HTTPXRequest",
)


class _Discreet(logging.Filter):
    def __init__(self, token: str) -> None:
        super().__init__()
        self._token = token

    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno >= logging.WARNING and self._token not in record.getMessage()


@contextmanager
def discretion(token: str) -> Iterator[None]:
    """While open, those libraries log nothing below a warning and nothing with the token in it."""
    discreet = _Discreet(token)
    loggers = [logging.getLogger(name) for name in _TALKATIVE]
    for logger in loggers:
        logger.addFilter(discreet)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(discreet)
