"""What the OpenAPI document says of every call: its body, its headers, its errors; and the document's last touches.

Bodies are read by us and not by the framework (once, from their bytes), so the document is told of them here.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from alertd.web.api.answers import ProblemBody
from alertd.web.api.schemas import AlertIn, CancelIn, RejectIn
from alertd.web.problems import MEDIA_TYPE

Document = dict[str, Any]

_REF = "#/components/schemas/{model}"
_REQUESTS: tuple[type[BaseModel], ...] = (AlertIn, CancelIn, RejectIn)
_WHEN = {
    400: "The request cannot be read",
    401: "No token, or not a live one",
    403: "The token may not do this",
    404: "There is no such thing",
    405: "This address does not take that method",
    408: "The body took too long to arrive",
    409: "Its state does not allow this",
    413: "The body is too large",
    415: "This type of body is not taken here",
    422: "Something in the request is wrong; `errors` says what and where",
    500: "An error of ours, in the log under the request id",
    503: "The store cannot take it now; nothing was stored; try again",
}
_EVERYWHERE = (400, 401, 403, 405, 422, 500, 503)

TAGS = [
    {"name": "alerts", "description": "Send, follow, decide, and read what became of it."},
    {"name": "subscribers", "description": "Who is told."},
    {"name": "channels", "description": "What carries an alert."},
    {"name": "operation", "description": "Health, metrics, audit."},
    {"name": "ingest", "description": "Feeds and sensors that push."},
]

IDEMPOTENCY_KEY: Document = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Same key and same body: the stored answer again. Same key, other body: 422. In flight: 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "5f0c6a1e-allerta-temporali",
}


SECURED: Document = {"security": [{"bearer": []}]}
"""For a call that reads its token itself."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a call besides those any call can give."""
    return {status: _problem(status) for status in sorted({*statuses, *_EVERYWHERE})}


def takes(model: type[BaseModel], *, required: bool = True, keyed: bool = False) -> Document:
    """`openapi_extra` of a call with a JSON body; `keyed`: it honours an Idempotency-Key."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    extra: Document = {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}
    if keyed:
        extra["parameters"] = [IDEMPOTENCY_KEY]
    return extra


def finish(document: Document) -> Document:
    """Add the models of bodies and problems, and make every framework default a problem."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    models = [*_REQUESTS, ProblemBody]
    _, ours = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    for name, schema in ours["$defs"].items():
        known = schemas.setdefault(name, schema)
        if name != "Fault" and known != schema:
            raise RuntimeError(f"two different models are called {name} in the OpenAPI document")
    for path in document["paths"].values():
        for operation in path.values():
            _make_problems(operation["responses"])
    for framework in ("HTTPValidationError", "ValidationError"):
        schemas.pop(framework, None)
    return document


class DocumentedApp(FastAPI):
    """FastAPI with the document finished."""

    def openapi(self) -> Document:
        if self.openapi_schema is None:
            self.openapi_schema = finish(super().openapi())
        return self.openapi_schema


def _make_problems(responses: Document) -> None:
    for status in list(responses):
        if status.isdigit() and int(status) >= HTTPStatus.BAD_REQUEST:
            content = responses[status].get("content", {})
            if MEDIA_TYPE not in content:
                responses[status] = {**responses[status], **_problem(int(status))}


def _problem(status: int) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=ProblemBody.__name__)}
    phrase = HTTPStatus(status).phrase
    example = {"type": "about:blank", "title": phrase, "status": status, "detail": _WHEN.get(status, phrase)}
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        example["errors"] = [{"loc": ["info", 0, "area", 0], "msg": "there is no zone 'Atlantide'"}]
    return {
        "description": _WHEN.get(status, phrase),
        "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
    }
