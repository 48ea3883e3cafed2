"""Who calls: a bearer token (RFC 6750) becomes a Token, or a 401; what it may do, or a 403."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import Request

from alertd.core.access import Access, holds
from alertd.domain.problems import Forbidden
from alertd.ports.stores.access import Token
from alertd.web.problems import CHALLENGE, INVALID_TOKEN

BEARER = HTTPBearer(
    scheme_name="bearer",
    auto_error=False,
    description="A token made with `alertd token create`. `admin` holds every scope.",
)

Authenticate = Callable[[str], Awaitable[Token | None]]
"""A method of Access."""

Guard = Callable[..., Awaitable[Token]]
"""A FastAPI dependency: the caller's token, once its scopes were checked."""


async def admit(request: Request, authenticate: Authenticate, *any_of: str) -> Token:
    """The caller's token, which holds at least one of these scopes. Raises HTTPException 401, Forbidden.

    A missing, a malformed and a wrong token all cost the same one look-up by digest.
    """
    header = request.headers.get("authorization", "")
    scheme, _, secret = header.partition(" ")
    is_bearer = scheme.lower() == "bearer"
    token = await authenticate(secret.strip() if is_bearer else "")
    if token is None or not is_bearer:
        raise _unauthorized(given=bool(header))
    request.state.token = token.name
    if not any(holds(token, scope) for scope in any_of):
        raise Forbidden(f"token {token.name!r} lacks the scope {' or '.join(any_of)}")
    return token


def requires(access: Access, *any_of: str) -> Guard:
    """`admit` as a dependency, which also puts the security scheme into the OpenAPI document."""

    async def guard(
        request: Request, _documented: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)]
    ) -> Token:
        return await admit(request, access.authenticate, *any_of)

    return guard


def _unauthorized(*, given: bool) -> HTTPException:
    """RFC 6750, section 3: a request without any credentials is not told an error code."""
    if given:
        return HTTPException(401, "this token is not known, or was revoked", dict(INVALID_TOKEN))
    return HTTPException(401, "send a token: Authorization: Bearer …", {"WWW-Authenticate": CHALLENGE})
