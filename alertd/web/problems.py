"""Every error leaves as `application/problem+json` (RFC 9457), the framework's own included; never a traceback."""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from alertd.domain.problems import Conflict, Forbidden, InFlight, Invalid, NotFound, Problem, Unauthorized, Unavailable

MEDIA_TYPE = "application/problem+json"
MAX_ERRORS = 50
"""A request may have a hundred thousand faults; this many are told."""

CHALLENGE = 'Bearer realm="alertd"'
INVALID_TOKEN: Mapping[str, str] = {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'}
"""RFC 6750, section 3."""

_LOC_LENGTH = 100
_RETRY_AFTER = "5"

_DETAILS = {
    404: "there is nothing at this address",
    405: "this address does not take that method",
    413: "the body is too large",
}


_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}  # RFC 9110's words, whatever Python's release


def problem(
    status: int,
    detail: str,
    *,
    errors: Iterable[Problem] = (),
    headers: Mapping[str, str] | None = None,
    request_id: str | None = None,
) -> Response:
    """The answer. `type` is about:blank (RFC 9457, 4.2.1): the status says what kind of problem it is."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status) or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    told = [_told(error) for _, error in zip(range(MAX_ERRORS), errors, strict=False)]
    if told or status == HTTPStatus.UNPROCESSABLE_ENTITY:
        body["errors"] = told
    if request_id is not None:
        body["request_id"] = request_id
    return Response(orjson.dumps(body), status, headers, MEDIA_TYPE)


def from_pydantic(errors: Sequence[Any]) -> list[Problem]:
    """pydantic's errors in our words; what was sent is never repeated."""
    return [Problem(tuple(error["loc"]), _message(error)) for error in errors[:MAX_ERRORS]]


def install(app: FastAPI) -> None:
    """Teach the app to answer every known exception. What is not known is caught by the outermost middleware."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(Invalid, _invalid)
    app.add_exception_handler(NotFound, _plain(404))
    app.add_exception_handler(InFlight, _plain(409, {"Retry-After": "1"}))
    app.add_exception_handler(Conflict, _plain(409))
    app.add_exception_handler(Unauthorized, _plain(401, INVALID_TOKEN))
    app.add_exception_handler(Forbidden, _plain(403))
    app.add_exception_handler(Unavailable, _plain(503, {"Retry-After": _RETRY_AFTER}))


def _plain(status: int, headers: Mapping[str, str] | None = None) -> Any:
    async def handler(request: Request, error: Exception) -> Response:
        return problem(status, str(error), headers=headers, request_id=_id_of(request))

    return handler


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    detail = error.detail if error.detail != phrase else _DETAILS.get(error.status_code, phrase)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(_methods_at(request)))
    return problem(error.status_code, detail, headers=headers, request_id=_id_of(request))


async def _unreadable(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _unprocessable(request, from_pydantic(error.errors()))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, Invalid)
    return _unprocessable(request, error.problems)


def _unprocessable(request: Request, problems: Sequence[Problem]) -> Response:
    detail = str(problems[0]) if problems else "the request cannot be taken as it is"
    if len(problems) > 1:
        detail = f"{detail} (and {len(problems) - 1} more)"
    return problem(422, detail[:1000], errors=problems, request_id=_id_of(request))


def _told(error: Problem) -> dict[str, Any]:
    loc = [part if isinstance(part, int) else part[:_LOC_LENGTH] for part in error.loc]
    return {"loc": loc, "msg": error.msg[:1000]}


def _message(error: Mapping[str, Any]) -> str:
    """A validator's own ValueError speaks for itself; a few of pydantic's words are made plainer."""
    match error["type"]:
        case "value_error":
            return str(error["ctx"]["error"])
        case "extra_forbidden":
            return "there is no such field"
        case "missing":
            return "this field is required"
        case "json_invalid":
            return f"this is not JSON: {error['ctx']['error']}"
        case _:
            return str(error["msg"])


def _methods_at(request: Request) -> set[str]:
    """Every method this address takes (RFC 9110, 15.5.6): the framework knows only those of one route.

    Where an address is spelt out by a route, those that only match it by a parameter do not count.
    """
    path: str = request.scope["path"]
    routes = [route for route in iter_route_contexts(request.app.routes) if route.path_regex.match(path)]
    spelt = [route for route in routes if route.path_format == path]
    return {method for route in spelt or routes for method in route.methods or ()}


def _id_of(request: Request) -> str | None:
    found: str | None = request.scope.get("state", {}).get("request_id")
    return found
