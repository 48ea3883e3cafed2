"""Tokens: found by digest while they live."""

from pathlib import Path

import pytest

from alertd.domain.problems import Conflict, NotFound
from alertd.ports.stores.access import Token
from tests.integration.store_stand import HOUR, NOW, opened


def _token(name: str = "console", digest: str = "d1") -> Token:
    return Token(name, digest, frozenset({"alerts:send"}), frozenset({"Exercise", "Test"}), NOW, details={"a": "b"})


async def test_a_token_lives_until_it_is_revoked(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.add_token(_token(), actor="admin")
        assert await store.find_token("d1") == _token()
        assert await store.find_token("d2") is None
        await store.revoke_token("console", actor="admin", at=NOW + HOUR)
        assert await store.find_token("d1") is None
        with pytest.raises(NotFound):
            await store.revoke_token("console", actor="admin", at=NOW)
        await store.add_token(_token(digest="d2"), actor="admin")
        assert [(t.digest, t.revoked_at) for t in await store.list_tokens()] == [("d1", NOW + HOUR), ("d2", None)]
        assert [entry.action for entry in await store.audit(after=0, limit=9)] == [
            "token.create",
            "token.revoke",
            "token.create",
        ]


async def test_a_live_name_is_taken(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.add_token(_token(), actor="admin")
        with pytest.raises(Conflict, match="console"):
            await store.add_token(_token(digest="d2"), actor="admin")


async def test_no_modes_means_any(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.add_token(Token("n", "d", frozenset(), None, NOW), actor="admin")
        found = await store.find_token("d")
        assert found is not None
        assert found.modes is None
