"""One request and its answer, whichever version of HTTP carried them, and the line an answer goes out on."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

MAX_BODY = 1 << 20  # octets of a request's body; more is answered with 413


class Line(Protocol):
    """Where one answer is written, for the faults that spoil it. After any of these nothing may be answered."""

    @property
    def gone(self) -> bool:
        """The client left."""
        ...

    def reset(self) -> None:
        """A TCP RST: all that is under way on the connection is lost."""
        ...

    def abort(self) -> None:
        """Break this exchange and no other, where the protocol can (RFC 9113, 5.4.2); else as `reset`."""
        ...

    def half(self, response: "Response") -> None:
        """The beginning of `response`, then the connection closes."""
        ...

    async def drip(self, response: "Response", seconds: float) -> None:
        """`response`, one byte every `seconds`."""
        ...


@dataclass(frozen=True, slots=True)
class Request:
    """`protocol` is the ALPN name, "h2" or "http/1.1"; header names are in lower case; `path` has no query."""

    protocol: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    line: Line


@dataclass(frozen=True, slots=True)
class Response:
    """Content-Length is the front's to add."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @classmethod
    def plain(cls, status: int, text: str) -> Self:
        return cls(status, {"Content-Type": "text/plain; charset=utf-8"}, text.encode())

    @classmethod
    def json(cls, value: object, *, status: int = 200) -> Self:
        return cls(status, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(value).encode())


Handler = Callable[[Request], Awaitable[Response | None]]
"""None: a fault has had the line, there is nothing left to answer."""
