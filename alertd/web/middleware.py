"""What surrounds every request, as plain ASGI: its id, its line in the log, its headers, the size of its body."""

import asyncio
import re
import secrets
import time
from collections.abc import Mapping
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from alertd.web.problems import problem

MEBIBYTE = 1 << 20

_SANE_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
_PATH_SHOWN = 200

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_NO_STORE = (b"cache-control", b"no-store")


class Envelope:
    """The outermost layer: gives the request its id, writes the access log, and turns a bug into a clean 500.

    `X-Request-ID` is taken from the caller where it is sane (1 to 64 letters, digits, `._~-`), else made, and
    always answered. The log names the route, not the address: addresses of the public pages carry secrets.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log: FilteringBoundLogger = structlog.get_logger("alertd.web")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        began = time.perf_counter()
        status = 0

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _dress(message, scope, request_id)
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, dressed)
            except Exception:
                self._log.exception("a request failed on a bug of ours", route=_shown(scope))
                if status:
                    raise  # half an answer is out: the server must break the connection, not end it cleanly
                answer = problem(500, "an error of ours; the log has it under this request id", request_id=request_id)
                await answer(scope, receive, dressed)
            finally:
                # The answer leaves when this turn of the loop ends: it does not wait for its line in the log.
                ms = round((time.perf_counter() - began) * 1000, 2)
                asyncio.get_running_loop().call_soon(self._write, scope, status, ms)

    def _write(self, scope: Scope, status: int, ms: float) -> None:
        log = self._log.debug if scope["path"] in _QUIET else self._log.info
        log(
            "request",
            method=scope["method"],
            route=_shown(scope),
            status=status,
            ms=ms,
            token=scope["state"].get("token"),
        )


class BodyLimit:
    """Refuses a body larger than its path allows: by Content-Length before it is read, else while it streams.

    `larger` names the paths that may exceed `limit` (bytes).
    """

    def __init__(self, app: ASGIApp, limit: int = MEBIBYTE, larger: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._larger = dict(larger or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._larger.get(scope["path"], self._limit)
        if _declared(scope) > limit:
            request_id = scope.get("state", {}).get("request_id")
            answer = problem(413, _too_large(limit), headers={"Connection": "close"}, request_id=request_id)
            await answer(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise HTTPException(413, _too_large(limit), {"Connection": "close"})
            return message

        await self._app(scope, counted, send)


def _request_id(given: str | None) -> str:
    return given if given is not None and _SANE_ID.fullmatch(given) else secrets.token_hex(8)


def _dress(message: Message, scope: Scope, request_id: str) -> None:
    """Security headers, unless the route has its own. On the hot path, hence bytes."""
    headers: list[tuple[bytes, bytes]] = list(message.get("headers", ()))
    own = {name.lower() for name, _ in headers}
    headers.append((b"x-request-id", request_id.encode()))
    headers += [header for header in _HEADERS if header[0] not in own]
    if scope["path"].startswith("/v1/") and _NO_STORE[0] not in own:
        headers.append(_NO_STORE)
    message["headers"] = headers


def _shown(scope: Scope) -> str:
    """The path of an API call, else the route's template: a citizen's confirmation link must not be logged."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    if raw.startswith(b"/v1/"):
        return raw.partition(b"?")[0][:_PATH_SHOWN].decode("latin-1")
    template = getattr(scope.get("route"), "path_format", None)
    if isinstance(template, str):
        return template
    return "/" if raw == b"/" else "(no such route)"


def _declared(scope: Scope) -> int:
    """The Content-Length; one that is no number is the server's to refuse, and counting still bounds it."""
    text = Headers(scope=scope).get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0  # noqa: PLR2004


def _too_large(limit: int) -> str:
    size = f"{limit // MEBIBYTE} MiB" if limit >= MEBIBYTE else f"{limit} bytes"
    return f"{HTTPStatus(413).phrase.lower()}: at most {size} are taken here"
