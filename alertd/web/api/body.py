"""The body of a request: read once, within a time, parsed straight from its bytes."""

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

from alertd.core.intake import Idempotency
from alertd.domain.problems import Invalid, Problem
from alertd.web.problems import from_pydantic

M = TypeVar("M", bound=BaseModel)

READ_WITHIN = 30.0
"""Seconds a body may take to arrive: a caller that drips must not hold a request open for ever."""

JSON = "application/json"
XML = ("application/cap+xml", "application/xml", "text/xml")
_KEY_LENGTH = 255


async def read(request: Request) -> bytes:
    """All of it. Raises HTTPException 408; the size is the middleware's business."""
    try:
        async with asyncio.timeout(READ_WITHIN):
            return await request.body()
    except TimeoutError:
        raise HTTPException(408, f"the body took longer than {READ_WITHIN:.0f} s", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise HTTPException(400, "the caller left before the body was whole") from None


def require_json(request: Request) -> None:
    """Raises HTTPException 415."""
    kind_of(request, (JSON,))


def is_json(request: Request) -> bool:
    """Whether it says so of itself."""
    return _media_type(request) == JSON


def kind_of(request: Request, taken: Sequence[str]) -> str:
    """The body's media type, one of those. Raises HTTPException 415."""
    kind = _media_type(request)
    if kind not in taken:
        said = f"{kind} is not taken here" if kind else "the Content-Type is missing"
        where = ": a CAP document of any msgType goes to POST /v1/alerts" if kind in XML else ""
        raise HTTPException(415, f"{said}{where}; send {' or '.join(taken)}", {"Accept": ", ".join(taken)})
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPException(415, "compressed bodies are not taken here", {"Accept-Encoding": "identity"})
    return kind


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def parse(raw: bytes, model: type[M]) -> M:
    """Raises Invalid, with the path to every fault."""
    if not raw:
        raise Invalid(Problem((), "the body is empty: JSON is expected"))
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise Invalid(*from_pydantic(faults)) from None


def idempotency_of(request: Request, raw: bytes) -> Idempotency | None:
    """The caller's Idempotency-Key with a fingerprint of what came with it. Raises Invalid."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= _KEY_LENGTH or not all("!" <= character <= "~" for character in key):
        loc = ("header", "Idempotency-Key")
        raise Invalid(Problem(loc, f"1 to {_KEY_LENGTH} visible ASCII characters, no blanks"))
    digest = sha256(f"{request.method}\n{request.scope['path']}\n".encode())
    digest.update(raw)
    return Idempotency(key, digest.hexdigest())
