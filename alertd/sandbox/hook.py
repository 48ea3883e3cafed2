"""A receiver of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec 1.0)."""

import base64
import hmac
import json
import time
from typing import Self

from aiohttp import web

from alertd.sandbox.faults import Faults
from alertd.sandbox.ledger import Ledger
from alertd.sandbox.stage import Stage, plain_refusal

TOLERANCE = 300  # seconds between the sender's clock and ours
_PREFIX = "whsec_"


class HookReceiver:
    """One recipient, named by the path. A repeat is a `webhook-id` seen before."""

    name = "hook"

    def __init__(self, host: str, port: int, *, secret: str) -> None:
        self._host = host
        self.secret = secret
        self._stage = Stage(host, port, [web.post("/hook", self._receive)])

    async def __aenter__(self) -> Self:
        await self._stage.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stage.__aexit__(*exc)

    @property
    def port(self) -> int:
        return self._stage.port

    @property
    def url(self) -> str:
        return f"http://{self._host}:{self.port}/hook"

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

    def read(self, recipient: str) -> object:
        """The last JSON taken."""
        body = self.ledger.bodies.get(recipient)
        message: object = None if body is None else json.loads(body)
        return message

    def stats(self) -> dict[str, object]:
        return self.ledger.stats()

    def clear(self) -> None:
        self._stage.clear()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()

        async def take(arrived: float) -> web.Response:
            return self._take(request, body, arrived)

        return await self._stage.serve(request, request.path, take, plain_refusal)

    def _take(self, request: web.Request, body: bytes, arrived: float) -> web.Response:
        if request.path in self.faults.gone:
            return web.Response(status=410)
        why = self._unproven(request, body)
        if why:
            return web.Response(status=401, text=why)
        try:
            json.loads(body)
        except ValueError:
            return web.Response(status=400, text="the body is not JSON")
        self.ledger.took(request.path, request.headers["webhook-id"].encode(), body, at=arrived)
        return web.Response(status=204)

    def _unproven(self, request: web.Request, body: bytes) -> str:
        """What is wrong with the signature or its time; empty where they hold."""
        message_id = request.headers.get("webhook-id", "")
        sent = request.headers.get("webhook-timestamp", "")
        if not message_id or not (sent.isascii() and sent.isdigit()):
            return "webhook-id or webhook-timestamp is missing"
        if abs(time.time() - int(sent)) > TOLERANCE:
            return "webhook-timestamp is too far from now"
        key = base64.b64decode(self.secret.removeprefix(_PREFIX))
        digest = hmac.digest(key, b".".join([message_id.encode(), sent.encode(), body]), "sha256")
        expected = "v1," + base64.b64encode(digest).decode()
        given = request.headers.get("webhook-signature", "").split()
        return "" if any(hmac.compare_digest(expected, one) for one in given) else "no signature matches"
