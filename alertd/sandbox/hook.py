"""A receiver of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec 1.0)."""

import base64
import hmac
import json
import time

from alertd.sandbox.exchange import Request, Response
from alertd.sandbox.http1 import every_route
from alertd.sandbox.http_provider import HttpProvider
from alertd.sandbox.server import HttpServer
from alertd.sandbox.stage import plain_refusal

TOLERANCE = 300  # seconds between the sender's clock and ours
_PREFIX = "whsec_"
_PATH = "/hook"


class HookReceiver(HttpProvider):
    """One recipient, named by the path. A repeat is a `webhook-id` seen before."""

    name = "hook"

    def __init__(self, host: str, port: int, *, secret: str) -> None:
        super().__init__(HttpServer(host, port, every_route(self._receive)))
        self.secret = secret

    @property
    def url(self) -> str:
        return f"http://{self.authority}{_PATH}"

    def read(self, recipient: str) -> object:
        """The last JSON taken."""
        body = self.ledger.bodies.get(recipient)
        message: object = None if body is None else json.loads(body)
        return message

    async def _receive(self, request: Request) -> Response | None:
        if request.path != _PATH:
            return Response(404)
        if request.method != "POST":
            return Response(405, {"Allow": "POST"})

        async def take(arrived: float) -> Response:
            return self._take(request, arrived)

        return await self._stage.play(request.line, request.path, take, plain_refusal)

    def _take(self, request: Request, arrived: float) -> Response:
        if request.path in self.faults.gone:
            return Response(410)
        why = _unproven(request, self.secret)
        if why:
            return Response.plain(401, why)
        try:
            json.loads(request.body)
        except ValueError:
            return Response.plain(400, "the body is not JSON")
        self.ledger.took(request.path, request.headers["webhook-id"].encode(), request.body, at=arrived)
        return Response(204)


def _unproven(request: Request, secret: str) -> str:
    """What is wrong with the signature or its time; empty where they hold."""
    message_id = request.headers.get("webhook-id", "")
    sent = request.headers.get("webhook-timestamp", "")
    if not message_id or not (sent.isascii() and sent.isdigit()):
        return "webhook-id or webhook-timestamp is missing"
    if abs(time.time() - int(sent)) > TOLERANCE:
        return "webhook-timestamp is too far from now"
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    digest = hmac.digest(key, b".".join([message_id.encode(), sent.encode(), request.body]), "sha256")
    expected = "v1," + base64.b64encode(digest).decode()
    given = request.headers.get("webhook-signature", "").split()
    return "" if any(hmac.compare_digest(expected, one) for one in given) else "no signature matches"
