"""Answers kept for a moment, so that a crowd costs one rendering a second."""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from alertd.domain.problems import Unavailable
from alertd.ports.clock import Clock

SECONDS: Final = 1.0
MOST: Final = 256

Make = Callable[[], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class Copy:
    """A rendered body with its validator (RFC 9110, section 8.8.3)."""

    body: bytes
    etag: str
    made_at: float


class Kept:
    """At most MOST bodies by key, each made by one caller while the others wait for it."""

    def __init__(self, clock: Clock, seconds: float = SECONDS) -> None:
        self._clock = clock
        self._seconds = seconds
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self._making: dict[str, asyncio.Lock] = {}

    async def get(self, key: str, make: Make) -> Copy:
        """A copy at most a second old; an older one where the store cannot be read just now."""
        if (copy := self._fresh(key)) is not None:
            return copy
        lock = self._making.setdefault(key, asyncio.Lock())
        try:
            async with lock:
                return self._fresh(key) or await self._remake(key, make)
        finally:
            if not lock.locked():
                self._making.pop(key, None)

    def _fresh(self, key: str) -> Copy | None:
        copy = self._copies.get(key)
        return copy if copy and self._clock.monotonic() - copy.made_at < self._seconds else None

    async def _remake(self, key: str, make: Make) -> Copy:
        try:
            body = await make()
        except Unavailable:
            if (old := self._copies.get(key)) is not None:
                return old
            raise
        copy = Copy(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"', self._clock.monotonic())
        self._copies[key] = copy
        self._copies.move_to_end(key)
        if len(self._copies) > MOST:
            self._copies.popitem(last=False)
        return copy


def answer(request: Request, copy: Copy, *, media_type: str, max_age: int, vary: str = "") -> Response:
    """The copy, or 304 where the reader has it already (RFC 9110, section 13.1.2)."""
    headers = {"ETag": copy.etag, "Cache-Control": f"public, max-age={max_age}"}
    if vary:
        headers["Vary"] = vary
    known = [tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(",")]
    if copy.etag in known or "*" in known:
        return Response(status_code=304, headers=headers)
    return Response(copy.body, media_type=media_type, headers=headers)
