"""The Bot API's limits (core.telegram.org/bots/faq): about 30 messages a second, one a second to a chat."""

import math
from collections.abc import Callable
from dataclasses import dataclass

_SLACK = 0.05  # a client that spaces by its own clock may arrive this share too soon


@dataclass(frozen=True, slots=True)
class Rates:
    """`overall` messages a second with bursts of `burst`; `per_chat` messages a second."""

    overall: float = 30.0
    burst: int = 40
    per_chat: float = 1.0


@dataclass(frozen=True, slots=True)
class TooMany:
    """Seconds to wait, whole as the Bot API says them; `chat_only`: other chats may go on."""

    retry_after: int
    chat_only: bool


class Limiter:
    """A bucket for all and a spacing per chat."""

    def __init__(self, rates: Rates, clock: Callable[[], float]) -> None:
        self._rates = rates
        self._clock = clock
        self._level = 0.0
        self._drained = clock()
        self._last: dict[str, float] = {}

    def admit(self, chat: str) -> TooMany | None:
        """None where the call may pass, and then it counts."""
        now = self._clock()
        self._level = max(0.0, self._level - (now - self._drained) * self._rates.overall)
        self._drained = now
        if self._level + 1 > self._rates.burst:
            return TooMany(math.ceil((self._level + 1 - self._rates.burst) / self._rates.overall), chat_only=False)
        wait = self._last.get(chat, -math.inf) + (1 - _SLACK) / self._rates.per_chat - now
        if wait > 0:
            return TooMany(math.ceil(wait), chat_only=True)
        self._level += 1
        self._last[chat] = now
        return None
