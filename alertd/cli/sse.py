"""Server-Sent Events (WHATWG HTML, section 9.2), reading side."""

import json
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Happening:
    """One event: its type and its data read as JSON (None where there was none, or it is not JSON)."""

    kind: str
    data: Any


async def happenings(lines: AsyncIterable[bytes]) -> AsyncIterator[Happening]:
    """The events of a stream of lines; comments and unknown fields are skipped, as the standard says."""
    kind, data = "message", list[str]()
    async for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        name, _, value = line.partition(":")
        if not line:
            if data:
                yield Happening(kind, _json("\n".join(data)))
            kind, data = "message", []
        elif name == "event":
            kind = value.removeprefix(" ")
        elif name == "data":
            data.append(value.removeprefix(" "))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
