"""What rules remember."""

from collections.abc import Mapping
from typing import Protocol


class KeptStore(Protocol):
    async def keep(self, name: str, content: bytes) -> None:
        """Keep this under the name, durably, in place of what was there. Raises Unavailable."""
        ...

    async def kept(self) -> Mapping[str, bytes]:
        """All that is kept, by name."""
        ...
