"""Tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Token:
    """`digest` is the SHA-256 in hex of the secret; `modes` None means any status."""

    name: str
    digest: str
    scopes: frozenset[str]
    modes: frozenset[str] | None
    created_at: datetime
    revoked_at: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)


class TokenStore(Protocol):
    async def find_token(self, digest: str) -> Token | None:
        """A live token only."""
        ...

    async def add_token(self, token: Token, *, actor: str) -> None:
        """Raises Conflict where the name is taken by a live token."""
        ...

    async def list_tokens(self) -> Sequence[Token]: ...

    async def revoke_token(self, name: str, *, actor: str, at: datetime) -> None:
        """Raises NotFound."""
        ...
