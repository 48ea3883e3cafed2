"""API tokens, kept by the hash of their secret."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, Select, insert, select, update

from alertd.domain.problems import Conflict, NotFound
from alertd.ports.stores.access import Token
from alertd.storage import audit, early
from alertd.storage.connect import run
from alertd.storage.database import Database
from alertd.storage.tables import token as tokens
from alertd.storage.types import instant

BY_DIGEST: Final = """
SELECT name, digest, scopes, modes, created_at, details FROM token WHERE digest = :digest AND revoked_at IS NULL
"""
"""Asked by every request before anything else, hence as text."""


def live_by_name(name: str) -> Select[Any]:
    return select(tokens.c.seq).where(tokens.c.name == name, tokens.c.revoked_at.is_(None))


def find(conn: Connection, digest: str) -> Token | None:
    row = run(conn, BY_DIGEST, {"digest": digest}).fetchone()
    if row is None:
        return None
    name, digest, scopes, modes, created_at, details = row
    return Token(
        name=name,
        digest=digest,
        scopes=frozenset(orjson.loads(scopes)),
        modes=None if modes is None else frozenset(orjson.loads(modes)),
        created_at=instant(created_at),
        revoked_at=None,
        details=orjson.loads(details),
    )


def add(conn: Connection, token: Token, actor: str) -> None:
    """Raises Conflict where the name is taken by a live token."""
    if conn.execute(live_by_name(token.name)).fetchone() is not None:
        raise Conflict(f"there is already a token named {token.name}; revoke it first or take another name")
    modes = None if token.modes is None else sorted(token.modes)
    conn.execute(
        insert(tokens).values(
            name=token.name,
            digest=token.digest,
            scopes=sorted(token.scopes),
            modes=modes,
            created_at=token.created_at,
            revoked_at=token.revoked_at,
            details=dict(token.details),
        )
    )
    details = {"scopes": sorted(token.scopes), "modes": modes}
    audit.append(conn, token.created_at, actor, "token.create", token.name, details)


def revoke(conn: Connection, name: str, *, actor: str, at: datetime) -> None:
    """Raises NotFound."""
    row = conn.execute(live_by_name(name)).fetchone()
    if row is None:
        raise NotFound(f"there is no live token named {name}")
    conn.execute(update(tokens).where(tokens.c.seq == row.seq).values(revoked_at=at))
    gone = early.forget_token(conn, name)
    audit.append(conn, at, actor, "token.revoke", name, {"forgotten": gone} if gone else {})


def every(conn: Connection) -> Sequence[Token]:
    return [_token(row) for row in conn.execute(select(tokens).order_by(tokens.c.seq))]


def _token(row: Row[Any]) -> Token:
    return Token(
        name=row.name,
        digest=row.digest,
        scopes=frozenset(row.scopes),
        modes=None if row.modes is None else frozenset(row.modes),
        created_at=row.created_at,
        revoked_at=row.revoked_at,
        details=row.details,
    )


class TokenPart:
    """`ports.stores.TokenStore`."""

    _db: Database

    async def find_token(self, digest: str) -> Token | None:
        return await self._db.read(partial(find, digest=digest), urgent=True)

    async def add_token(self, token: Token, *, actor: str) -> None:
        await self._db.write(partial(add, token=token, actor=actor))

    async def list_tokens(self) -> Sequence[Token]:
        return await self._db.read(every)

    async def revoke_token(self, name: str, *, actor: str, at: datetime) -> None:
        await self._db.write(partial(revoke, name=name, actor=actor, at=at))
