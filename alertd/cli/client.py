"""The daemon's HTTP API, as the commands use it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from alertd.cli.errors import WRONG_USAGE, Failure, bullets
from alertd.cli.sse import Happening, happenings

_TRIES = 5
_PATIENCE = aiohttp.ClientTimeout(total=60, sock_connect=10)
_UNHURRIED = aiohttp.ClientTimeout(total=None, sock_connect=10)
_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=90)
_IN_FLIGHT = 409
_ERRORS = 400


@dataclass(frozen=True, slots=True)
class Body:
    """What is posted: bytes and their media type."""

    data: bytes
    media_type: str = "application/json"

    @classmethod
    def of(cls, value: object) -> Self:
        return cls(json.dumps(value, ensure_ascii=False).encode())


class Client:
    """One daemon. Every method raises Failure, in the operator's words."""

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise Failure(f"--url {url} is not an address; e.g. http://127.0.0.1:8470", WRONG_USAGE)
        if not token:
            raise Failure(
                "A token is needed: --token, or better the variable ALERTD_TOKEN.\n"
                "  On the daemon's machine:  alertd token create --name NAME --scope alerts:send --scope alerts:read",
                WRONG_USAGE,
            )
        self._url = url.rstrip("/")
        self._session = aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}, trust_env=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Any:
        return await self._call("GET", path)

    async def post(self, path: str, body: Body, *, idempotency_key: str | None = None) -> Any:
        """With a key, tried again where the network failed: the daemon acts once however often it is asked."""
        headers = {"Content-Type": body.media_type}
        if idempotency_key is None:
            return await self._call("POST", path, body.data, headers)
        headers["Idempotency-Key"] = idempotency_key
        for attempt in range(1, _TRIES):
            try:
                return await self._call("POST", path, body.data, headers)
            except Unsure as error:
                sys.stderr.write(f"alertd: {error}; trying again\n")
                await asyncio.sleep(0.25 * 2**attempt)
        return await self._call("POST", path, body.data, headers)

    async def stream(self, path: str, chunks: AsyncIterator[bytes], media_type: str) -> Any:
        """Post what is made as it goes, however long that takes; never tried again."""
        return await self._call("POST", path, chunks, {"Content-Type": media_type}, _UNHURRIED)

    async def events(self, path: str) -> AsyncIterator[Happening]:
        """Server-Sent Events, reconnecting where the stream broke; ends with the server's `done`."""
        failures = 0
        while True:
            try:
                async with self._session.get(self._url + path, timeout=_STREAM) as response:
                    await _raise_for(response)
                    async for happening in happenings(response.content):
                        failures = 0
                        yield happening
                        if happening.kind == "done":
                            return
            except (aiohttp.ClientError, TimeoutError) as error:
                lost = _unreachable(self._url, error)
            else:
                lost = Unsure(f"{self._url} ended the stream")
            failures += 1
            if failures >= _TRIES:
                raise lost
            await asyncio.sleep(0.25 * 2**failures)

    async def _call(
        self,
        method: str,
        path: str,
        data: bytes | AsyncIterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        timeout: aiohttp.ClientTimeout = _PATIENCE,
    ) -> Any:
        try:
            async with self._session.request(
                method, self._url + path, data=data, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                await _raise_for(response)
                return await response.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise _unreachable(self._url, error) from None


class Unsure(Failure):
    """It may or may not have happened: what has a key may be asked again with it."""


def _unreachable(url: str, error: Exception) -> Unsure:
    reason = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    return Unsure(f"The daemon at {url} cannot be reached: {reason}")


async def _raise_for(response: aiohttp.ClientResponse) -> None:
    if response.status < _ERRORS:
        return
    try:
        problem = json.loads(await response.read())
    except ValueError:
        problem = {}
    text = _explained(response, problem if isinstance(problem, dict) else {})
    if response.status == _IN_FLIGHT and "Retry-After" in response.headers:
        raise Unsure(text)
    raise Failure(text)


def _explained(response: aiohttp.ClientResponse, problem: dict[str, Any]) -> str:
    """A problem+json answer (RFC 9457) as a block of lines."""
    title = str(problem.get("title") or response.reason or "Error")
    detail = problem.get("detail")
    head = f"{title} ({response.status})" + (f": {detail}" if detail else "")
    faults = [
        f"{'.'.join(map(str, fault.get('loc', ())))}: {fault.get('msg', '')}" for fault in problem.get("errors") or ()
    ]
    told = str(detail or "")
    return "\n".join((head, *bullets(fault for fault in faults if fault not in told)))
