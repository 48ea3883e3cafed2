"""What the OpenAPI document says of every call: its body, its headers, its errors; and the document's last touches.

Bodies are read by us and not by the framework (once, from their bytes), so the document is told of them here.
"""

import asyncio
import re
from collections.abc import Sequence
from http import HTTPStatus
from importlib import import_module
from typing import Any

import orjson
from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.responses import Response

from alertd.web.api.answers import ProblemBody
from alertd.web.problems import MEDIA_TYPE

Document = dict[str, Any]

_REF = "#/components/schemas/{model}"
_BODY = "x-body"
"""Under this key a call names the model of its body until the document is made: models take long to write down."""
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


CAP: Document = {
    "schema": {"type": "string", "description": "One CAP 1.2 document (1.1 and 1.0 are read too), any msgType"}
}
SECURED: Document = {"security": [{"bearer": []}]}
"""For a call that reads its token itself."""


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error answers of a call besides those any call can give."""
    return {status: _problem(status) for status in sorted({*statuses, *_EVERYWHERE})}


def takes(model: type[BaseModel], *, required: bool = True, keyed: bool = False, also: Sequence[str] = ()) -> Document:
    """`openapi_extra` of a call with a JSON body; `keyed`: it honours an Idempotency-Key; `also`: the media types of
    CAP documents it takes as well."""
    content: Document = {"application/json": {}, **dict.fromkeys(also, CAP)}
    extra: Document = {
        "requestBody": {"required": required, "content": content},
        _BODY: f"{model.__module__}:{model.__qualname__}",
    }
    if keyed:
        extra["parameters"] = [IDEMPOTENCY_KEY]
    return extra


def finish(document: Document) -> Document:
    """Add the models of bodies and problems, and make every framework default a problem."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    _add(schemas, _schema_of(ProblemBody)[1])
    for path in document["paths"].values():
        for operation in path.values():
            if name := operation.pop(_BODY, None):
                reference, definitions = _schema_of(_model(name))
                operation["requestBody"]["content"]["application/json"]["schema"] = reference
                _add(schemas, definitions)
            _make_problems(operation["responses"])
    document["components"]["schemas"] = _used(document)
    return document


class DocumentedApp(FastAPI):
    """FastAPI with the document finished, served as bytes made once."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, openapi_url=None)
        self._document: Document | None = None
        self._encoded = b""
        self._encoding = asyncio.Lock()
        self.get("/openapi.json", include_in_schema=False)(self._serve)

    def openapi(self) -> Document:
        if self._document is None:
            self._document = finish(super().openapi())
        return self._document

    async def _serve(self) -> Response:
        """Made in a thread: it takes a tenth of a second that an emergency may not be kept waiting for."""
        async with self._encoding:
            if not self._encoded:
                self._encoded = orjson.dumps(await asyncio.to_thread(self.openapi))
        return Response(self._encoded, media_type="application/json")


def _model(name: str) -> type[BaseModel]:
    module, _, qualname = name.partition(":")
    found: type[BaseModel] = getattr(import_module(module), qualname)
    return found


def _schema_of(model: type[BaseModel]) -> tuple[Document, Document]:
    """A reference to the model as it is read, and the definitions this reference needs."""
    references, whole = models_json_schema([(model, "validation")], ref_template=_REF)
    return references[model, "validation"], whole["$defs"]


def _add(schemas: Document, definitions: Document) -> None:
    for name, schema in definitions.items():
        if schemas.setdefault(name, schema) != schema:
            raise RuntimeError(f"two different models are called {name} in the OpenAPI document")


def _used(document: Document) -> Document:
    """The schemas anything refers to: the framework's own errors and the insides of texts drop out."""
    schemas: Document = document["components"]["schemas"]
    wanted, todo = set[str](), _named(document["paths"])
    while todo:
        wanted |= todo
        todo = _named([schemas[name] for name in todo]) - wanted
    return {name: schemas[name] for name in sorted(wanted)}


def _named(part: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"/]+)"', orjson.dumps(part).decode()))


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
