"""What was kept and cannot be read is set aside under another name before anything takes its place."""

import hashlib
from collections.abc import Mapping
from typing import Final

from structlog.typing import FilteringBoundLogger

from alertd.core.readiness import Readiness
from alertd.ports.stores.kept import KeptStore

ASIDE: Final = "unread/"


class Aside:
    """A `KeptStore` that overwrites nothing unread. Told of a name's unreadable content, it keeps it as
    `unread/NAME/DIGEST` first when that name is next kept; until then it lies where it was."""

    def __init__(self, store: KeptStore, log: FilteringBoundLogger, readiness: Readiness) -> None:
        self._store = store
        self._log = log
        self._readiness = readiness
        self._unread: dict[str, bytes] = {}
        self._count = 0

    def unreadable(self, name: str, content: bytes, error: Exception) -> None:
        """What is kept under this name cannot be read: loudly, for orders that waited in it are not carried out."""
        self._unread[name] = content
        self._count += 1
        self._log.error(
            "what was kept cannot be read; it begins anew, and what waited in it is not done",
            name=name,
            set_aside_as=_aside(name, content),
            error=str(error),
        )
        concern = f"{self._count} records of rules or sources could not be read and were set aside: see the log"
        self._readiness.concern("records", concern)

    async def keep(self, name: str, content: bytes) -> None:
        """As the store's, and raises as it does: then nothing was overwritten."""
        if (unread := self._unread.get(name)) is not None:
            await self._store.keep(_aside(name, unread), unread)
            self._unread.pop(name, None)  # who kept it at the same time was as far
        await self._store.keep(name, content)

    async def kept(self) -> Mapping[str, bytes]:
        """What lies aside is named in the log at each start, for as long as it is there."""
        found = await self._store.kept()
        if aside := sorted(name for name in found if name.startswith(ASIDE)):
            self._log.warning("records that could not be read lie aside", names=aside)
        return found


def _aside(name: str, content: bytes) -> str:
    return f"{ASIDE}{name}/{hashlib.sha256(content).hexdigest()[:16]}"
