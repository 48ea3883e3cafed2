"""The control door: steer the stand-ins and read their counts from another process. Plain HTTP, loopback.

GET    /_sandbox                            what the sandbox says of itself
GET    /_sandbox/stats                      the sums of every stand-in
GET    /_sandbox/received/{provider}        recipients with counts and last message (?start=&limit=)
GET    /_sandbox/arrivals/{provider}        when each message arrived, seconds of time.monotonic
GET    /_sandbox/early/{provider}           requests inside an announced Retry-After (?grace=)
GET    /_sandbox/subscriptions              push subscriptions, one JSON a line (?count=&start=)
GET    /_sandbox/faults                     what is wrong now
PUT    /_sandbox/faults                     {"push": {"rules": [{"kind": "hang"}]}}: those named change
DELETE /_sandbox/faults                     all well again
POST   /_sandbox/reset                      forget what was received, all well again
"""

import itertools
import json
from collections.abc import Callable, Mapping

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from alertd.sandbox.description import Description
from alertd.sandbox.faults import NONE, Faults
from alertd.sandbox.provider import Provider
from alertd.sandbox.push import MOST, PushService

FAULTS = TypeAdapter(dict[str, Faults])
_LINES_AT_ONCE = 500


class Control:
    """The handlers, over the stand-ins they steer."""

    def __init__(
        self, providers: Mapping[str, Provider], push: PushService, describe: Callable[[], Description]
    ) -> None:
        self._providers = providers
        self._push = push
        self._description = describe

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/_sandbox", self._describe),
            web.get("/_sandbox/stats", self._stats),
            web.get("/_sandbox/received/{provider}", self._received),
            web.get("/_sandbox/arrivals/{provider}", self._arrivals),
            web.get("/_sandbox/early/{provider}", self._early),
            web.get("/_sandbox/subscriptions", self._subscriptions),
            web.get("/_sandbox/faults", self._faults),
            web.put("/_sandbox/faults", self._set_faults),
            web.delete("/_sandbox/faults", self._clear_faults),
            web.post("/_sandbox/reset", self._reset),
        ]

    async def _describe(self, _request: web.Request) -> web.Response:
        return web.Response(text=self._description().to_json(), content_type="application/json")

    async def _stats(self, _request: web.Request) -> web.Response:
        return web.json_response({name: provider.stats() for name, provider in self._providers.items()})

    async def _received(self, request: web.Request) -> web.Response:
        provider = self._provider(request)
        start, limit = _number(request, "start", 0), _number(request, "limit", 1_000)
        counts = itertools.islice(provider.ledger.counts.items(), start, start + limit)
        return web.json_response(
            [
                {
                    "recipient": recipient,
                    "count": count,
                    "duplicates": provider.ledger.duplicates.get(recipient, 0),
                    "last": provider.read(recipient),
                }
                for recipient, count in counts
            ]
        )

    async def _arrivals(self, request: web.Request) -> web.Response:
        return web.json_response(self._provider(request).ledger.arrivals.tolist())

    async def _early(self, request: web.Request) -> web.Response:
        grace = float(request.query.get("grace", "0.1"))
        early = self._provider(request).ledger.inside_retry_after(grace)
        return web.json_response([one._asdict() for one in early])

    async def _subscriptions(self, request: web.Request) -> web.StreamResponse:
        count, start = _number(request, "count", 1), _number(request, "start", 0)
        if start + count > MOST:
            raise web.HTTPBadRequest(text=f"there are {MOST} subscriptions")
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        lines = self._push.subscriptions(count, start)
        while part := list(itertools.islice(lines, _LINES_AT_ONCE)):
            await response.write(("\n".join(part) + "\n").encode())
        return response

    async def _faults(self, _request: web.Request) -> web.Response:
        now = {name: provider.faults for name, provider in self._providers.items()}
        return web.Response(body=FAULTS.dump_json(now), content_type="application/json")

    async def _set_faults(self, request: web.Request) -> web.Response:
        try:
            wanted = FAULTS.validate_json(await request.read())
        except ValidationError as error:
            raise web.HTTPUnprocessableEntity(text=error.json(include_url=False)) from None
        unknown = wanted.keys() - self._providers.keys()
        if unknown:
            raise web.HTTPUnprocessableEntity(text=json.dumps({"unknown": sorted(unknown)}))
        for name, faults in wanted.items():
            self._providers[name].faults = faults
        return await self._faults(request)

    async def _clear_faults(self, _request: web.Request) -> web.Response:
        for provider in self._providers.values():
            provider.faults = NONE
        return web.Response(status=204)

    async def _reset(self, _request: web.Request) -> web.Response:
        for provider in self._providers.values():
            provider.clear()
        return web.Response(status=204)

    def _provider(self, request: web.Request) -> Provider:
        try:
            return self._providers[request.match_info["provider"]]
        except KeyError:
            raise web.HTTPNotFound(text=f"one of {', '.join(self._providers)}") from None


def _number(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, str(default))
    if not (text.isascii() and text.isdigit()):
        raise web.HTTPBadRequest(text=f"{name} must be a number")
    return int(text)
