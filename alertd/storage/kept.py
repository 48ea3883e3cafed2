"""Small things by name: what rules and sources remember."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from sqlalchemy import Connection

from alertd.storage.connect import run
from alertd.storage.database import Database

_KEEP: Final = """
INSERT INTO kept (name, content) VALUES (:name, :content) ON CONFLICT (name) DO UPDATE SET content = excluded.content
"""
_ALL: Final = "SELECT name, content FROM kept"


def keep(conn: Connection, name: str, content: bytes) -> None:
    run(conn, _KEEP, {"name": name, "content": content})


def kept(conn: Connection) -> Mapping[str, bytes]:
    return dict(run(conn, _ALL).fetchall())


class KeptPart:
    """`ports.stores.KeptStore`."""

    _db: Database

    async def keep(self, name: str, content: bytes) -> None:
        await self._db.write(partial(keep, name=name, content=content))

    async def kept(self) -> Mapping[str, bytes]:
        return await self._db.read(kept)
