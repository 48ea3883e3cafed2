"""Feeds and sensors as others see them: how each of them is, and the door by which one that pushes comes in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alertd.domain.problems import NotFound
from alertd.domain.signal import Heard


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """For the readiness board. `way` is polled, mqtt or pushed. `last_good` is when it was last heard properly; a
    source that is not `ready` never makes the daemon unready."""

    name: str
    reader: str
    way: str
    ready: bool
    detail: str
    last_good: datetime | None


class Sources(Protocol):
    def status(self) -> Sequence[SourceStatus]:
        """Every configured source."""
        ...

    async def push(self, source: str, payload: bytes, headers: Mapping[str, str]) -> Heard:
        """Take what a source posts; what it was read as. `headers` by lower-case name.

        Raises NotFound for an unknown source, Conflict for one that is not pushed, Forbidden where its signature is
        wrong, Unavailable where what follows from it cannot be stored now.
        """
        ...


class _None:
    def status(self) -> Sequence[SourceStatus]:
        return ()

    async def push(self, source: str, payload: bytes, headers: Mapping[str, str]) -> Heard:  # noqa: ARG002
        raise NotFound(f"no such source: {source[:100]!r}")


NO_SOURCES: Sources = _None()
"""Nothing is configured."""
