"""A push service with its browsers: RFC 8030 over TLS, every message really opened (RFC 8291)."""

import json
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Self

from aiohttp import web

from alertd.sandbox.faults import Faults
from alertd.sandbox.keyring import Keyring
from alertd.sandbox.ledger import Ledger
from alertd.sandbox.opener import Opener
from alertd.sandbox.stage import Stage, plain_refusal
from alertd.sandbox.unseal import MAX_BODY, UnreadableError
from alertd.sandbox.vapid import RejectedError, Vapid

MOST = 10_000_000  # subscriptions that exist: index 0 up to here
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_SALT = 16


class PushService:
    """Recipients are named by the index of their subscription, in decimal.

    `key`, once set, is the only application server key taken, as if every subscription had been made for it.
    """

    name = "push"

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, *, seed: bytes) -> None:
        self._host = host
        routes = [web.post("/push/{index:[0-9]+}", self._receive)]
        self._stage = Stage(host, port, routes, tls=tls)
        self._keyring = Keyring(seed)
        self._opener = Opener(self._keyring)
        self._stack = AsyncExitStack()
        self._vapid = Vapid()
        self.key: str | None = None
        self._forget()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._opener)
        await self._stack.enter_async_context(self._stage)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    @property
    def port(self) -> int:
        return self._stage.port

    @property
    def origin(self) -> str:
        return f"https://{self._host}:{self.port}"

    @property
    def connections(self) -> int:
        return self._stage.connections

    @property
    def ledger(self) -> Ledger:
        return self._stage.ledger

    @property
    def faults(self) -> Faults:
        return self._stage.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._stage.faults = faults

    def subscriptions(self, count: int, start: int = 0) -> Iterator[str]:
        """`count` subscriptions as the JSON of `PushSubscription.toJSON()`; the same index, the same one."""
        for index, (p256dh, auth) in enumerate(self._keyring.public_sides(start, count), start):
            # Written by hand, being a hundred thousand; nothing in it needs escaping.
            yield (f'{{"endpoint":"{self.origin}/push/{index}","keys":{{"p256dh":"{p256dh}","auth":"{auth}"}}}}')

    def read(self, recipient: str) -> object:
        """The last payload: JSON where it is JSON, else text."""
        body = self.ledger.bodies.get(recipient)
        if body is None:
            return None
        try:
            payload: object = json.loads(body)
        except ValueError:
            return body.decode(errors="replace")
        return payload

    def topics(self, recipient: str) -> int:
        """How many notices would wait for this browser had it been off: a Topic replaces its like."""
        return sum(1 for whose, _ in self._waiting if whose == recipient)

    def stats(self) -> dict[str, object]:
        return {**self.ledger.stats(), "replaced": self.replaced, "reused_envelopes": self.reused_envelopes}

    def clear(self) -> None:
        self._stage.clear()
        self._forget()

    def _forget(self) -> None:
        self.replaced = 0
        self.reused_envelopes = 0
        self._untitled = 0
        self._waiting: dict[tuple[str, str], float] = {}
        self._salts: dict[bytes, int] = {}

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        recipient = str(int(request.match_info["index"]))

        async def take(arrived: float) -> web.Response:
            return await self._take(request, recipient, body, arrived)

        return await self._stage.serve(request, recipient, take, plain_refusal)

    async def _take(self, request: web.Request, recipient: str, body: bytes, arrived: float) -> web.Response:
        if int(recipient) >= MOST:
            return web.Response(status=404, text="no such subscription")
        if recipient in self.faults.gone:
            return web.Response(status=410, text="unsubscribed")
        try:
            authorization = request.headers.get("Authorization")
            self._vapid.check(authorization, origin=self.origin, now=time.time(), key=self.key)
            ttl = _check_headers(request, len(body))
            text = await self._opener.open(int(recipient), body)
        except RejectedError as rejected:
            return web.Response(status=rejected.status, text=str(rejected))
        except UnreadableError as error:
            return web.Response(status=400, text=str(error))
        self._note_envelope(body)
        self._replace(recipient, request.headers.get("Topic"), arrived + ttl)
        self.ledger.took(recipient, text, text, at=arrived)
        location = f"{self.origin}/message/{recipient}-{self.ledger.messages}"
        return web.Response(status=201, headers={"Location": location, "TTL": str(ttl)})

    def _note_envelope(self, body: bytes) -> None:
        """A salt seen before with other content means key and nonce were used twice, which breaks AES-GCM."""
        mark = hash(body)
        if self._salts.setdefault(body[:_SALT], mark) != mark:
            self.reused_envelopes += 1

    def _replace(self, recipient: str, topic: str | None, until: float) -> None:
        if topic is None:
            self._untitled += 1
            topic = f"({self._untitled})"  # parentheses: never a Topic
        if (recipient, topic) in self._waiting:
            self.replaced += 1
        self._waiting[recipient, topic] = until


def _check_headers(request: web.Request, length: int) -> int:
    """The TTL in seconds. Raises RejectedError: 400 for what RFC 8030 section 5 forbids, 413 for a long body."""
    headers = request.headers
    ttl = headers.get("TTL", "")
    if not (ttl.isascii() and ttl.isdigit()):
        raise RejectedError(400, "TTL must be a number of seconds (RFC 8030, section 5.2)")
    if headers.get("Urgency", "normal") not in _URGENCIES:
        raise RejectedError(400, "no such Urgency (RFC 8030, section 5.3)")
    if not _TOPIC.fullmatch(headers.get("Topic", "t")):
        raise RejectedError(400, "Topic must be at most 32 base64url characters (RFC 8030, section 5.4)")
    if headers.get("Content-Encoding") != "aes128gcm":
        raise RejectedError(400, "Content-Encoding must be aes128gcm (RFC 8291, section 4)")
    if length > MAX_BODY:
        raise RejectedError(413, f"more than {MAX_BODY} octets")
    return int(ttl)
