"""A push service with its browsers: RFC 8030 over TLS, every message really opened (RFC 8291)."""

import json
import re
import ssl
import time
from collections.abc import Iterator, Mapping

from alertd.sandbox.envelopes import Envelopes
from alertd.sandbox.exchange import Request, Response
from alertd.sandbox.http1 import every_route
from alertd.sandbox.http_provider import HttpProvider
from alertd.sandbox.keyring import Keyring
from alertd.sandbox.opener import Opener
from alertd.sandbox.server import HttpServer
from alertd.sandbox.stage import plain_refusal
from alertd.sandbox.unseal import MAX_BODY, UnreadableError
from alertd.sandbox.vapid import RejectedError, Vapid

MOST = 10_000_000  # subscriptions that exist: index 0 up to here
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_URGENCIES = frozenset({"very-low", "low", "normal", "high"})
_PATH = re.compile(r"/push/(?P<index>[0-9]{1,20})")


class PushService(HttpProvider):
    """Recipients are named by the index of their subscription, in decimal.

    `key`, once set, is the only application server key taken, as if every subscription had been made for it.
    """

    name = "push"

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, *, seed: bytes, http2: bool = True) -> None:
        over_http2 = self._receive if http2 else None
        super().__init__(HttpServer(host, port, every_route(self._receive), tls=tls, http2=over_http2))
        self._keyring = Keyring(seed)
        self._opener = Opener(self._keyring)
        self._vapid = Vapid()
        self.key: str | None = None

    async def __aexit__(self, *exc: object) -> None:
        await super().__aexit__(*exc)
        await self._opener.close()

    @property
    def origin(self) -> str:
        return f"https://{self.authority}"

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

    def sums(self) -> Mapping[str, object]:
        return {"replaced": self.replaced, "over_h2": self.over_h2, **self.envelopes.sums()}

    def forget(self) -> None:
        self.replaced = 0
        self.over_h2 = 0
        self.envelopes = Envelopes()
        self._untitled = 0
        self._waiting: dict[tuple[str, str], float] = {}

    async def _receive(self, request: Request) -> Response | None:
        found = _PATH.fullmatch(request.path)
        if found is None:
            return Response(404)
        if request.method != "POST":
            return Response(405, {"Allow": "POST"})
        recipient = str(int(found["index"]))

        async def take(arrived: float) -> Response:
            return await self._take(request, recipient, arrived)

        return await self._stage.play(request.line, recipient, take, plain_refusal)

    async def _take(self, request: Request, recipient: str, arrived: float) -> Response:
        if int(recipient) >= MOST:
            return Response.plain(404, "no such subscription")
        if recipient in self.faults.gone:
            return Response.plain(410, "unsubscribed")
        headers, body = request.headers, request.body
        try:
            self._vapid.check(headers.get("authorization"), origin=self.origin, now=time.time(), key=self.key)
            ttl = _check_headers(headers, len(body))
            text = await self._opener.open(int(recipient), body)
        except RejectedError as rejected:
            return Response.plain(rejected.status, str(rejected))
        except UnreadableError as error:
            return Response.plain(400, str(error))
        self.envelopes.note(body)
        self.over_h2 += request.protocol == "h2"
        self._replace(recipient, headers.get("topic"), arrived + ttl)
        self.ledger.took(recipient, text, text, at=arrived)
        location = f"{self.origin}/message/{recipient}-{self.ledger.messages}"
        return Response(201, {"Location": location, "TTL": str(ttl)})

    def _replace(self, recipient: str, topic: str | None, until: float) -> None:
        if topic is None:
            self._untitled += 1
            topic = f"({self._untitled})"  # parentheses: never a Topic
        if (recipient, topic) in self._waiting:
            self.replaced += 1
        self._waiting[recipient, topic] = until


def _check_headers(headers: Mapping[str, str], length: int) -> int:
    """The TTL in seconds. Raises RejectedError: 400 for what RFC 8030 section 5 forbids, 413 for a long body."""
    ttl = headers.get("ttl", "")
    if not (ttl.isascii() and ttl.isdigit()):
        raise RejectedError(400, "TTL must be a number of seconds (RFC 8030, section 5.2)")
    if headers.get("urgency", "normal") not in _URGENCIES:
        raise RejectedError(400, "no such Urgency (RFC 8030, section 5.3)")
    if not _TOPIC.fullmatch(headers.get("topic", "t")):
        raise RejectedError(400, "Topic must be at most 32 base64url characters (RFC 8030, section 5.4)")
    if headers.get("content-encoding") != "aes128gcm":
        raise RejectedError(400, "Content-Encoding must be aes128gcm (RFC 8291, section 4)")
    if length > MAX_BODY:
        raise RejectedError(413, f"more than {MAX_BODY} octets")
    return int(ttl)
